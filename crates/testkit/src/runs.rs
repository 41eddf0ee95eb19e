//! A folder of runs: started, gone on with, killed.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use afterimage_random::SplitMix64;
use tempfile::TempDir;

use crate::error::Broken;
use crate::files::checkpoints;
use crate::program::Program;

/// How long a run may be without a further checkpoint.
const PATIENCE: Duration = Duration::from_secs(120);

/// A number below `bound` that depends on `seed` alone.
pub fn draw(seed: u64, bound: u64) -> u64 {
    SplitMix64::new(seed).bits() % bound
}

/// When a run is killed: so long after its checkpoint of this step is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) step: u64,
    pub(crate) delay: Duration,
}

/// A folder of runs of one program, gone when it is dropped.
#[derive(Debug)]
pub(crate) struct Runs {
    folder: TempDir,
    program: Program,
}

impl Runs {
    /// An empty folder.
    ///
    /// # Errors
    /// A system without room for temporary folders.
    pub(crate) fn new(program: Program) -> Result<Self, Broken> {
        let folder = TempDir::new().map_err(Broken::io(std::env::temp_dir()))?;
        Ok(Self { folder, program })
    }

    /// A place in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of the folder.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf, Broken> {
        let path = self.path(name);
        fs::write(&path, text).map_err(Broken::io(&path))?;
        Ok(path)
    }

    /// Runs the command with `words`, which must end with exit code `code`.
    ///
    /// # Errors
    /// Another end.
    fn call(&self, words: &[OsString], code: i32) -> Result<(), Broken> {
        let mut command = self.program.command(words)?;
        let program = PathBuf::from(command.get_program());
        let output = command.output().map_err(Broken::io(program))?;
        match output.status.code() {
            Some(own) if own == code => Ok(()),
            own => {
                let told = String::from_utf8_lossy(&output.stderr).into_owned();
                Err(other_end(words, own, code, told))
            }
        }
    }

    /// Runs the config `text` in the run directory `name`, which must end with exit code `code`.
    ///
    /// # Errors
    /// Another end.
    pub(crate) fn run(&self, name: &str, text: &str, code: i32) -> Result<PathBuf, Broken> {
        self.write(&format!("{name}.toml"), text)?;
        self.call(&self.words(name, &[]), code)?;
        Ok(self.path(name))
    }

    /// Goes on with the run in the run directory `name`, however it was cut off.
    ///
    /// # Errors
    /// Another end than with exit code `code`.
    pub(crate) fn go_on(&self, name: &str, code: i32) -> Result<PathBuf, Broken> {
        self.call(&self.words(name, &["--resume"]), code)?;
        Ok(self.path(name))
    }

    /// Starts the run `name` of `text`, or goes on with it, and kills it at `moment`. Whether it was cut
    /// off before its last step, which is `end`.
    ///
    /// # Errors
    /// A run that fails or hangs before it is killed.
    pub(crate) fn kill(&self, name: &str, moment: Moment, end: u64) -> Result<bool, Broken> {
        let told = self.path(&format!("{name}.err"));
        let mut child = self.start(name, &told)?;
        let alive = self.wait(&mut child, name, moment);
        if matches!(alive, Ok(true)) {
            std::thread::sleep(moment.delay);
        }
        // It may be over already, which `wait` tells.
        let _ = child.kill();
        let status = child.wait().map_err(Broken::io(self.path(name)))?;
        let before_its_end = checkpoints(&self.path(name))
            .last()
            .is_some_and(|&last| last < end);
        if !alive? && before_its_end {
            let told = fs::read_to_string(&told).unwrap_or_default();
            return Err(other_end(&self.words(name, &[]), status.code(), 0, told));
        }
        Ok(before_its_end)
    }

    fn start(&self, name: &str, told: &Path) -> Result<Child, Broken> {
        let err = File::create(told).map_err(Broken::io(told))?;
        let mut command = self.program.command(&self.words(name, &["--resume"]))?;
        let child = command.stdout(Stdio::null()).stderr(err).spawn();
        child.map_err(Broken::io(self.path(name)))
    }

    /// Waits for the checkpoint of `moment`; false if the run ended before.
    fn wait(&self, child: &mut Child, name: &str, moment: Moment) -> Result<bool, Broken> {
        let run = self.path(name);
        let mut seen = None;
        let mut since = Instant::now();
        loop {
            let last = checkpoints(&run).last().copied();
            if last.is_some_and(|last| last >= moment.step) {
                return Ok(true);
            }
            if child.try_wait().map_err(Broken::io(&run))?.is_some() {
                return Ok(false);
            }
            if last != seen {
                (seen, since) = (last, Instant::now());
            }
            if since.elapsed() > PATIENCE {
                return Err(Broken::Hangs(run));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn words(&self, name: &str, more: &[&str]) -> Vec<OsString> {
        let config = self.path(&format!("{name}.toml"));
        let mut words: Vec<OsString> = vec!["run".into(), config.into(), "--out".into()];
        words.push(self.path(name).into());
        words.extend(more.iter().map(OsString::from));
        words
    }
}

fn other_end(words: &[OsString], code: Option<i32>, expected: i32, told: String) -> Broken {
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    Broken::Ended {
        words: words.join(" "),
        ended: code.map_or_else(|| "a signal".to_owned(), |code| code.to_string()),
        expected,
        told,
    }
}
