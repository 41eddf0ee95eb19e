//! `afterimage sweep`: many trials of an experiment, and which did best.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use afterimage::config::Loaded;
use afterimage::files::word;
use afterimage::sweep::{
    Ending, Engine, Folder, Ledger, Note, Plan, Results, Rules, SearchKind, Standing, State,
    Status, SweepConfig, SweepError, Trial, Verdict, replay, same_sweep,
};
use afterimage::{Registry, RunError, in_words, sweeps};
use clap::{Args, Subcommand, ValueEnum};

use crate::ask_tell;
use crate::output::{complain, say};
use crate::sweep_executor::{at_a_time, check_memory, executor};
use crate::sweep_left::Left;
use crate::together;

/// Arguments of `sweep`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Sweep {
    /// What is done instead of running a sweep.
    #[command(subcommand)]
    pub action: Option<Action>,
    /// The sweep file.
    #[arg(required = true)]
    pub file: Option<PathBuf>,
    /// Set a key of the sweep file, as in `--set 'seeds=[1, 2]'` or `--set set.data.dir=PATH`; may be
    /// repeated, and must be the same when the sweep goes on.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// The sweep's folder; by default `sweeps/<name>`. A sweep that is in it goes on.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Trials that run at a time; by default half as many as there are cores (two on two), and one on a GPU. With
    /// Slurm: tasks of an array that run at a time; by default as many as there is room for.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Where trials run.
    #[arg(long, value_enum, default_value = "local")]
    pub executor: Where,
    /// Give trials that failed another try.
    #[arg(long, conflicts_with_all = ["report", "dry_run"])]
    pub retry_failed: bool,
    /// Check everything, list the trials, and stop.
    #[arg(long)]
    pub dry_run: bool,
    /// Write the results of what there is, without running anything; also while the sweep is at work.
    #[arg(long, conflicts_with = "dry_run")]
    pub report: bool,
    /// Let another program drive the search (`kind = "ask"`): each line of standard input asks for points, and a line
    /// on standard output answers when their trials are over.
    #[arg(long, conflicts_with_all = ["report", "dry_run", "json"])]
    pub ask_tell: bool,
    /// Print the results as one JSON object on the last line of standard output.
    #[arg(long)]
    pub json: bool,
}

/// What can be done with a sweep apart from running it.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Say how a sweep stands and how long it may take: reads its folder, writes nothing, and can be
    /// called at any time.
    Status {
        /// The sweep's folder.
        folder: PathBuf,
    },
}

/// Where trials run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Where {
    /// As processes of this machine.
    Local,
    /// As tasks of Slurm job arrays.
    Slurm,
}

/// Runs the command; its result is the exit code. Trials are processes of `program`, or of the one of
/// this process.
pub fn execute(registry: &Registry, arguments: &Sweep, program: Option<PathBuf>) -> u8 {
    sweep(registry, arguments, program).unwrap_or_else(|error| {
        complain(&error.to_string());
        match &error {
            RunError::Sweep(error) => error.exit_code(),
            error => error.exit_code(),
        }
    })
}

