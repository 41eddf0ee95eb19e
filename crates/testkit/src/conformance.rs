//! Plugins under test, and the runs that their laws are read from.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use afterimage::config::Loaded;
use afterimage::hooks::{Attached, HooksState, Host, Manifest};
use afterimage::model::Encoder as _;
use afterimage::train::{TrainError, host_of_runs};
use afterimage::{Experiment, PluginKind, Registry};
use burn::tensor::Device;

use crate::error::Broken;
use crate::experiment::{Entry, STOPPING, TINY, failing};
use crate::files::checkpoints;
use crate::macros::registry_with;
use crate::program::Program;
use crate::runs::Runs;

/// Plugins under test: one of an author, or several that are to bear each other.
///
/// Each law is a method. It gives what is worth a line, or what is broken. Runs that several laws need are
/// made once.
pub struct Conformance {
    pub(crate) registry: Registry,
    pub(crate) runs: Runs,
    base: String,
    pub(crate) under_test: Vec<Entry>,
    beside: Vec<Entry>,
    pub(crate) kills: u32,
    bare: OnceCell<PathBuf>,
    straight: OnceCell<PathBuf>,
    stopped: OnceCell<Stopped>,
}

/// A run that stopped in the middle of an epoch.
pub(crate) struct Stopped {
    /// The step.
    pub(crate) step: u64,
    /// What plugins and resources had in its checkpoint.
    pub(crate) state: HooksState,
}

impl Conformance {
    /// No plugin yet, of those in `registry`; `program` is the command with the same plugins.
    ///
    /// # Errors
    /// A system without room for temporary folders.
    pub fn new(registry: Registry, program: Program) -> Result<Self, Broken> {
        Ok(Self {
            registry,
            runs: Runs::new(program)?,
            base: TINY.to_owned(),
            under_test: Vec::new(),
            beside: Vec::new(),
            kills: 1,
            bare: OnceCell::new(),
            straight: OnceCell::new(),
            stopped: OnceCell::new(),
        })
    }

