//! A run that stopped or was killed, and goes on as if nothing had been.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::conformance::Conformance;
use crate::error::Broken;
use crate::experiment::STOPPING;
use crate::files::{Difference, checkpoints, difference, ends};
use crate::laws::state::measured;
use crate::runs::{Moment, draw};

/// Epochs of the first run that is killed, and of the longest.
const EPOCHS: (u32, u32) = (6, 96);
/// Runs that were over too soon, before they are made longer.
const MISSES: u32 = 4;
/// Milliseconds after a checkpoint within which a run is killed.
const WITHIN: u64 = 200;

impl Conformance {
    /// A run that stopped in the middle of an epoch, and runs that were killed twice, end with the bytes of
    /// one that went straight through: measurements, decisions, tables, images and the last checkpoint.
    ///
    /// Moments of kills are drawn. A run that was over by then counts for nothing: others follow, and
    /// longer ones, so that what is tested does not hang on the speed of the machine.
    ///
    /// # Errors
    /// Where the runs part, and runs that do not end as they should.
    pub fn resumes_exactly(&self) -> Result<Vec<String>, Broken> {
        self.goes_on_in_mid_epoch()?;
        let mut epochs = EPOCHS.0;
        let (mut hits, mut misses) = (0, 0);
        let (mut straight, mut end) = self.long(epochs)?;
        for seed in 0.. {
            if hits == self.kills {
                break;
            }
            if misses == MISSES {
                (misses, epochs) = (0, epochs * 2);
                if epochs > EPOCHS.1 {
                    return Err(Broken::NeverAlive {
                        plugins: self.names(),
                        epochs: EPOCHS.1,
                    });
                }
                (straight, end) = self.long(epochs)?;
            }
            match self.killed(seed, epochs, &straight, end)? {
                true => hits += 1,
                false => misses += 1,
            }
        }
        Ok(Vec::new())
    }

    fn goes_on_in_mid_epoch(&self) -> Result<(), Broken> {
        let stopped = self.stopped()?;
        let run = self.runs.go_on("stopped", self.code())?;
        let files = |run| measured(run, STOPPING);
        let parted = difference(&files(self.straight()?)?, &files(&run)?);
        self.same(parted, format!("stopped in step {}", stopped.step))
    }

    /// The straight run of `epochs` epochs, and its last step.
    fn long(&self, epochs: u32) -> Result<(PathBuf, u64), Broken> {
        let name = format!("straight-{epochs}");
        let text = self.longer(epochs)?;
        let run = self.runs.run(&name, &text, self.code())?;
        let end = checkpoints(&run).last().copied().unwrap_or_default();
        Ok((run, end))
    }

    fn longer(&self, epochs: u32) -> Result<String, Broken> {
        let text = self.config(&self.tables());
        let own = self.loaded(&self.tables())?.value.epochs;
        let line = format!("epochs = {own}\n");
        match text.contains(&line) {
            true => Ok(text.replacen(&line, &format!("epochs = {epochs}\n"), 1)),
            false => Err(Broken::file(
                self.runs.path("loaded.toml"),
                format!("the experiment must have the line `epochs = {own}`"),
            )),
        }
    }

    /// Kills a run of `epochs` epochs twice and lets it end; whether it was alive at the first time.
    fn killed(&self, seed: u64, epochs: u32, straight: &Path, end: u64) -> Result<bool, Broken> {
        let name = format!("killed-{seed}");
        self.runs
            .write(&format!("{name}.toml"), &self.longer(epochs)?)?;
        let epoch = end / u64::from(epochs);
        let step = epoch * (1 + draw(seed, u64::from(epochs) - 2));
        let delay = |seed| Duration::from_millis(draw(seed, WITHIN));
        let first = Moment {
            step,
            delay: delay(seed + 100),
        };
        if !self.runs.kill(&name, first, end)? {
            return Ok(false);
        }
        let second = Moment {
            step: step + epoch,
            delay: delay(seed + 200),
        };
        // Where this one comes too late there is nothing to go on with, which goes on all the same.
        self.runs.kill(&name, second, end)?;
        let run = self.runs.go_on(&name, self.code())?;
        let after = first.delay.as_millis();
        let how = format!("killed {after} ms after the checkpoint of step {step}, and once more");
        self.same(difference(&ends(straight)?, &ends(&run)?), how)?;
        Ok(true)
    }

    fn same(&self, parted: Option<Difference>, how: String) -> Result<(), Broken> {
        match parted {
            None => Ok(()),
            Some(difference) => Err(Broken::Resume {
                plugins: self.names(),
                how,
                difference,
            }),
        }
    }
}
