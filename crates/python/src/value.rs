//! Values of a table's rows and cells.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use afterimage::files::machine_memory;
use afterimage::value::{
    Candidates, HeldColumn, LabelSource, Learner, Prediction, ReadOptions, ReadTable, Score,
    Settings, Target, Task, Valuation, ValueError, hold_table, memory_bound, near_duplicates,
    parse_bytes, readable_bytes, value_until,
};
use numpy::{Element, IntoPyArray as _, PyArray1, PyArray2, PyArrayMethods as _};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::cells::{Column, columns};
use crate::told::{in_python, value_error};

/// How often a signal is looked for.
const LOOK: Duration = Duration::from_millis(50);

/// The arguments of `afterimage.value`, checked for their types.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Arguments {
    what: String,
    label: String,
    id: Option<String>,
    ignore: Vec<String>,
    categorical: Vec<String>,
    missing: Vec<String>,
    task: Option<String>,
    learner: String,
    learners: u32,
    ratio: f64,
    score: String,
    seed: u64,
    threads: Option<usize>,
    max_features: Option<usize>,
    all_features: bool,
    max_depth: Option<u32>,
    bins: usize,
    penalty: f64,
    hidden: usize,
    epochs: usize,
    memory: Option<String>,
}

/// A table that was valued.
#[pyclass(frozen, module = "afterimage._native")]
pub struct Valued {
    table: ReadTable,
    settings: Settings,
    values: Valuation,
}

/// Values the rows and cells of `table`, a list of columns, by `labels`, a column beside them, or by the
/// column that `arguments` names.
#[pyfunction]
pub fn value(
    py: Python<'_>,
    table: &Bound<'_, PyAny>,
    labels: Option<Column<'_>>,
    arguments: Arguments,
) -> PyResult<Valued> {
    let settings = arguments.settings()?;
    let (what, memory) = (arguments.what.clone(), arguments.memory()?);
    let options = arguments.options();
    let columns = columns(table)?;
    let held: Vec<HeldColumn<'_>> = columns.iter().map(Column::held).collect();
    let labels = labels.as_ref().map(Column::held);
    let stop = AtomicBool::new(false);
    let done = py.detach(|| {
        let (sender, receiver) = channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let work = || {
                    settings.check()?;
                    let table = hold_table(&what, &held, labels.as_ref(), &options)?;
                    check_memory(&table, &settings, memory)?;
                    let values = value_until(&table.problem, &settings, &|_| (), &stop)?;
                    Ok(Valued {
                        table,
                        settings,
                        values,
                    })
                };
                // The receiver outlives the work.
                let _ = sender.send(work());
            });
            let mut interrupt = None;
            loop {
                match receiver.recv_timeout(LOOK) {
                    Ok(done) => break interrupt.map_or(Ok(done), Err),
                    Err(RecvTimeoutError::Timeout) => {
                        if let Err(signal) = Python::attach(|py| py.check_signals()) {
                            stop.store(true, Ordering::Relaxed);
                            interrupt = Some(signal);
                        }
                    }
                    // The work panicked, and the scope passes it on.
                    Err(RecvTimeoutError::Disconnected) => break Ok(Err(ValueError::Stopped)),
                }
            }
        })
    });
    done?.map_err(|error| value_error(&error))
}

fn check_memory(
    table: &ReadTable,
    settings: &Settings,
    told: Option<usize>,
) -> Result<(), ValueError> {
    let need = memory_bound(&table.problem, settings);
    // What no machine like this one has is refused before it is tried.
    let machine = || machine_memory().and_then(|bytes| usize::try_from(bytes).ok());
    match told.or_else(machine) {
        Some(limit) if need > limit => Err(ValueError::Memory {
            need: readable_bytes(need),
            limit: readable_bytes(limit),
        }),
        _ => Ok(()),
    }
}

impl Arguments {
    fn memory(&self) -> PyResult<Option<usize>> {
        let Some(text) = &self.memory else {
            return Ok(None);
        };
        let wrong =
            || PyValueError::new_err(format!("memory: {text:?} is no size; write 4GB or 500MB"));
        parse_bytes(text).map(Some).ok_or_else(wrong)
    }

    fn settings(&self) -> PyResult<Settings> {
        let unknown = |argument: &str, word: &str, words: &str| {
            PyValueError::new_err(format!("{argument}: {word:?} is not one of {words}"))
        };
        let learner = match self.learner.as_str() {
            "tree" => Learner::Tree {
                candidates: match self.max_features {
                    Some(count) => Candidates::Count(count),
                    None if self.all_features => Candidates::All,
                    None => Candidates::Root,
                },
                depth: self.max_depth,
            },
            "linear" => Learner::Linear {
                penalty: self.penalty,
            },
            "mlp" => Learner::Mlp {
                hidden: self.hidden,
                epochs: self.epochs,
            },
            other => return Err(unknown("learner", other, "'tree', 'linear', 'mlp'")),
        };
        let score = match self.score.as_str() {
            "plain" => Score::Plain,
            "soft" => Score::Soft,
            "distance" => Score::Distance,
            other => return Err(unknown("score", other, "'plain', 'soft', 'distance'")),
        };
        if let Some(task) = &self.task
            && !["classification", "regression"].contains(&task.as_str())
        {
            return Err(unknown("task", task, "'classification', 'regression'"));
        }
        Ok(Settings {
            learner,
            learners: self.learners,
            ratio: self.ratio,
            seed: self.seed,
            threads: self.threads,
            score,
            bins: self.bins,
        })
    }

