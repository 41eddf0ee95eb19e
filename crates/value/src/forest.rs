//! Fits the learners, on all threads, and gathers how they did out of bag.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use crate::answers::Answers;
use crate::bag::{draw_bag, draw_subset};
use crate::canonical::Canonical;
use crate::dense::Dense;
use crate::design::Design;
use crate::distance::add_distances;
use crate::draw::Purpose;
use crate::error::ValueError;
use crate::learn::{Learn, Task, Told, Trees};
use crate::linear::Linear;
use crate::mlp::Mlp;
use crate::problem::{Problem, Target};
use crate::ranks::Ranked;
use crate::score::Score;
use crate::settings::{Learner, Settings};
use crate::tally::Tally;
use crate::tree::{Limits, ManyClasses, Summed, TwoClasses, Variance};
use crate::valuation::Valuation;
use crate::votes::Votes;

/// Answers that learners wait with for their turn to be added: 64 MiB, a score and what is said each.
pub(crate) const WAITING: usize = 1 << 23;

/// What a learner came to.
pub(crate) struct Done {
    /// The columns that it saw, as positions among the usable ones.
    pub subset: Vec<usize>,
    /// Its scores by place; NaN in the bag.
    pub scores: Vec<f32>,
    /// What it says at each place; NaN in the bag.
    pub said: Vec<f32>,
}

/// Values the rows and cells of `problem`.
///
/// `progress` is told the number of learners done; it is called from one thread. Same problem, same
/// settings, same values: neither the number of threads nor the order of the rows changes a bit.
///
/// # Errors
/// A setting out of range, a problem with constant columns only, threads that do not start.
///
/// # Examples
/// ```
/// use afterimage_value::{Cells, Column, Problem, Settings, Target, value};
///
/// # fn main() -> Result<(), afterimage_value::ValueError> {
/// let x: Vec<f32> = (0..100).map(|i| i as f32).collect();
/// let codes: Vec<u32> = (0..100).map(|i| u32::from(i >= 50) ^ u32::from(i == 20)).collect();
/// let column = Column { name: "x".into(), cells: Cells::Numbers(x) };
/// let names = vec!["low".into(), "high".into()];
/// let problem = Problem::new(vec![column], Target::Classes { codes, names }, None)?;
/// let values = value(&problem, &Settings { learners: 200, ..Settings::default() }, &|_| ())?;
/// let rows = values.rows();
/// let lowest = (0..100).min_by(|&a, &b| rows[a].data_oob.value.total_cmp(&rows[b].data_oob.value));
/// assert_eq!(lowest, Some(20));
/// # Ok(())
/// # }
/// ```
pub fn value(
    problem: &Problem,
    settings: &Settings,
    progress: &dyn Fn(u32),
) -> Result<Valuation, ValueError> {
    value_until(problem, settings, progress, &AtomicBool::new(false))
}

/// [`value`], which ends early once `stop` is true: after the learners that are at work.
///
/// # Errors
/// What [`value`] refuses; [`ValueError::Stopped`] where it was stopped.
pub fn value_until(
    problem: &Problem,
    settings: &Settings,
    progress: &dyn Fn(u32),
    stop: &AtomicBool,
) -> Result<Valuation, ValueError> {
    let pool = start(problem, settings)?;
    let forest = Forest::new(problem, settings, &pool);
    let mut tally = Tally::new(problem, settings, forest.columns.len());
    let mut votes = Votes::new(&forest.answers);
    let mut add = |first: u32, done: &[Done]| {
        tally.add(first, done);
        votes.add(done);
    };
    forest.run(&pool, &mut add, progress, stop)?;
    let told = (tally, votes);
    Ok(Valuation::new(problem, forest.canonical, told, pool))
}

/// One learner of a valuation, alone.
#[derive(Debug, Clone, PartialEq)]
pub struct OneLearner {
    /// How often each row is in its bag.
    pub weights: Vec<u16>,
    /// The columns that it saw, in ascending order.
    pub columns: Vec<usize>,
    /// Its score on each row; NaN for the rows in its bag.
    pub scores: Vec<f32>,
}

/// Fits learner number `learner` of the valuation of `problem` again, to the bit as [`value`] does.
///
/// # Errors
/// As [`value`].
pub fn one_learner(
    problem: &Problem,
    settings: &Settings,
    learner: u32,
) -> Result<OneLearner, ValueError> {
    let settings = Settings {
        threads: Some(1),
        ..*settings
    };
    let pool = start(problem, &settings)?;
    let forest = Forest::new(problem, &settings, &pool);
    let usable = problem.usable();
    let subset = forest.subset(learner);
    let mut worker = forest.worker();
    let scores = forest.one(&mut worker, learner, subset.clone()).scores;
    let mut one = OneLearner {
        weights: vec![0; forest.rows],
        columns: subset.iter().map(|&at| usable[at]).collect(),
        scores: vec![f32::NAN; forest.rows],
    };
    for (place, &row) in forest.canonical.row.iter().enumerate() {
        one.weights[row as usize] = worker.weights[place];
        one.scores[row as usize] = scores[place];
    }
    Ok(one)
}

/// Checks settings against the problem, and starts the threads.
pub(crate) fn start(
    problem: &Problem,
    settings: &Settings,
) -> Result<rayon::ThreadPool, ValueError> {
    settings.check()?;
    if settings.score == Score::Distance && matches!(problem.target(), Target::Numbers(_)) {
        return Err(ValueError::Setting(
            "--score distance is a distance from the mean of a class; labels that are numbers have \
             none"
                .to_owned(),
        ));
    }
    if problem.usable().is_empty() {
        return Err(ValueError::AllConstant);
    }
    let threads = settings.threads.unwrap_or(0);
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|error| ValueError::Threads {
            threads,
            why: error.to_string(),
        })
}

