//! Trials as processes of this machine.
//!
//! A trial's standard output is a file that the sweep has locked. The lock is the open file's, so
//! it stays for as long as the process that inherited it lives, whatever becomes of the sweep: no
//! process of the sweep takes a trial for ended that is not, from the very moment of its start.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::SweepError;
use crate::executor::{Ended, Executor, Found, Handle, Program, Task};
use crate::folder::Folder;
use crate::memory::MemoryBound;
use crate::process;

/// Runs trials as processes of this machine, some at a time.
#[derive(Debug)]
pub struct Local {
    folder: Folder,
    program: Program,
    jobs: usize,
    running: BTreeMap<String, (Option<usize>, Running)>,
    bound: Option<MemoryBound>,
    /// When it was last looked at what trials hold.
    looked: Option<Instant>,
}

/// How often it is looked at what trials hold: each look reads of all processes of the machine.
const LOOK: Duration = Duration::from_millis(250);

/// The variable that tells a trial its place among those that run at a time.
const PLACE: &str = "AFTERIMAGE_PLACE";

#[derive(Debug)]
enum Running {
    /// A process that this one started.
    Own(Child),
    /// A process that an earlier one of the sweep started: its locked output, and its number.
    Orphan(File, Option<u32>),
}

impl Running {
    /// The process that leads the trial's group, where it is known and still there.
    fn leader(&self) -> Option<u32> {
        match self {
            Self::Own(child) => Some(child.id()),
            // Once the lock is free the number may be another process's.
            Self::Orphan(file, pid) => pid.filter(|_| file.try_lock().is_err()),
        }
    }
}

impl Local {
    /// Runs `jobs` trials at a time.
    pub fn new(folder: Folder, program: Program, jobs: usize) -> Self {
        Self {
            folder,
            program,
            jobs: jobs.max(1),
            running: BTreeMap::new(),
            bound: None,
            looked: None,
        }
    }

    /// The same with a bound on the memory that each trial holds, those among them that another process of the sweep
    /// started.
    pub fn bounded(self, bound: Option<MemoryBound>) -> Self {
        Self { bound, ..self }
    }

    /// The first place that no trial under way is known to have.
    fn free(&self) -> usize {
        let mut places = 0..;
        let taken = |place: &usize| {
            self.running
                .values()
                .any(|(other, _)| *other == Some(*place))
        };
        places.find(|place| !taken(place)).unwrap_or_default()
    }

    fn spawn(&self, task: &Task, place: usize) -> Result<Child, SweepError> {
        let create = |kind: &str| {
            let path = self.folder.log(&task.trial, task.attempt, kind);
            let open = OpenOptions::new().create(true).append(true).open(&path);
            open.map_err(SweepError::io("write", &path))
                .map(|file| (path, file))
        };
        let (path, out) = create("out")?;
        let (_, err) = create("err")?;
        out.try_lock().map_err(|error| {
            let source = match error {
                TryLockError::Error(error) => error,
                TryLockError::WouldBlock => std::io::ErrorKind::WouldBlock.into(),
            };
            SweepError::io("lock", &path)(source)
        })?;
        let mut command = Command::new(&self.program.path);
        command
            .arg("run")
            .arg(self.folder.config(&task.trial))
            .arg("--out")
            .arg(self.folder.run(&task.trial))
            .args(["--resume", "--json"])
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .env(PLACE, place.to_string())
            // Not the terminal's: Ctrl-C is for the sweep, which then tells its trials once.
            .process_group(0);
        if std::env::var_os("RAYON_NUM_THREADS").is_none() {
            command.env("RAYON_NUM_THREADS", self.program.threads.to_string());
        }
        command.spawn().map_err(|source| SweepError::Program {
            program: self.program.path.clone(),
            source,
            advice: "",
        })
    }
}

