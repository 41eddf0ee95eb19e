//! Sweeps whose executor takes every trial at once and begins them one by one, as a cluster does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use afterimage_sweep::{
    Ended, Ending, Engine, Entry, Executor, Folder, Found, Handle, Ledger, Note, Rules, State,
    SweepError, Task,
};
use rig::Rig;

const HEAD: &str = "name = \"s\"\nconfig = \"base.toml\"\nmetric = { name = \"eval/knn\" }\n";
const GRID: &str = "[grid]\nquality = [0.1, 0.2, 0.3, 0.4]\n";

/// Begins one trial a look, in the order in which they came; it then ends within that look.
struct Queue {
    folder: Folder,
    waiting: VecDeque<Task>,
    /// Trials that are at work until they are told to stop, or this many looks.
    at_work: BTreeMap<String, u32>,
    over: Vec<(String, Ended)>,
    /// The exit code of each trial, and the metric that it reports.
    code: i32,
    metric: &'static str,
    stops: Rc<RefCell<Vec<String>>>,
    signal: Arc<AtomicUsize>,
}

impl Executor for Queue {
    fn name(&self) -> &'static str {
        "queue"
    }

    fn room(&self) -> usize {
        usize::MAX
    }

    fn ticket(&mut self) -> Result<String, SweepError> {
        Ok(String::new())
    }

    fn start(&mut self, _: &str, tasks: &[Task]) -> Result<Vec<Handle>, SweepError> {
        self.waiting.extend(tasks.iter().cloned());
        let handle = |place: usize| Handle::Slurm {
            job: place.to_string(),
        };
        Ok((0..tasks.len()).map(handle).collect())
    }

    fn find(
        &mut self,
        task: &Task,
        _: &str,
        _: usize,
        _: Option<&Handle>,
    ) -> Result<Found, SweepError> {
        self.at_work.insert(task.trial.clone(), 20);
        Ok(Found::Running)
    }

    fn over(&mut self) -> Result<Vec<(String, Ended)>, SweepError> {
        let mut over = std::mem::take(&mut self.over);
        for (trial, looks) in &mut self.at_work {
            *looks -= 1;
            if *looks == 10 {
                self.signal.store(15, Ordering::SeqCst);
            }
            if *looks == 0 {
                over.push((trial.clone(), Ended::with(Some(143))));
            }
        }
        self.at_work.retain(|_, looks| *looks > 0);
        if let Some(task) = self.waiting.pop_front() {
            fs::write(self.folder.log(&task.trial, task.attempt, "err"), "").unwrap();
            let run = self.folder.run(&task.trial);
            fs::create_dir_all(&run).unwrap();
            fs::write(run.join("config.toml"), "").unwrap();
            let result = format!(
                "{{\"exit_code\":{},\"metrics\":{{\"{}\":0.5}}}}",
                self.code, self.metric
            );
            fs::write(run.join("result.json"), result).unwrap();
            let ended = Ended {
                seconds: Some(3600.0),
                ..Ended::with(Some(self.code))
            };
            over.push((task.trial, ended));
        }
        Ok(over)
    }

    fn stop(&mut self, trial: &str) -> Result<(), SweepError> {
        self.stops.borrow_mut().push(trial.to_owned());
        let before = self.waiting.len();
        self.waiting.retain(|task| task.trial != trial);
        if self.waiting.len() < before {
            self.over.push((trial.to_owned(), Ended::with(Some(143))));
        }
        Ok(())
    }

    fn pause(&self) -> Duration {
        Duration::from_millis(1)
    }
}

