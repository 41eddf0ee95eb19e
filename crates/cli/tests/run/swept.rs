//! Sweeps of runs of a second.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{Ended, Place, afterimage, finish};

/// A folder with the experiment `base` in `tiny.toml`, and a sweep file.
pub fn place(base: &str, sweep: &str) -> (Place, PathBuf) {
    let place = Place::new();
    place.write("tiny.toml", base);
    let file = place.write("sweep.toml", sweep);
    (place, file)
}

/// The command that runs the sweep in the folder `a sweep`.
fn command(place: &Place, file: &Path, more: &[&str]) -> Command {
    let mut command = afterimage();
    command
        .arg("sweep")
        .arg(file)
        .arg("--out")
        .arg(place.path("a sweep"))
        .args(more);
    command
}

/// Runs the sweep to its end.
pub fn sweep(place: &Place, file: &Path, more: &[&str]) -> Ended {
    finish(&mut command(place, file, more))
}

/// A sweep at work, two trials at a time.
pub fn at_work(place: &Place, file: &Path) -> Child {
    command(place, file, &["--jobs", "2"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}