fn sweep(registry: &Registry, arguments: &Sweep, program: Option<PathBuf>) -> Result<u8, RunError> {
    if let Some(Action::Status { folder }) = &arguments.action {
        say(&sweeps::status(&Status::read(folder)?));
        return Ok(0);
    }
    let file = arguments.file.clone().unwrap_or_default();
    let (loaded, mut plan) = sweeps::load_sweep(registry, &file, &arguments.sets)?;
    let config = &loaded.value;
    loaded
        .notes
        .iter()
        .chain(&plan.notes)
        .for_each(|note| complain(note));
    let out = match &arguments.out {
        Some(out) => out.clone(),
        None => PathBuf::from("sweeps").join(&config.name),
    };
    if !arguments.report {
        together::check_trials(&loaded)?;
        check_memory(&loaded, arguments.executor)?;
    }
    if arguments.dry_run {
        return foreseen(arguments, config, &plan, &out);
    }
    let driven = plan
        .searches
        .iter()
        .any(|search| search.kind == SearchKind::Ask);
    if driven != arguments.ask_tell && !arguments.report {
        return Err(SweepError::AskTell(match driven {
            true => "the search of this sweep is driven by another program (search.kind = \"ask\"): call it with --ask-tell",
            false => "--ask-tell needs a search that another program drives: search.kind = \"ask\"",
        })
        .into());
    }
    if arguments.executor == Where::Local && !arguments.report && config.slurm.processes > 1 {
        return Err(SweepError::Processes(config.slurm.processes).into());
    }
    let signal = afterimage::train::listen().map_err(|source| RunError::Io {
        path: out.clone(),
        verb: "listen for signals in",
        source,
    })?;
    let folder = if arguments.report {
        Folder::find(&out)?
    } else {
        Folder::open(&out)?
    };
    // A report reads, and may be made while the sweep is at work.
    let _lock = match arguments.report {
        true => None,
        false => Some(folder.lock()?),
    };
    if !plan.searches.is_empty() {
        plan = sweeps::plan_so_far(registry, &loaded, &file, plan, &folder)?;
    }
    let (ending, results) = if arguments.report {
        (Ending::Complete, standing_results(config, &plan, &folder)?)
    } else {
        if let runs @ 1.. = folder.forgotten() {
            complain(&format!(
                "{}: the ledger is empty, though there are {runs} runs in trials/: what was done is not \
                 known, and the sweep begins all over. To go on instead, stop it and put a copy of \
                 ledger.jsonl back",
                folder.path().display()
            ));
        }
        let work = Work {
            registry,
            arguments,
            config,
            folder: &folder,
            program,
            signal,
            over: Rc::default(),
            told: Cell::default(),
        };
        if arguments.ask_tell {
            return ask_tell::serve(&work, &loaded, &file, plan);
        }
        work.to_the_end(&loaded, &file, plan)?
    };
    sweeps::write_results(&results, &folder)?;
    Ok(conclude(arguments, &ending, &results, &folder))
}

/// Says what a call without `--dry-run` would run, and how a sweep that was begun before stands.
fn foreseen(
    arguments: &Sweep,
    config: &SweepConfig,
    plan: &Plan,
    out: &Path,
) -> Result<u8, RunError> {
    say(&sweeps::overview(plan, out));
    if config.slurm.processes > 1 {
        let each = config.slurm.processes;
        say(&format!(
            "each trial in {each} processes, with --executor slurm alone\n"
        ));
    }
    if let (Where::Local, Some(why)) = (arguments.executor, at_a_time(arguments, config, plan).1) {
        say(&format!("{why}\n"));
    }
    match Status::read(out) {
        Ok(status) => say(&format!("begun before: {}\n", sweeps::left(&status))),
        Err(error @ SweepError::EmptyLedger(_)) => say(&format!("begun before: {error}\n")),
        Err(SweepError::NothingToReport(_)) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(0)
}

/// What a sweep is worked at with.
pub(crate) struct Work<'a> {
    pub(crate) registry: &'a Registry,
    arguments: &'a Sweep,
    pub(crate) config: &'a SweepConfig,
    pub(crate) folder: &'a Folder,
    program: Option<PathBuf>,
    pub(crate) signal: Arc<AtomicUsize>,
    /// Trials that ended in this call.
    over: Rc<Cell<usize>>,
    /// Whether it was said that memory has room for fewer trials than were asked for.
    told: Cell<bool>,
}

