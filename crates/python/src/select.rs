//! Coresets of a matrix.

use afterimage::coreset::gate::mean_ranks;
use afterimage::coreset::{
    Budget, CoresetError, Evidence, Greedy, LentMatrix, Partition, Points, Prefer, Selection,
    Settings, Storage, Strategy, Weighting,
};
use numpy::{IntoPyArray as _, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods as _};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::told::coreset_error;

/// The arguments of `afterimage.select`, checked for their types and against each other; what is `None` is as
/// the command has it where a flag is not given.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Arguments<'py> {
    labels: Option<PyReadonlyArray1<'py, u32>>,
    losses: Option<PyReadonlyArray1<'py, f32>>,
    memorization: Vec<PyReadonlyArray1<'py, f64>>,
    k: Option<usize>,
    fraction: Option<f64>,
    strategy: Option<String>,
    greedy: Option<String>,
    epsilon: Option<f64>,
    weights: Option<String>,
    cap: Option<f64>,
    radius: Option<f64>,
    clusters: Option<usize>,
    prefer: Option<String>,
    bonus: Option<f64>,
    memory: Option<String>,
    storage: Option<String>,
    threads: Option<usize>,
    seed: Option<u64>,
    gains: bool,
}

/// Chooses rows of `x` `[n, d]`, whose rows lie behind each other.
///
/// Returns `indices` `[k]`, `weights` `[k]`, `owners` `[n]` (−1 for none), `cost`, `objective`, `storage`,
/// `build_seconds`, `select_seconds` and, where they were asked for, `gains` `[k]`.
#[pyfunction]
pub fn select<'py>(
    py: Python<'py>,
    x: PyReadonlyArray2<'py, f32>,
    arguments: Arguments<'py>,
) -> PyResult<Bound<'py, PyDict>> {
    let [rows, columns] = [x.shape()[0], x.shape()[1]];
    let values = x
        .as_slice()
        .map_err(|_| PyValueError::new_err("X: its rows must lie behind each other in memory"))?;
    let labels = arguments.labels.as_ref().map(slice).transpose()?;
    let losses = arguments.losses.as_ref().map(slice).transpose()?;
    let scores: Vec<&[f64]> = arguments
        .memorization
        .iter()
        .map(slice)
        .collect::<PyResult<_>>()?;
    let settings = arguments.settings()?;
    let (clusters, wants_gains) = (arguments.clusters, arguments.gains);
    let chosen = py.detach(|| {
        let points = Points::Rows(LentMatrix::lent("X", rows, columns, values)?);
        let memorization = mean_ranks(&scores, rows);
        let evidence = Evidence {
            losses,
            memorization: memorization.as_deref(),
            ..Evidence::of(&points)
        };
        let partition = match (labels, clusters, &points) {
            (Some(labels), _, _) => Partition::Classes(labels),
            (None, Some(count), Points::Rows(rows)) => Partition::Clusters { rows, count },
            _ => Partition::None,
        };
        let settings = Settings {
            partition,
            ..settings
        };
        let coreset = Selection::plan(evidence, settings)?.run()?;
        let gains = match wants_gains {
            false => None,
            true => pool(settings.threads)?.install(|| coreset.gains(&points)),
        };
        Ok((coreset, gains))
    });
    let (coreset, gains) = chosen.map_err(|error| coreset_error(&error))?;
    let whole = |places: Vec<i64>| places.into_pyarray(py);
    let indices = coreset.indices.iter().map(|index| *index as i64);
    let owners = coreset
        .owners
        .iter()
        .map(|owner| owner.map_or(-1, i64::from));
    let storages: Vec<&str> = coreset.plan.storages().iter().map(|s| s.name()).collect();
    let told = PyDict::new(py);
    told.set_item("indices", whole(indices.collect()))?;
    told.set_item("owners", whole(owners.collect()))?;
    told.set_item("weights", coreset.weights.into_pyarray(py))?;
    told.set_item("cost", coreset.cost)?;
    told.set_item("objective", coreset.objective)?;
    told.set_item("storage", storages.join(" and "))?;
    told.set_item("build_seconds", coreset.build_seconds)?;
    told.set_item("select_seconds", coreset.select_seconds)?;
    told.set_item("gains", gains.map(|gains| gains.into_pyarray(py)))?;
    Ok(told)
}

