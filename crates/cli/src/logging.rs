//! Messages of a run: warnings on standard error, everything in the run's `log.txt`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal as _, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// The log file, once its directory exists.
#[derive(Clone, Default)]
pub struct LogFile(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    file: Option<File>,
    early: Vec<u8>,
}

impl LogFile {
    /// Opens the file; what was logged before goes there, too.
    pub fn open(&self, path: &Path) -> io::Result<()> {
        // Behind a link the lines would go elsewhere, and a pipe would never open.
        if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
            let why = "this is no plain file; remove it";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&std::mem::take(&mut state.early))?;
        state.file = Some(file);
        Ok(())
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut state.file {
            Some(file) => file.write(bytes),
            None => state.early.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

/// Starts logging. `AFTERIMAGE_LOG` sets what goes to standard error, as in
/// `AFTERIMAGE_LOG=afterimage=debug`; warnings by default.
pub fn start() -> LogFile {
    let log = LogFile::default();
    let file = log.clone();
    let terminal = EnvFilter::builder()
        .with_env_var("AFTERIMAGE_LOG")
        .with_default_directive(LevelFilter::WARN.into())
        .from_env_lossy();
    let on_terminal = tracing_subscriber::fmt::layer()
        .without_time()
        .with_target(false)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .with_filter(terminal);
    let in_file = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(move || file.clone())
        .with_filter(LevelFilter::INFO);
    // Another subscriber can only be there in tests of this process; then it stays.
    let _ = tracing_subscriber::registry()
        .with(on_terminal)
        .with(in_file)
        .try_init();
    log
}