    /// One plugin of `kind`, which is added to those of the project, with `settings` as TOML.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn of(kind: PluginKind, settings: &str, program: Program) -> Result<Self, Broken> {
        let name = kind.name();
        Ok(Self::new(registry_with(kind), program)?.plugin(name, settings))
    }

    /// Tests in the experiment `text` in place of [`TINY`]: a config without the plugins under test, with
    /// at least two epochs of three steps.
    pub fn on(mut self, text: &str) -> Self {
        text.clone_into(&mut self.base);
        self
    }

    /// One more plugin under test.
    pub fn plugin(mut self, kind: &str, settings: &str) -> Self {
        self.under_test.push(Entry::new(kind, settings, false));
        self
    }

    /// One more plugin under test, which fails in the run and is switched off.
    pub fn failing(mut self, kind: &str, settings: &str) -> Self {
        self.under_test.push(Entry::new(kind, settings, true));
        self
    }

    /// A plugin that all runs have, the ones to compare with as well.
    pub fn beside(mut self, kind: &str, settings: &str) -> Self {
        self.beside.push(Entry::new(kind, settings, false));
        self
    }

    /// How many runs [`resumes_exactly`](Self::resumes_exactly) kills; 1 unless told.
    pub fn kills(mut self, runs: u32) -> Self {
        self.kills = runs;
        self
    }

    /// The kinds under test.
    pub fn kinds(&self) -> Vec<String> {
        let kinds = self.under_test.iter();
        kinds.map(|entry| entry.kind.clone()).collect()
    }

    /// The names of the plugins under test, for messages.
    pub(crate) fn names(&self) -> String {
        let names: Vec<&str> = self.under_test.iter().map(|e| e.kind.as_str()).collect();
        names.join(", ")
    }

    /// The exit code of a run with all plugins under test.
    pub(crate) fn code(&self) -> i32 {
        match self.under_test.iter().any(|entry| entry.fails) {
            true => 3,
            false => 0,
        }
    }

    /// The experiment with the plugins `tables` behind those that all runs have.
    pub(crate) fn config(&self, tables: &str) -> String {
        let beside: String = self.beside.iter().map(Entry::table).collect();
        format!("{}\n{beside}{tables}", self.base)
    }

    /// The tables of all plugins under test.
    pub(crate) fn tables(&self) -> String {
        self.under_test.iter().map(Entry::table).collect()
    }

    /// The experiment as it is loaded with the plugins `tables`.
    pub(crate) fn loaded(&self, tables: &str) -> Result<Loaded<Experiment>, Broken> {
        let path = self.runs.write("loaded.toml", &self.config(tables))?;
        Ok(self.registry.load(&path, &[])?)
    }

    /// The plugins of `loaded`, made anew.
    pub(crate) fn attach(&self, loaded: &Loaded<Experiment>) -> Result<Vec<Attached>, Broken> {
        let mut report = loaded.locations.report();
        let attached = self
            .registry
            .attach(&loaded.value.plugins, &mut report, |_| None);
        report.finish()?;
        Ok(attached)
    }

    /// What the plugins under test declare, without those beside them.
    pub(crate) fn manifests(&self) -> Result<Vec<Manifest>, Broken> {
        let attached = self.attach(&self.loaded(&self.tables())?)?;
        let own = attached.iter().skip(self.beside.len());
        Ok(own.map(|attached| attached.manifest().clone()).collect())
    }

    /// What a run of `loaded` offers to plugins.
    pub(crate) fn host(&self, loaded: &Loaded<Experiment>) -> Result<Host, Broken> {
        let encoder = loaded.value.encoder.outline(&Device::flex());
        let encoder = encoder.map_err(TrainError::from)?;
        Ok(host_of_runs(encoder.sites(), loaded.value.pair.is_some()))
    }

    /// The run without the plugins under test. What they need of the arithmetic it has, too.
    pub(crate) fn bare(&self) -> Result<&Path, Broken> {
        if let Some(run) = self.bare.get() {
            return Ok(run);
        }
        let exact = self.manifests()?.iter().any(|manifest| manifest.exact);
        let text = match exact {
            false => self.config(""),
            true => self
                .config("")
                .replace("[encoder]", "[encoder]\nconvolution = \"direct\""),
        };
        let run = self.runs.run("bare", &text, 0)?;
        Ok(self.bare.get_or_init(|| run))
    }

    /// The run with all plugins under test.
    pub(crate) fn straight(&self) -> Result<&Path, Broken> {
        if let Some(run) = self.straight.get() {
            return Ok(run);
        }
        let text = self.config(&self.tables());
        let run = self.runs.run("straight", &text, self.code())?;
        Ok(self.straight.get_or_init(|| run))
    }

    /// Steps of a whole run, and of one epoch.
    pub(crate) fn steps(&self) -> Result<(u64, u64), Broken> {
        let epochs = u64::from(self.loaded(&self.tables())?.value.epochs);
        let run = self.straight()?;
        let steps = checkpoints(run).last().copied().unwrap_or_default();
        if epochs < 2 || steps < 3 * epochs {
            let what = "the experiment is too short: it needs two epochs of three steps";
            return Err(Broken::file(run, what));
        }
        Ok((steps, steps / epochs))
    }

    /// The run `stopped`: as the straight one, but another plugin stops it in the middle of the second
    /// epoch, with a checkpoint.
    pub(crate) fn stopped(&self) -> Result<&Stopped, Broken> {
        if let Some(stopped) = self.stopped.get() {
            return Ok(stopped);
        }
        let step = self.middle()?;
        // Behind all others, so that they have seen the whole step.
        let tables = self.tables() + &failing(STOPPING, step, true);
        let run = self.runs.run("stopped", &self.config(&tables), 1)?;
        let checkpoint = run.join(format!("checkpoints/step-{step:08}"));
        let state = afterimage::train::read_plugins(&checkpoint)?;
        Ok(self.stopped.get_or_init(|| Stopped { step, state }))
    }

    /// A step in the middle of the second epoch.
    pub(crate) fn middle(&self) -> Result<u64, Broken> {
        let (_, epoch) = self.steps()?;
        Ok(epoch + epoch / 2)
    }
}
