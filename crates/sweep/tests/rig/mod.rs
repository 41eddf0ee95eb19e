//! A trial that is a shell script of some tenths of a second, and sweeps of it.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use afterimage_config::{ConfigErrors, Report, Validate, load_file};
use afterimage_sweep::{
    Asked, Checked, End, Ending, Engine, Entry, Folder, Forks, Kept, Ledger, Local, Lock, Plan,
    Program, Results, Rules, Share, Standing, State, SweepConfig, SweepError, SweepFile, replay,
};
use serde::{Deserialize, Serialize};

/// The experiment that the script runs.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    pub epochs: u32,
    #[serde(default)]
    pub seed: u64,
    #[serde(default)]
    pub quality: f64,
    #[serde(default = "two")]
    pub cost: f64,
    /// Tenths of a second an epoch.
    #[serde(default = "one")]
    pub pace: u32,
    /// The epoch in which it fails; 0 for never.
    #[serde(default)]
    pub fail: u32,
    #[serde(default)]
    pub nested: BTreeMap<String, f64>,
    /// A run or a checkpoint that it must find whole.
    #[serde(default)]
    pub from: String,
    /// A file without which it fails.
    #[serde(default)]
    pub gate: String,
    /// Up to which epoch its quality does not matter.
    #[serde(default)]
    pub fork: u32,
    /// Megabytes that it holds.
    #[serde(default)]
    pub hoard: u32,
}

fn one() -> u32 {
    1
}

fn two() -> f64 {
    2.0
}

/// Quality is what an experiment with a fork does only behind that epoch.
fn shares(experiment: &Experiment) -> Vec<Share> {
    let Experiment {
        epochs,
        seed,
        pace,
        fork,
        ..
    } = experiment;
    let text = format!("{epochs} {seed} {pace}");
    let all = (*fork > 0).then(|| Share::of(&text, *fork));
    all.into_iter().collect()
}

/// Forks of the script's runs: what it has done up to an epoch.
pub struct ByEpoch;

impl Forks for ByEpoch {
    fn keep(&self, run: &Path, epoch: u32, to: &Path) -> Result<Kept, String> {
        let done = fs::read_to_string(run.join("checkpoint")).unwrap_or_default();
        if done.trim().parse::<u32>().unwrap_or_default() < epoch {
            return Ok(Kept::NotYet);
        }
        if run.join("spoilt").exists() {
            return Ok(Kept::Never("it is spoilt".to_owned()));
        }
        let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
        let lines: Vec<&str> = metrics.lines().take(epoch as usize).collect();
        fs::create_dir(to).unwrap();
        fs::write(to.join("metrics.jsonl"), lines.join("\n") + "\n").unwrap();
        fs::write(to.join("checkpoint"), format!("{epoch}\n")).unwrap();
        Ok(Kept::Now)
    }

    fn begin(&self, from: &Path, config: &Path, run: &Path) -> Result<(), String> {
        fs::create_dir(run).unwrap();
        fs::copy(config, run.join("config.toml")).unwrap();
        for name in ["metrics.jsonl", "checkpoint"] {
            fs::copy(from.join(name), run.join(name)).unwrap();
        }
        Ok(())
    }
}

impl Validate for Experiment {
    fn validate(&self, report: &mut Report<'_>) {
        report.check(self.epochs > 0, "epochs", || {
            "must be at least 1".to_owned()
        });
        report.check(self.quality < 100.0, "quality", || {
            "must be below 100".to_owned()
        });
    }
}

/// One line an epoch; a checkpoint is the number of epochs done; SIGTERM ends it with 143. Every
/// start is put down in `starts`, and two processes in one directory at a time are in `clashes`.
const SCRIPT: &str = r#"#!/bin/bash
config=$2 out=$4
get() { sed -n "s/^$1 = //p" "$config"; }
mkdir -p "$out"
mkdir "$out/busy" 2>/dev/null || echo clash >>"$out/clashes"
cp "$config" "$out/config.toml"
echo "$AFTERIMAGE_PLACE" >"$out/place"
echo $$ >>"$out/starts"
rm -f "$out/result.json"
from=$(get from | tr -d '"') gate=$(get gate | tr -d '"')
if [ -n "$from" ] && [ ! -e "$from/result.json" ] && [ ! -e "$from/contents.json" ]; then
    echo "nothing to start from in $from" >&2
    rmdir "$out/busy"
    exit 2
