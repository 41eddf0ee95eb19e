//! Processes that outlive the one that started them.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// When process `pid` was started, in ticks since the machine was; with the pid, this names a
/// process for good, while a pid alone is given to others after it.
///
/// `None` if there is no such process, or no `/proc`.
pub(crate) fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program, in parentheses, may hold anything.
    let rest = &stat[stat.rfind(')')? + 1..];
    rest.split_whitespace().nth(19)?.parse().ok()
}

/// The process that has `argument` on its command line, where `/proc` tells.
pub(crate) fn with_argument(argument: &Path) -> Option<u32> {
    let wanted = argument.as_os_str().as_encoded_bytes();
    fs::read_dir("/proc")
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .find(|pid: &u32| {
            fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| line.split(|&byte| byte == 0).any(|word| word == wanted))
        })
}

/// Whether process `pid` has the file at `path` open, as the one that locked it does. Of another user's
/// process the system does not tell: it counts if it is of the file's owner. Without `/proc` every
/// process of that number counts.
pub(crate) fn has_open(pid: u32, path: &Path) -> bool {
    let Ok(file) = fs::metadata(path) else {
        return false;
    };
    let process = format!("/proc/{pid}");
    let is_it = |open: Metadata| (open.dev(), open.ino()) == (file.dev(), file.ino());
    match fs::read_dir(format!("{process}/fd")) {
        Ok(open) => open
            .flatten()
            .any(|entry| fs::metadata(entry.path()).is_ok_and(is_it)),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            fs::metadata(process).is_ok_and(|of| of.uid() == file.uid())
        }
        Err(_) => !Path::new("/proc/self/fd").exists() && is_there(pid),
    }
}

/// Whether there is a process of this number, asked without `/proc`.
fn is_there(pid: u32) -> bool {
    let asked = Command::new("sh")
        .args(["-c", "kill -0 \"$0\"", &pid.to_string()])
        .stderr(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}

/// Asks process `pid` to write a checkpoint and end; one that is gone already needs no asking.
pub(crate) fn ask_to_end(pid: u32) {
    // By way of the shell, whose own command it is: the system's call is not to be had without
    // unsafe code or a further dependency.
    let _ = Command::new("sh")
        .args(["-c", "kill -TERM \"$0\" 2>/dev/null", &pid.to_string()])
        .status();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_a_start_and_a_far_pid_has_none() {
        let own = started(std::process::id());
        assert!(own.is_some_and(|ticks| ticks > 0));
        assert_eq!(own, started(std::process::id()));
        assert_eq!(started(u32::MAX), None);
        assert!(is_there(std::process::id()) && !is_there(u32::MAX / 2));
    }
}