impl Work<'_> {
    /// Runs all trials of `plan` that are not over, with another try for failed ones if `retry` says so.
    pub(crate) fn through(
        &self,
        plan: &Plan,
        retry: bool,
    ) -> Result<(Ending, Results), SweepError> {
        let Self { config, folder, .. } = self;
        let program = self.program.clone();
        let (executor, fewer) = executor(self.arguments, config, plan, folder, program)?;
        if let (Some(why), false) = (&fewer, self.told.get()) {
            complain(why);
            self.told.set(true);
        }
        let left = Rc::new(RefCell::new(Left::default()));
        let mut lines = Lines::new(plan, Rc::clone(&self.over), Rc::clone(&left));
        let mut engine = Engine::open(
            folder,
            plan,
            &config.name,
            Rules::from(*config),
            executor,
            Arc::clone(&self.signal),
            Box::new(move |note| lines.show(note)),
        )?;
        engine = engine.forking(Box::new(sweeps::Forking(self.registry)));
        if retry {
            engine.retry_failed()?;
        }
        let open = |standing: &&Standing| standing.state.is_open();
        left.borrow_mut()
            .open(engine.standings().values().filter(open).count());
        let ending = engine.run()?;
        let standings = engine.standings();
        let results = Results::gather(&config.name, &config.judged(), plan, folder, standings);
        let results = results.asked(plan, engine.begun());
        Ok((ending, sweeps::noted(results, folder)))
    }

    /// Runs all trials of `plan` and those that its searches ask for from their results.
    fn to_the_end(
        &self,
        loaded: &Loaded<SweepConfig>,
        file: &Path,
        mut plan: Plan,
    ) -> Result<(Ending, Results), RunError> {
        let mut retry = self.arguments.retry_failed;
        loop {
            let (ending, results) = self.through(&plan, retry)?;
            retry = false;
            let next = match ending {
                Ending::Complete => {
                    sweeps::next_plan(self.registry, loaded, file, &plan, self.folder)?
                }
                _ => None,
            };
            let Some(next) = next else {
                if ending == Ending::Complete {
                    sweeps::ended_early(&plan)
                        .iter()
                        .for_each(|line| complain(line));
                }
                return Ok((ending, results));
            };
            // A page of what there is, while the next ones run.
            sweeps::write_results(&results, self.folder)?;
            tell_new(&plan, &next);
            plan = next;
            sweeps::generations(&plan)
                .iter()
                .for_each(|line| complain(line));
        }
    }
}

/// Tells the notes of `next` that `plan` does not have, such as points that are no trials.
pub(crate) fn tell_new(plan: &Plan, next: &Plan) {
    let new = next.notes.iter().filter(|note| !plan.notes.contains(note));
    new.for_each(|note| complain(note));
}

/// The results of what the ledger says, as far as it goes.
fn standing_results(
    config: &SweepConfig,
    plan: &Plan,
    folder: &Folder,
) -> Result<Results, SweepError> {
    let lines = Ledger::read(&folder.ledger())?;
    same_sweep(folder, &config.name, plan, &lines)?;
    let names = plan.trials.iter().map(|trial| trial.name.as_str());
    let (standings, _) = replay(names, &lines);
    let results = Results::gather(&config.name, &config.judged(), plan, folder, &standings);
    Ok(sweeps::noted(results.asked(plan, &lines), folder))
}

fn conclude(arguments: &Sweep, ending: &Ending, results: &Results, folder: &Folder) -> u8 {
    let path = folder.path();
    say(&format!("{}\n", sweeps::table(results)));
    say(&sweeps::comparisons(results));
    results.notes.iter().for_each(|note| complain(note));
    say(&format!(
        "{}\nreport:       {}\ntensorboard:  tensorboard --logdir {}\n",
        sweeps::counts(results),
        path.join(sweeps::PAGE).display(),
        word(&path.join("tensorboard"))
    ));
    if arguments.json {
        say(&format!("{}\n", results.json()));
    }
    code(ending, results)
}

/// Tells why a sweep ended, if not because all is done; gives the exit code.
pub(crate) fn code(ending: &Ending, results: &Results) -> u8 {
    match ending {
        Ending::Interrupted(signal) => {
            complain(&format!(
                "interrupted by signal {signal}; the same command goes on with this sweep"
            ));
            return u8::try_from(128 + signal).unwrap_or(130);
        }
        Ending::Halted(why) => complain(&format!("trials are left: {why}")),
        Ending::Complete => {}
    }
    match results.count(State::Failed) {
        0 => 0,
        _ => 5,
    }
}

