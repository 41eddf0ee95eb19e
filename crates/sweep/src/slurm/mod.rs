//! Trials as tasks of Slurm job arrays.
//!
//! Nothing of Slurm is linked: `sbatch`, `squeue`, `scancel` and, where they answer, `sacct` and
//! `scontrol` are called. A task leaves its exit code in a file, so that its end is known without
//! accounting, too.

mod config;
mod queue;
mod script;

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::error::SweepError;
use crate::executor::{Ended, Executor, Found, Handle, Program, Task};
use crate::folder::{Folder, write_beside};
use crate::memory::MemoryBound;
use crate::name::hex;

pub use config::SlurmConfig;

/// Tasks of one job array; Slurm's own bound is 1001 unless an administrator changed it.
const ARRAY: usize = 1000;
/// How long the controller may be silent.
const PATIENCE: Duration = Duration::from_secs(600);
/// Looks at the queue after which a job that nobody knows is given up.
const LOOKS: u32 = 5;

/// Runs trials as tasks of Slurm job arrays.
#[derive(Debug)]
pub struct Slurm {
    folder: Folder,
    program: Program,
    settings: SlurmConfig,
    /// Tasks of an array that run at a time; `None`: as many as Slurm has room for.
    jobs: Option<usize>,
    running: BTreeMap<String, Job>,
    silent_since: Option<Instant>,
    bound: Option<MemoryBound>,
}

#[derive(Debug)]
struct Job {
    id: String,
    ticket: String,
    attempt: u32,
    /// Looks at the queue in which it was missing.
    missed: u32,
    /// How far it is with being stopped.
    stop: Stop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// Nobody wants it.
    No,
    /// It is wanted, and the job does not know.
    Wanted,
    /// The job was told.
    Told,
}

impl Job {
    fn new(id: String, ticket: &str, attempt: u32) -> Self {
        Self {
            id,
            ticket: ticket.to_owned(),
            attempt,
            missed: 0,
            stop: Stop::No,
        }
    }

