//! Runs that are killed.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::{afterimage, checkpoints};

pub fn start(config: &Path, out: &Path) -> Child {
    let mut command = afterimage();
    command.arg("run").arg(config).arg("--out").arg(out);
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the run starts")
}

/// Waits until `reached`; false if the run ended before.
pub fn wait(child: &mut Child, reached: impl Fn() -> bool) -> bool {
    let patience = Instant::now() + Duration::from_secs(120);
    while !reached() {
        if child.try_wait().expect("the run can be asked").is_some() {
            return false;
        }
        assert!(Instant::now() < patience, "the run hangs");
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

/// Starts a run and kills it `delay` after its checkpoint of `step` appears. Whether it was alive.
pub fn killed(config: &Path, out: &Path, step: u64, delay: Duration) -> bool {
    let mut child = start(config, out);
    let mut alive = wait(&mut child, || {
        checkpoints(out).last().is_some_and(|&last| last >= step)
    });
    if alive {
        std::thread::sleep(delay);
        alive = child.try_wait().unwrap().is_none();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    alive
}