/// What happens, one line each, on standard error.
struct Lines {
    over: Rc<Cell<usize>>,
    left: Rc<RefCell<Left>>,
    all: usize,
    /// What each trial is judged by.
    metrics: BTreeMap<String, String>,
}

impl Lines {
    fn new(plan: &Plan, over: Rc<Cell<usize>>, left: Rc<RefCell<Left>>) -> Self {
        let metric = |trial: &Trial| (trial.name.clone(), trial.metric.name.clone());
        Self {
            over,
            left,
            all: plan.trials.len(),
            metrics: plan.trials.iter().map(metric).collect(),
        }
    }

    fn show(&mut self, note: &Note<'_>) {
        self.count(note);
        match note {
            Note::Started { trial, attempt: 1 } => complain(&format!("started      {trial}")),
            Note::Started { trial, attempt } => {
                complain(&format!("goes on      {trial} (attempt {attempt})"));
            }
            Note::Found { trial } => complain(&format!("still there  {trial}")),
            Note::Stopping { trial, reason } => {
                complain(&format!("stopping     {trial}: {reason}"))
            }
            Note::Skipped { trial, reason } => {
                self.over.update(|over| over + 1);
                complain(&format!("skipped      {trial}: {reason}"));
            }
            Note::NotKept {
                trial,
                epoch,
                reason,
            } => complain(&format!(
                "not forked   {trial} at epoch {epoch}: {reason}; who could begin there begins at the start"
            )),
            Note::NotForked { trial, reason } => complain(&format!(
                "not forked   {trial}: {reason}; it begins at the start"
            )),
            Note::Halted(why) => complain(&format!("no more trials are started: {why}")),
            Note::Signal(signal) => complain(&format!(
                "signal {signal}: waiting for checkpoints of the running trials; a second one ends \
                 at once"
            )),
            Note::Ended {
                trial,
                verdict,
                value,
                seconds,
                last_lines,
            } => {
                let (word, why) = match verdict {
                    Verdict::Done => ("done", None),
                    Verdict::Failed(why) => ("failed", Some(why)),
                    Verdict::Stopped(_) => ("stopped", None),
                    Verdict::Crashed(why) => ("crashed", Some(why)),
                    Verdict::Interrupted(why) => ("interrupted", Some(why)),
                };
                let over = matches!(
                    verdict,
                    Verdict::Done | Verdict::Failed(_) | Verdict::Stopped(_)
                );
                self.over.update(|before| before + usize::from(over));
                let metric = self.metrics.get(*trial).map_or("", String::as_str);
                let value = value.map_or(String::new(), |x| format!("  {metric} {x:.4}"));
                let why = why.map_or(String::new(), |why| format!(": {why}"));
                let left = self.left.borrow().seconds().filter(|_| over);
                let left = left.map_or(String::new(), |seconds| {
                    format!("; about {} left, an estimate", in_words(seconds))
                });
                complain(&format!(
                    "{word:12} {trial}{why}{value}  {seconds:.1} s  ({} of {} in this call{left})",
                    self.over.get(),
                    self.all
                ));
                last_lines
                    .iter()
                    .for_each(|line| complain(&format!("             | {line}")));
            }
        }
    }

    /// Counts what the time that is left is estimated from.
    fn count(&mut self, note: &Note<'_>) {
        let mut left = self.left.borrow_mut();
        match note {
            Note::Started { .. } | Note::Found { .. } => left.began(),
            Note::Skipped { .. } => left.over(None),
            Note::Ended {
                verdict, seconds, ..
            } => {
                left.ended();
                match verdict {
                    Verdict::Done => left.over(Some(*seconds)),
                    Verdict::Failed(_) | Verdict::Stopped(_) => left.over(None),
                    Verdict::Crashed(_) | Verdict::Interrupted(_) => {}
                }
            }
            _ => {}
        }
    }
}