/// Names of the strategies that need no network, in the order of the documentation.
#[pyfunction]
pub fn strategies() -> Vec<&'static str> {
    let beyond = [Strategy::Forgetting, Strategy::Glister];
    Strategy::ALL
        .into_iter()
        .filter(|(_, strategy)| !beyond.contains(strategy))
        .map(|(name, _)| name)
        .collect()
}

/// Whether a column of this name is an id rather than a measurement, where its whole numbers all differ.
#[pyfunction]
pub fn names_rows(name: &str) -> bool {
    afterimage_table::names_rows(name)
}

/// Whether a column of this name says when a run wrote the row, rather than what was measured.
#[pyfunction]
pub fn names_clock(name: &str) -> bool {
    afterimage_table::names_clock(name)
}

fn slice<'a, T: numpy::Element>(array: &'a PyReadonlyArray1<'_, T>) -> PyResult<&'a [T]> {
    let scattered = |_| PyValueError::new_err("an array must lie in one piece of memory");
    array.as_slice().map_err(scattered)
}

fn pool(threads: usize) -> Result<rayon::ThreadPool, CoresetError> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|error| CoresetError::Setting {
            key: "threads",
            reason: format!("{threads} cannot be started: {error}"),
        })
}

impl Arguments<'_> {
    /// Settings but for the partition.
    fn settings(&self) -> PyResult<Settings<'static>> {
        let wrong = |argument: &str, reason: String| {
            Err(PyValueError::new_err(format!("{argument}: {reason}")))
        };
        let budget = match (self.k, self.fraction) {
            (Some(k), _) => Budget::Count(k),
            (None, fraction) => Budget::Fraction(fraction.unwrap_or(0.0)),
        };
        let defaults = Settings::new(budget);
        let mut named = Strategy::ALL.into_iter();
        let strategy = match &self.strategy {
            None => defaults.strategy,
            Some(told) => match named.find(|(name, _)| name == told) {
                Some((_, strategy)) => strategy,
                None => {
                    let names = strategies().join("', '");
                    return wrong("strategy", format!("{told:?} is not one of '{names}'"));
                }
            },
        };
        let storages = [
            Storage::Dense,
            Storage::Half,
            Storage::MatrixFree,
            Storage::Sparse,
        ];
        let storage = match &self.storage {
            None => None,
            Some(name) => match storages.into_iter().find(|kind| kind.name() == name) {
                None => {
                    let names = "'dense', 'half', 'matrix-free', 'sparse'";
                    return wrong("storage", format!("{name:?} is not one of {names}"));
                }
                storage => storage,
            },
        };
        let memory = match &self.memory {
            None => defaults.memory,
            Some(text) => match text.parse() {
                Ok(bytes) => bytes,
                Err(reason) => return wrong("memory", reason),
            },
        };
        let threads = match self.threads {
            Some(threads @ 1..=1024) => threads,
            Some(threads) => return wrong("threads", format!("{threads} is not in 1..=1024")),
            None => std::thread::available_parallelism().map_or(1, usize::from),
        };
        Ok(Settings {
            strategy,
            weighting: match (self.weights.as_deref(), self.radius) {
                (Some("none"), _) => Weighting::None,
                (Some("radius"), Some(distance)) => Weighting::Radius { distance },
                _ => Weighting::ClusterSize { cap: self.cap },
            },
            greedy: match self.greedy.as_deref() {
                Some("naive") => Greedy::Naive,
                Some("lazy") => Greedy::Lazy,
                Some("stochastic") => Greedy::Stochastic {
                    epsilon: self.epsilon.unwrap_or(Greedy::EPSILON),
                },
                Some("event-driven") => Greedy::EventDriven,
                _ => defaults.greedy,
            },
            memory,
            storage,
            threads,
            seed: self.seed.unwrap_or(defaults.seed),
            prefer: match self.prefer.as_deref() {
                Some("typical") => Prefer::Typical,
                Some("memorized") => Prefer::Memorized,
                _ => defaults.prefer,
            },
            bonus: self.bonus.unwrap_or(defaults.bonus),
            ..defaults
        })
    }
}