/// A problem in the forms that learners read.
pub(crate) struct Forest {
    settings: Settings,
    canonical: Canonical,
    /// The usable columns.
    columns: Vec<Ranked>,
    /// Empty where nothing reads it.
    design: Design,
    pub(crate) answers: Answers,
    rows: usize,
}

/// What a thread keeps from learner to learner.
struct Worker<'a> {
    learn: Box<dyn Learn + 'a>,
    weights: Vec<u16>,
}

impl Forest {
    pub(crate) fn new(problem: &Problem, settings: &Settings, pool: &rayon::ThreadPool) -> Self {
        let usable = problem.usable();
        let canonical = Canonical::new(problem);
        let order = canonical.row.as_slice();
        let columns = pool.install(|| {
            usable
                .par_iter()
                .map(|&at| Ranked::new(&problem.columns()[at].cells, order, settings.bins))
                .collect()
        });
        let dense = if settings.is_dense() {
            usable.as_slice()
        } else {
            &[]
        };
        Self {
            settings: *settings,
            columns,
            design: Design::new(problem, dense, order),
            answers: Answers::new(problem, order),
            rows: problem.rows(),
            canonical,
        }
    }

    /// The columns that `learner` sees, as positions among the usable ones.
    fn subset(&self, learner: u32) -> Vec<usize> {
        let columns: Vec<usize> = (0..self.columns.len()).collect();
        let size = self.settings.subset_size(columns.len());
        draw_subset(self.settings.seed, learner, &columns, size)
    }

    /// Fits all learners and hands them to `add` in their order, with the number of the first of some.
    pub(crate) fn run(
        &self,
        pool: &rayon::ThreadPool,
        add: &mut (dyn FnMut(u32, &[Done]) + Send),
        progress: &dyn Fn(u32),
        stop: &AtomicBool,
    ) -> Result<(), ValueError> {
        let stopped = || match stop.load(Ordering::Relaxed) {
            true => Err(ValueError::Stopped),
            false => Ok(()),
        };
        let workers: Vec<Mutex<Option<Worker<'_>>>> = (0..pool.current_num_threads())
            .map(|_| Mutex::new(None))
            .collect();
        let batch = (WAITING / self.rows / 64 * 64)
            .max(8 * workers.len().div_ceil(4))
            .min(self.settings.learners as usize);
        let all: Vec<u32> = (0..self.settings.learners).collect();
        for learners in all.chunks(batch) {
            let done: Result<Vec<Done>, ValueError> = pool.install(|| {
                learners
                    .par_iter()
                    .with_max_len(1)
                    .map(|&learner| {
                        stopped()?;
                        let subset = self.subset(learner);
                        let thread = rayon::current_thread_index().unwrap_or(0);
                        let mut slot = workers[thread]
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner);
                        let worker = slot.get_or_insert_with(|| self.worker());
                        Ok(self.one(worker, learner, subset))
                    })
                    .collect()
            });
            let done = done?;
            pool.install(|| add(learners[0], &done));
            progress(learners[learners.len() - 1] + 1);
        }
        Ok(())
    }

    fn one(&self, worker: &mut Worker<'_>, learner: u32, subset: Vec<usize>) -> Done {
        draw_bag(self.settings.seed, learner, &mut worker.weights);
        let [mut scores, mut said] = [(); 2].map(|()| vec![f32::NAN; self.rows]);
        let task = Task {
            weights: &worker.weights,
            subset: &subset,
            draws: Purpose::Learner.draws(self.settings.seed, learner),
        };
        let mut told = Told {
            scores: &mut scores,
            said: &mut said,
        };
        worker.learn.learn(task, &mut told);
        if let (Score::Distance, Answers::Classes { of, count }) =
            (self.settings.score, &self.answers)
        {
            let weights = &worker.weights;
            add_distances(&self.design, (of, *count), weights, &subset, &mut scores);
        }
        Done {
            subset,
            scores,
            said,
        }
    }

    fn worker(&self) -> Worker<'_> {
        Worker {
            learn: self.learner(),
            weights: vec![0; self.rows],
        }
    }

    fn learner(&self) -> Box<dyn Learn + '_> {
        let score = self.settings.score.into();
        match self.settings.learner {
            Learner::Tree { candidates, depth } => {
                let limits = Limits {
                    candidates: candidates.of(self.settings.subset_size(self.columns.len())),
                    depth: depth.unwrap_or(u32::MAX),
                };
                let columns = self.columns.as_slice();
                match &self.answers {
                    Answers::Classes { of, count: 2 } => {
                        let criterion = Summed::new(TwoClasses { score });
                        Box::new(Trees::new(criterion, columns, of, limits))
                    }
                    Answers::Classes { of, count } => {
                        let criterion = ManyClasses::new(*count, score);
                        Box::new(Trees::new(criterion, columns, of, limits))
                    }
                    Answers::Numbers { scaled, of, unit } => {
                        let criterion = Summed::new(Variance {
                            target: scaled,
                            unit: *unit,
                        });
                        Box::new(Trees::new(criterion, columns, of, limits))
                    }
                }
            }
            Learner::Linear { penalty } => {
                let model = Linear::new(penalty);
                Box::new(Dense::new(model, &self.design, &self.answers, score))
            }
            Learner::Mlp { hidden, epochs } => {
                let model = Mlp::new(hidden, epochs);
                Box::new(Dense::new(model, &self.design, &self.answers, score))
            }
        }
    }
}