    fn options(self) -> ReadOptions {
        ReadOptions {
            id: self.id,
            ignore: self.ignore,
            categorical: self.categorical,
            missing: self.missing,
            task: self.task.map(|task| match task.as_str() {
                "regression" => Task::Regression,
                _ => Task::Classification,
            }),
            ..ReadOptions::of(LabelSource::Column(self.label))
        }
    }
}

/// Columns of rows: Data-OOB `[n]`, its standard error `[n]`, its count `[n]`, and the marginal `[n]`.
type Rows<'py> = (
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray1<u32>>,
    Bound<'py, PyArray1<f64>>,
);

/// What is said of rows: the class that is predicted `[n]` (−1 without), the share of learners that say it
/// `[n]`, the share that says the label `[n]`, the number that is predicted `[n]`, and whether the label looks
/// wrong `[n]`.
type Said<'py> = (
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray1<bool>>,
);

/// Near duplicates: the number of a row's set `[n]` (0 without) and of its labels `[n]`, the nearest row `[n]`
/// (−1 without) and its distance `[n]`.
type Near<'py> = (
    Bound<'py, PyArray1<u32>>,
    Bound<'py, PyArray1<u32>>,
    Bound<'py, PyArray1<i64>>,
    Bound<'py, PyArray1<f64>>,
);

/// Matrices `[n, d]` of cells: value, standard error, count, contrast, its standard error, and z.
type Cells<'py> = (
    Bound<'py, PyArray2<f64>>,
    Bound<'py, PyArray2<f64>>,
    Bound<'py, PyArray2<u32>>,
    Bound<'py, PyArray2<f64>>,
    Bound<'py, PyArray2<f64>>,
    Bound<'py, PyArray2<f64>>,
);

#[pymethods]
impl Valued {
    /// Names of the columns with values `[d]`.
    fn columns(&self) -> Vec<&str> {
        let columns = self.table.problem.columns().iter();
        columns.map(|column| column.name.as_str()).collect()
    }

    /// What was decided about the table; the last says how the labels were understood.
    fn notes(&self) -> Vec<String> {
        self.table
            .notes
            .iter()
            .map(|note| in_python(note))
            .collect()
    }

    /// Class of each row `[n]` and names of the classes, or nothing.
    fn classes<'py>(&self, py: Python<'py>) -> Option<(Bound<'py, PyArray1<u32>>, Vec<&str>)> {
        match self.table.problem.target() {
            Target::Classes { codes, names } => Some((
                codes.clone().into_pyarray(py),
                names.iter().map(String::as_str).collect(),
            )),
            Target::Numbers(_) => None,
        }
    }

    /// Values of all rows.
    fn rows<'py>(&self, py: Python<'py>) -> Rows<'py> {
        let rows = py.detach(|| self.values.rows());
        let of = |value: fn(&afterimage::value::RowValue) -> f64| {
            rows.iter().map(value).collect::<Vec<_>>().into_pyarray(py)
        };
        let counts: Vec<u32> = rows.iter().map(|row| row.data_oob.count).collect();
        (
            of(|row| row.data_oob.value),
            of(|row| row.data_oob.error),
            counts.into_pyarray(py),
            of(|row| row.marginal),
        )
    }

    /// What the learners say that have not seen a row.
    fn said<'py>(&self, py: Python<'py>) -> Said<'py> {
        let said = py.detach(|| self.values.predictions(&self.table.problem));
        let of = |value: fn(&Prediction) -> f64| {
            said.iter().map(value).collect::<Vec<_>>().into_pyarray(py)
        };
        let class = |said: &Prediction| said.class.map_or(-1, i64::from);
        let classes: Vec<i64> = said.iter().map(class).collect();
        let suspects: Vec<bool> = said.iter().map(|said| said.suspect).collect();
        (
            classes.into_pyarray(py),
            of(|said| said.share),
            of(|said| said.given),
            of(|said| said.number),
            suspects.into_pyarray(py),
        )
    }

    /// Rows that are near duplicates of others.
    fn near<'py>(&self, py: Python<'py>) -> PyResult<Near<'py>> {
        let found = py.detach(|| near_duplicates(&self.table.problem, &self.settings));
        let found = found.map_err(|error| value_error(&error))?;
        let sets: Vec<u32> = found.rows.iter().map(|row| row.set).collect();
        let labels = (0..sets.len()).map(|row| found.labels(row) as u32);
        let labels: Vec<u32> = labels.collect();
        let nearest = found
            .rows
            .iter()
            .map(|row| row.nearest.map_or(-1, i64::from));
        let distances = found.rows.iter().map(|row| row.distance);
        Ok((
            sets.into_pyarray(py),
            labels.into_pyarray(py),
            nearest.collect::<Vec<_>>().into_pyarray(py),
            distances.collect::<Vec<_>>().into_pyarray(py),
        ))
    }

    /// Values of all cells.
    fn cells<'py>(&self, py: Python<'py>) -> PyResult<Cells<'py>> {
        let (rows, width) = (self.values.len(), self.values.columns());
        let (block, z) = py.detach(|| {
            let problem = &self.table.problem;
            let z = self.values.distances(problem);
            let z: Vec<f64> = (0..rows * width)
                .map(|at| z.of(problem, at / width, at % width))
                .collect();
            (self.values.cells(0..rows), z)
        });
        let shape = [rows, width];
        Ok((
            matrix(py, block.value, shape)?,
            matrix(py, block.error, shape)?,
            matrix(py, block.count, shape)?,
            matrix(py, block.contrast, shape)?,
            matrix(py, block.contrast_error, shape)?,
            matrix(py, z, shape)?,
        ))
    }
}

fn matrix<T: Element>(
    py: Python<'_>,
    values: Vec<T>,
    shape: [usize; 2],
) -> PyResult<Bound<'_, PyArray2<T>>> {
    values.into_pyarray(py).reshape(shape)
}