    /// Takes the job out of the queue if it waits, else tells it to end.
    /// What is refused (a job that is over, a controller that is silent) is tried again for as
    /// long as the job is in the queue.
    fn end(&mut self, waits: bool) -> Result<(), SweepError> {
        let how = if waits {
            &["--state=PENDING"][..]
        } else {
            &["--batch", "--signal=TERM"]
        };
        match queue::call(Command::new("scancel").args(how).arg(&self.id)) {
            // One that waits may begin in this moment: the queue tells.
            Ok(_) if waits => self.stop = Stop::Wanted,
            Ok(_) => self.stop = Stop::Told,
            Err(SweepError::Slurm { .. }) => self.stop = Stop::Wanted,
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl Slurm {
    /// Submits to the Slurm that this machine is set up for; at most `jobs` tasks of an array run at
    /// a time.
    ///
    /// # Errors
    /// A machine without Slurm's commands, or a controller that does not answer.
    pub fn new(
        folder: Folder,
        program: Program,
        settings: SlurmConfig,
        jobs: Option<usize>,
    ) -> Result<Self, SweepError> {
        queue::call(Command::new("sbatch").arg("--version"))?;
        queue::queued("afterimage")?;
        let path = folder.slurm();
        fs::create_dir_all(&path).map_err(SweepError::io("make this folder", &path))?;
        Ok(Self {
            folder,
            program,
            settings,
            jobs,
            running: BTreeMap::new(),
            silent_since: None,
            bound: None,
        })
    }

    /// The same with a bound on the memory that each job holds of a node.
    pub fn bounded(self, bound: Option<MemoryBound>) -> Self {
        Self { bound, ..self }
    }

    fn tickets(&self) -> String {
        let mut names: Vec<&str> = self
            .running
            .values()
            .map(|job| job.ticket.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        names.join(",")
    }
}

/// How a task says that it ended: its exit code, and the seconds since it was last started.
pub(crate) fn left(folder: &Folder, task: &Task) -> Option<Ended> {
    let text = afterimage_files::read_text(
        &folder.log(&task.trial, task.attempt, "exit"),
        afterimage_files::SMALL,
    )
    .ok()?;
    let mut words = text.split_whitespace();
    let code = words.next()?.parse().ok()?;
    Some(Ended {
        seconds: words.next().and_then(|word| word.parse().ok()),
        ..Ended::with(Some(code))
    })
}

impl Executor for Slurm {
    fn name(&self) -> &'static str {
        "slurm"
    }

    fn room(&self) -> usize {
        ARRAY
    }

    fn ticket(&mut self) -> Result<String, SweepError> {
        let path = self.folder.slurm();
        let entries = fs::read_dir(&path).map_err(SweepError::io("read this folder", &path))?;
        let numbers = entries.filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            name.strip_suffix(".tasks")?
                .rsplit('-')
                .next()?
                .parse::<u32>()
                .ok()
        });
        let number = numbers.max().unwrap_or(0) + 1;
        // The folder names the sweep among all jobs of the cluster.
        let whole = Sha256::digest(self.folder.path().as_os_str().as_encoded_bytes());
        let sweep = hex(&whole[..4]);
        Ok(format!("afterimage-{sweep}-{number}"))
    }

    fn start(&mut self, ticket: &str, tasks: &[Task]) -> Result<Vec<Handle>, SweepError> {
        let list: String = tasks
            .iter()
            .map(|task| format!("{} {}\n", task.attempt, task.trial))
            .collect();
        let folder = self.folder.slurm();
        write_beside(&folder.join(format!("{ticket}.tasks")), list.as_bytes())?;
        let path = folder.join(format!("{ticket}.sh"));
        let script = script::script(&self.folder, &self.program, ticket, &self.settings);
        write_beside(&path, script.as_bytes())?;
        let throttle = self.jobs.map_or(String::new(), |jobs| format!("%{jobs}"));
        let output = queue::call(
            Command::new("sbatch")
                .arg("--parsable")
                .arg(format!("--job-name={ticket}"))
                .arg(format!(
                    "--array=0-{}{throttle}",
                    tasks.len().saturating_sub(1)
                ))
                .args(match self.settings.processes {
                    0 | 1 => None,
                    processes => Some(format!("--ntasks={processes}")),
                })
                .arg(format!("--cpus-per-task={}", self.settings.cpus))
                .args(self.bound.as_ref().map(MemoryBound::of_slurm))
                .arg(format!("--signal=B:USR1@{}", self.settings.grace))
                .args(["--requeue", "--open-mode=append", "--output=/dev/null"])
                .args(&self.settings.options)
                .arg(&path),
        )?;
        // With several clusters, the name of one follows behind a semicolon.
        let id = output
            .trim()
            .split(';')
            .next()
            .unwrap_or_default()
            .to_owned();
        let mut handles = Vec::new();
        for (place, task) in tasks.iter().enumerate() {
            let job = format!("{id}_{place}");
            handles.push(Handle::Slurm { job: job.clone() });
            let job = Job::new(job, ticket, task.attempt);
            self.running.insert(task.trial.clone(), job);
        }
        Ok(handles)
    }

    fn find(
        &mut self,
        task: &Task,
        ticket: &str,
        place: usize,
        handle: Option<&Handle>,
    ) -> Result<Found, SweepError> {
        let queued = queue::queued(ticket)?;
        let suffix = format!("_{place}");
        let id = match handle {
            Some(Handle::Slurm { job }) => Some(job.clone()),
            // Submitted or not: the queue tells, or what the task has written.
            _ => queued.keys().find(|job| job.ends_with(&suffix)).cloned(),
        };
        let begun = self.folder.log(&task.trial, task.attempt, "err").exists();
        let Some(id) = id else {
            return Ok(if begun {
                Found::Over(left(&self.folder, task).unwrap_or_else(|| Ended::with(None)))
            } else {
                Found::Never
            });
        };
        let job = Job::new(id, ticket, task.attempt);
        self.running.insert(task.trial.clone(), job);
        Ok(Found::Running)
    }

    fn over(&mut self) -> Result<Vec<(String, Ended)>, SweepError> {
        if self.running.is_empty() {
            return Ok(Vec::new());
        }
        let queued = match queue::queued(&self.tickets()) {
            Ok(queued) => queued,
            Err(error) => {
                // A controller that is restarted answers again after a while.
                let since = *self.silent_since.get_or_insert_with(Instant::now);
                return if since.elapsed() > PATIENCE {
                    Err(error)
                } else {
                    Ok(Vec::new())
                };
            }
        };
        self.silent_since = None;
        let mut over = Vec::new();
        for (trial, job) in &mut self.running {
            if let Some(state) = queued.get(&job.id) {
                job.missed = 0;
                let waits = state == "PENDING";
                // One that was told may have been put back into the queue since.
                if job.stop == Stop::Wanted || (job.stop == Stop::Told && waits) {
                    job.end(waits)?;
                }
                continue;
            }
            job.missed += 1;
            let task = Task {
                trial: trial.clone(),
                attempt: job.attempt,
            };
            let ended = match (left(&self.folder, &task), queue::ended(&job.id)) {
                // Its own word counts more, but for who is to blame.
                (Some(own), known) => Some(Ended {
                    blameless: known.as_ref().is_some_and(|known| known.blameless),
                    note: known.and_then(|known| known.note),
                    ..own
                }),
                (None, Some(ended)) if job.missed >= LOOKS || ended.code != Some(0) => Some(ended),
                // The file may take a while to be seen from here.
                (None, _) if job.missed < LOOKS => None,
                (None, _) => Some(Ended {
                    code: None,
                    blameless: true,
                    seconds: None,
                    note: Some(format!("Slurm knows nothing of job {}", job.id)),
                    beyond: None,
                }),
            };
            let ended = ended.map(|ended| match &self.bound {
                Some(bound) if queue::is_out_of_memory(&ended) => Ended {
                    beyond: Some(bound.beyond(None)),
                    ..ended
                },
                _ => ended,
            });
            over.extend(ended.map(|ended| (trial.clone(), ended)));
        }
        for (trial, _) in &over {
            self.running.remove(trial);
        }
        Ok(over)
    }

    fn stop(&mut self, trial: &str) -> Result<(), SweepError> {
        let Some(job) = self.running.get_mut(trial) else {
            return Ok(());
        };
        job.end(true)?;
        job.end(false)
    }

    fn pause(&self) -> Duration {
        Duration::from_secs(1)
    }
}
