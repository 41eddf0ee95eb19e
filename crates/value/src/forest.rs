//! Fits the learners, on all threads, and gathers how they did out of bag.

use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use crate::answers::Answers;
use crate::bag::{draw_bag, draw_subset};
use crate::canonical::Canonical;
use crate::draw::{Draws, Purpose};
use crate::error::ValueError;
use crate::learn::{Learn, Task, Trees};
use crate::problem::Problem;
use crate::ranks::Ranked;
use crate::settings::{Learner, Settings};
use crate::tally::Tally;
use crate::tree::{Limits, ManyClasses, Summed, TwoClasses, Variance};
use crate::valuation::Valuation;

/// Scores that learners wait with for their turn to be added: 64 MiB.
pub(crate) const WAITING: usize = 1 << 24;

/// A learner's scores by place; NaN in the bag.
pub(crate) type Scores = Vec<f32>;

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
    settings.check()?;
    let usable = problem.usable();
    if usable.is_empty() {
        return Err(ValueError::AllConstant);
    }
    let threads = settings.threads.unwrap_or(0);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|error| ValueError::Threads {
            threads,
            why: error.to_string(),
        })?;
    let canonical = Canonical::new(problem);
    let answers = Answers::new(problem, &canonical.row);
    let mut tally = Tally::new(problem, settings, &usable);
    let columns: Vec<Ranked> = pool.install(|| {
        usable
            .par_iter()
            .map(|&at| Ranked::new(&problem.columns()[at].cells, &canonical.row, settings.bins))
            .collect()
    });
    let forest = Forest {
        settings: *settings,
        columns: &columns,
        answers: &answers,
        rows: problem.rows(),
    };
    forest.run(&pool, &mut tally, progress);
    let columns = problem.columns().len();
    Ok(Valuation::new(canonical, usable, columns, tally, pool))
}

struct Forest<'a> {
    settings: Settings,
    columns: &'a [Ranked],
    answers: &'a Answers,
    rows: usize,
}

/// What a thread keeps from learner to learner.
struct Worker<'a> {
    learn: Box<dyn Learn + 'a>,
    weights: Vec<u16>,
}

impl<'a> Forest<'a> {
    fn run(&self, pool: &rayon::ThreadPool, tally: &mut Tally, progress: &dyn Fn(u32)) {
        let workers: Vec<Mutex<Option<Worker<'a>>>> = (0..pool.current_num_threads())
            .map(|_| Mutex::new(None))
            .collect();
        let batch = (WAITING / self.rows / 64 * 64)
            .max(8 * workers.len().div_ceil(4))
            .min(self.settings.learners as usize);
        let all: Vec<u32> = (0..self.settings.learners).collect();
        let columns: Vec<usize> = (0..self.columns.len()).collect();
        let size = self.settings.subset_size(columns.len());
        for learners in all.chunks(batch) {
            let done: Vec<(Vec<usize>, Scores)> = pool.install(|| {
                learners
                    .par_iter()
                    .with_max_len(1)
                    .map(|&learner| {
                        let subset = draw_subset(self.settings.seed, learner, &columns, size);
                        let thread = rayon::current_thread_index().unwrap_or(0);
                        let mut slot = workers[thread]
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner);
                        let worker = slot.get_or_insert_with(|| self.worker(size));
                        let scores = self.one(worker, learner, &subset);
                        (subset, scores)
                    })
                    .collect()
            });
            pool.install(|| tally.add(learners[0], &done));
            progress(learners[learners.len() - 1] + 1);
        }
    }

    fn one(&self, worker: &mut Worker<'_>, learner: u32, subset: &[usize]) -> Scores {
        draw_bag(self.settings.seed, learner, &mut worker.weights);
        let mut scores = vec![f32::NAN; self.rows];
        let task = Task {
            weights: &worker.weights,
            subset,
            draws: Draws::new(self.settings.seed, Purpose::Learner, learner),
        };
        worker.learn.learn(task, &mut scores);
        scores
    }

    fn worker(&self, size: usize) -> Worker<'a> {
        Worker {
            learn: self.learner(size),
            weights: vec![0; self.rows],
        }
    }

    fn learner(&self, size: usize) -> Box<dyn Learn + 'a> {
        let score = self.settings.score.into();
        match self.settings.learner {
            Learner::Tree { candidates, depth } => {
                let limits = Limits {
                    candidates: candidates.of(size),
                    depth: depth.unwrap_or(u32::MAX),
                };
                let columns = self.columns;
                match self.answers {
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
            Learner::Linear { .. } | Learner::Mlp { .. } => unimplemented!(),
        }
    }
}