fi
if [ -n "$gate" ] && [ ! -e "$gate" ]; then
    echo "the gate is closed" >&2
    rmdir "$out/busy"
    exit 1
fi
finish() {
    rmdir "$out/busy"
    echo "{\"exit_code\":$1,\"outcome\":\"x\",\"metrics\":{\"eval/knn\":$(get quality),\"cost\":$(get cost)}}" >"$out/result.json"
    exit "$1"
}
hoard=$(get hoard) held=
[ "${hoard:-0}" = 0 ] || held=$(head -c "${hoard}000000" /dev/zero | tr '\0' x)
# Looked at between epochs and in their middle, so that none is half written.
stop=
trap 'stop=yes' TERM
done=$(cat "$out/checkpoint" 2>/dev/null || echo 0)
while [ "$done" -lt "$(get epochs)" ]; do
    for _ in $(seq "$(get pace)"); do sleep 0.1; [ -z "$stop" ] || finish 143; done
    done=$((done + 1))
    if [ "$(get fail)" = "$done" ]; then
        echo "it broke in epoch $done" >&2
        rmdir "$out/busy"
        exit 1
    fi
    echo "{\"tag\":\"eval/knn\",\"epoch\":$done,\"step\":$done,\"author\":\"loop\",\"value\":$(get quality)}" >>"$out/metrics.jsonl"
    mkdir -p "$out/checkpoints/step-0000000$done"
    echo "{\"step\":$done,\"epoch\":$done,\"end_of\":$done}" >"$out/checkpoints/step-0000000$done/contents.json"
    echo $done >"$out/checkpoint"
done
finish 0
"#;

/// The lock of a folder. A child that another test's thread has just forked holds it for the moment until it is
/// another program.
fn lock(folder: &Folder) -> Result<Lock, SweepError> {
    let patience = Instant::now() + Duration::from_secs(1);
    loop {
        match folder.lock() {
            Err(SweepError::Locked { .. }) if Instant::now() < patience => {
                std::thread::sleep(Duration::from_millis(10));
            }
            locked => return locked,
        }
    }
}

/// A folder with a base config, a sweep file, and the script.
pub struct Rig {
    place: PathBuf,
    /// Removes the folder; not there in a process that found it.
    _own: Option<tempfile::TempDir>,
}

impl Rig {
    pub fn new(base: &str, sweep: &str) -> Self {
        let place = tempfile::Builder::new()
            .prefix("sweep é ' ")
            .tempdir()
            .unwrap();
        let rig = Self {
            place: place.path().to_owned(),
            _own: Some(place),
        };
        fs::write(rig.path("base.toml"), base).unwrap();
        fs::write(rig.file(), sweep).unwrap();
        fs::write(rig.program(), SCRIPT).unwrap();
        fs::set_permissions(rig.program(), fs::Permissions::from_mode(0o755)).unwrap();
        rig
    }