/// Runs the sweep on a queue; gives its end and the trials that were told to stop.
fn run(rig: &Rig, code: i32, metric: &'static str) -> (Ending, Vec<String>) {
    let (config, plan) = rig.plan().unwrap();
    let folder = rig.folder();
    let stops = Rc::default();
    let signal: Arc<AtomicUsize> = Arc::default();
    let queue = Queue {
        folder: folder.clone(),
        waiting: VecDeque::new(),
        at_work: BTreeMap::new(),
        over: Vec::new(),
        code,
        metric,
        stops: Rc::clone(&stops),
        signal: Arc::clone(&signal),
    };
    let rules = Rules::from(&config);
    let tell = Box::new(|_: &Note<'_>| {});
    let mut engine =
        Engine::open(&folder, &plan, "s", rules, Box::new(queue), signal, tell).unwrap();
    let ending = engine.run().unwrap();
    drop(engine);
    (ending, stops.take())
}

fn why(ending: Ending) -> String {
    match ending {
        Ending::Halted(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn too_many_failures_take_back_what_has_not_begun_and_a_later_call_runs_it() {
    let head = format!("{HEAD}retries = 0\n");
    let rig = Rig::new("epochs = 1\n", &format!("{head}max_failures = 0\n{GRID}"));
    let (ending, stops) = run(&rig, 4, "eval/knn");
    assert!(why(ending).contains("max_failures = 0"));
    assert_eq!(stops.len(), 3);
    assert_eq!(rig.in_state(State::Failed), ["quality=0.1"]);
    assert_eq!(rig.in_state(State::Pending).len(), 3);
    for (name, standing) in rig.standings() {
        if name != "quality=0.1" {
            assert_eq!((standing.crashes, standing.seconds), (0, 0.0), "{name}");
        }
    }
    fs::write(rig.file(), format!("{head}max_failures = 1\n{GRID}")).unwrap();
    assert_eq!(run(&rig, 0, "eval/knn"), (Ending::Complete, Vec::new()));
    assert_eq!(rig.in_state(State::Done).len(), 3);
}

#[test]
fn used_up_hours_take_back_what_has_not_begun() {
    let sweep = format!("{HEAD}budget = {{ hours = 1.5 }}\n{GRID}");
    let rig = Rig::new("epochs = 1\n", &sweep);
    assert!(why(run(&rig, 0, "eval/knn").0).contains("1.5 hours"));
    assert_eq!(rig.in_state(State::Done).len(), 2);
    assert_eq!(rig.in_state(State::Pending).len(), 2);
}

#[test]
fn a_budget_of_trials_lets_those_that_wait_begin() {
    let sweep = format!("{HEAD}budget = {{ trials = 3 }}\n{GRID}");
    let rig = Rig::new("epochs = 1\n", &sweep);
    let (ending, stops) = run(&rig, 0, "eval/knn");
    assert!(why(ending).contains("3 trials"));
    assert_eq!(stops, Vec::<String>::new());
    assert_eq!(rig.in_state(State::Done).len(), 3);
}

#[test]
fn a_metric_that_no_run_has_takes_back_what_has_not_begun() {
    let rig = Rig::new("epochs = 1\n", &format!("{HEAD}{GRID}"));
    assert!(why(run(&rig, 0, "eval/other").0).contains("it reports eval/other"));
    assert_eq!(rig.in_state(State::Failed), ["quality=0.1"]);
    assert_eq!(rig.in_state(State::Pending).len(), 3);
}

#[test]
fn a_trial_that_was_to_stop_is_told_again_by_the_next_process_and_then_no_more() {
    let rig = Rig::new("epochs = 1\n", &format!("{HEAD}{GRID}"));
    let (_, plan) = rig.plan().unwrap();
    let folder = rig.folder();
    folder.prepare(&plan).unwrap();
    let (mut ledger, _) = Ledger::open(&folder.ledger()).unwrap();
    let trial = "quality=0.4".to_owned();
    let digests = plan
        .trials
        .iter()
        .map(|t| (t.name.clone(), t.digest.clone()));
    ledger
        .append(&[
            Entry::Sweep {
                version: 1,
                name: "s".to_owned(),
                digest: plan.digest.clone(),
                questions: None,
                each_question: Vec::new(),
                stages: Vec::new(),
                trials: digests.collect(),
            },
            Entry::Start {
                trial: trial.clone(),
                attempt: 1,
                executor: "queue".to_owned(),
                ticket: String::new(),
                place: 0,
            },
            Entry::Stop {
                trial: trial.clone(),
                reason: "others did better".to_owned(),
            },
        ])
        .unwrap();
    drop(ledger);
    // A signal arrives while it writes its checkpoint.
    let (ending, stops) = run(&rig, 0, "eval/knn");
    assert_eq!(ending, Ending::Interrupted(15));
    assert_eq!(stops, std::slice::from_ref(&trial));
    assert_eq!(rig.in_state(State::Stopped), [trial]);
}
