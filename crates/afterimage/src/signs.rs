//! Signs of life of a run beside its loop, which has its own.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use afterimage_track::Beat;

use crate::experiment::{Experiment, Renderer};

/// Says on `progress` that the run is at `part` whenever nothing was said for five seconds, until it is dropped;
/// nothing where no progress is to be shown.
pub(crate) fn signs(
    experiment: &Experiment,
    quiet: bool,
    progress: &dyn Fn() -> Box<dyn Write + Send>,
    part: &str,
) -> Option<Beat> {
    let shown = !quiet && experiment.renderer != Renderer::Silent;
    shown.then(|| {
        let writer = Mutex::new(progress());
        Beat::watch(part, move |line| {
            let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
            // A closed terminal is no reason to end a run.
            let _ = writeln!(writer, "{line}").and_then(|()| writer.flush());
        })
    })
}