/// Whether an attempt's process lives: its output is locked. `None` if it was never started.
pub(crate) fn lives(folder: &Folder, task: &Task) -> Result<Option<(File, bool)>, SweepError> {
    let path = folder.log(&task.trial, task.attempt, "out");
    let file = match OpenOptions::new().append(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(SweepError::io("open", &path)(error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some((file, false))),
        Err(TryLockError::WouldBlock) => Ok(Some((file, true))),
        Err(TryLockError::Error(error)) => Err(SweepError::io("lock", &path)(error)),
    }
}

impl Executor for Local {
    fn name(&self) -> &'static str {
        "local"
    }

    fn room(&self) -> usize {
        self.jobs.saturating_sub(self.running.len())
    }

    fn ticket(&mut self) -> Result<String, SweepError> {
        Ok(String::new())
    }

    fn start(&mut self, _: &str, tasks: &[Task]) -> Result<Vec<Handle>, SweepError> {
        let mut handles = Vec::new();
        for task in tasks {
            let place = self.free();
            let child = self.spawn(task, place)?;
            let pid = child.id();
            handles.push(Handle::Local {
                pid,
                started: process::started(pid),
                place: Some(place),
            });
            let running = (Some(place), Running::Own(child));
            self.running.insert(task.trial.clone(), running);
        }
        Ok(handles)
    }

    fn find(
        &mut self,
        task: &Task,
        _: &str,
        _: usize,
        handle: Option<&Handle>,
    ) -> Result<Found, SweepError> {
        Ok(match lives(&self.folder, task)? {
            None => Found::Never,
            Some((_, false)) => Found::Over(Ended::with(None)),
            Some((file, true)) => {
                let (known, place) = match handle {
                    // The number may be another process's by now.
                    Some(Handle::Local {
                        pid,
                        started,
                        place,
                    }) if process::started(*pid) == *started => (Some(*pid), *place),
                    // A sweep that was killed before it wrote the handle.
                    _ => (process::with_argument(&self.folder.run(&task.trial)), None),
                };
                let running = (place, Running::Orphan(file, known));
                self.running.insert(task.trial.clone(), running);
                Found::Running
            }
        })
    }

    fn over(&mut self) -> Result<Vec<(String, Ended)>, SweepError> {
        let mut over = Vec::new();
        for (trial, (_, running)) in &mut self.running {
            let ended = match running {
                Running::Own(child) => match child.try_wait() {
                    Ok(Some(status)) => {
                        let killed = status.signal().map(|signal| 128 + signal);
                        Some(Ended::with(status.code().or(killed)))
                    }
                    Ok(None) => None,
                    Err(_) => Some(Ended::with(None)),
                },
                Running::Orphan(file, _) => match file.try_lock() {
                    Ok(()) => Some(Ended::with(None)),
                    Err(_) => None,
                },
            };
            over.extend(ended.map(|ended| (trial.clone(), ended)));
        }
        for (trial, _) in &over {
            self.running.remove(trial);
        }
        Ok(over)
    }

    fn stop(&mut self, trial: &str) -> Result<(), SweepError> {
        match self.running.get(trial).map(|(_, running)| running) {
            Some(Running::Own(child)) => process::ask_to_end(child.id()),
            Some(Running::Orphan(_, Some(pid))) => process::ask_to_end(*pid),
            // Its process is not known: it is let run to its end.
            Some(Running::Orphan(_, None)) | None => {}
        }
        Ok(())
    }

    fn beyond(&mut self) -> Vec<(String, String)> {
        let Some(bound) = &self.bound else {
            return Vec::new();
        };
        if self.looked.is_some_and(|at| at.elapsed() < LOOK) {
            return Vec::new();
        }
        self.looked = Some(Instant::now());
        let trials: BTreeMap<u32, &String> = self
            .running
            .iter()
            .filter_map(|(trial, (_, running))| Some((running.leader()?, trial)))
            .collect();
        let leaders: BTreeSet<u32> = trials.keys().copied().collect();
        let held = process::held(&leaders);
        let beyond = held.into_iter().filter(|(_, held)| *held > bound.bytes());
        beyond
            .filter_map(|(leader, held)| {
                Some(((*trials.get(&leader)?).clone(), bound.beyond(Some(held))))
            })
            .collect()
    }

    fn kill(&mut self, trial: &str) -> Result<(), SweepError> {
        let running = self.running.get(trial).map(|(_, running)| running);
        if let Some(leader) = running.and_then(Running::leader) {
            process::kill_group(leader);
        }
        Ok(())
    }

    fn pause(&self) -> Duration {
        Duration::from_millis(50)
    }
}