    /// The rig that another process has made.
    pub fn at(place: &Path) -> Self {
        Self {
            place: place.to_owned(),
            _own: None,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.place.join(name)
    }

    pub fn file(&self) -> PathBuf {
        self.path("sweep.toml")
    }

    pub fn program(&self) -> PathBuf {
        self.path("trial.sh")
    }

    pub fn folder(&self) -> Folder {
        Folder::open(&self.path("out")).unwrap()
    }

    pub fn plan(&self) -> Result<(SweepConfig, Plan), ConfigErrors> {
        self.plan_with(&Asked::default())
    }

    /// The trials with what searches asked.
    pub fn plan_with(&self, asked: &Asked) -> Result<(SweepConfig, Plan), ConfigErrors> {
        let loaded = load_file::<SweepConfig>(&self.file(), &[])?;
        let read = SweepFile {
            value: &loaded.value,
            locations: &loaded.locations,
        };
        let check = |base: &Path, sets: &[String]| {
            let loaded = load_file::<Experiment>(base, sets)?;
            Ok(Checked {
                resolved: loaded.resolved,
                digest: loaded.digest,
                notes: loaded.notes,
                shares: shares(&loaded.value),
            })
        };
        let plan = Plan::with(read, &self.file(), &check, asked)?;
        Ok((loaded.value, plan))
    }

    /// What is wrong with the sweep, without the folder's name.
    pub fn mistakes(&self) -> String {
        let text = self.plan().unwrap_err().to_string();
        text.replace(&self.path("").display().to_string(), "")
    }

    /// Runs the sweep in this process, `jobs` trials at a time.
    pub fn run(&self, jobs: usize) -> Result<Ending, SweepError> {
        self.run_until(jobs, Arc::default(), false)
    }

    pub fn run_until(
        &self,
        jobs: usize,
        signal: Arc<AtomicUsize>,
        retry: bool,
    ) -> Result<Ending, SweepError> {
        let (config, plan) = self.plan().unwrap();
        let folder = self.folder();
        let _lock = lock(&folder)?;
        let program = Program {
            path: self.program(),
            threads: 1,
        };
        let local = Local::new(folder.clone(), program, jobs).bounded(config.memory_bound());
        let local = Box::new(local);
        let rules = Rules::from(&config);
        let mut engine = Engine::open(
            &folder,
            &plan,
            &config.name,
            rules,
            local,
            signal,
            Box::new(|_| {}),
        )?;
        if plan.trials.iter().any(|trial| trial.fork.is_some()) {
            engine = engine.forking(Box::new(ByEpoch));
        }
        if retry {
            engine.retry_failed()?;
        }
        engine.run()
    }

    /// Runs a search that learns, generation by generation, as the command does.
    pub fn search(&self, jobs: usize, signal: &Arc<AtomicUsize>) -> Result<Ending, SweepError> {
        let folder = self.folder();
        let _lock = lock(&folder)?;
        let program = Program {
            path: self.program(),
            threads: 1,
        };
        let mut asked = self.asked();
        loop {
            let (config, plan) = self.plan_with(&asked)?;
            let local = Box::new(Local::new(folder.clone(), program.clone(), jobs));
            let mut engine = Engine::open(
                &folder,
                &plan,
                &config.name,
                Rules::from(&config),
                local,
                Arc::clone(signal),
                Box::new(|_| {}),
            )?;
            let ending = engine.run()?;
            if ending != Ending::Complete || !plan.ask(&config, engine.standings(), &mut asked) {
                return Ok(ending);
            }
        }
    }

    fn asked(&self) -> Asked {
        match self.folder().ledger().is_file() {
            true => Asked::of(&Ledger::read(&self.folder().ledger()).unwrap()),
            false => Asked::default(),
        }
    }

    /// What came out of a search so far.
    pub fn found(&self) -> (Plan, Results) {
        let (config, plan) = self.plan_with(&self.asked()).unwrap();
        let lines = Ledger::read(&self.folder().ledger()).unwrap();
        let names = plan.trials.iter().map(|trial| trial.name.as_str());
        let (standings, _) = replay(names, &lines);
        let results = Results::gather("s", &config.judged(), &plan, &self.folder(), &standings);
        (plan, results)
    }

    pub fn entries(&self) -> Vec<Entry> {
        let (_, lines) = Ledger::open(&self.folder().ledger()).unwrap();
        lines.into_iter().map(|line| line.entry).collect()
    }

    pub fn standings(&self) -> BTreeMap<String, Standing> {
        let (_, plan) = self.plan().unwrap();
        let (_, lines) = Ledger::open(&self.folder().ledger()).unwrap();
        replay(plan.trials.iter().map(|trial| trial.name.as_str()), &lines).0
    }

    pub fn in_state(&self, state: State) -> Vec<String> {
        let all = self.standings().into_iter();
        all.filter(|(_, s)| s.state == state)
            .map(|(name, _)| name)
            .collect()
    }

    /// A file of a trial's run directory; empty if it is missing.
    pub fn text(&self, trial: &str, file: &str) -> String {
        fs::read_to_string(self.folder().run(trial).join(file)).unwrap_or_default()
    }

    /// Fails the test if a trial ran in two processes at a time, did an epoch twice, or was ended
    /// twice.
    pub fn assert_nothing_ran_twice(&self) {
        for (name, _) in self.standings() {
            assert_eq!(self.text(&name, "clashes"), "", "{name}");
            let epochs = self.text(&name, "metrics.jsonl");
            let mut lines: Vec<&str> = epochs.lines().collect();
            lines.dedup();
            assert_eq!(
                lines.len(),
                epochs.lines().count(),
                "{name} did an epoch twice"
            );
            let ends = self.entries().into_iter().filter(|entry| {
                matches!(entry, Entry::End { trial, end: End::Done | End::Failed | End::Stopped, .. } if *trial == name)
            });
            assert!(ends.count() <= 1, "{name} ended twice");
        }
    }
}
