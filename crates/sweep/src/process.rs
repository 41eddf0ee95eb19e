//! Processes that outlive the one that started them.

use std::collections::{BTreeMap, BTreeSet};
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
    stat(pid, 19)
}

/// A number that `/proc` tells of process `pid`, counted from its state, which is 0.
fn stat(pid: u32, place: usize) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program, in parentheses, may hold anything.
    let rest = &stat[stat.rfind(')')? + 1..];
    rest.split_whitespace().nth(place)?.parse().ok()
}

/// Bytes of memory that the processes of each of these `groups` hold: what the system cannot take back, so
/// without what is mapped from files, and with what it has swapped out.
pub(crate) fn held(groups: &BTreeSet<u32>) -> BTreeMap<u32, u64> {
    let mut all = BTreeMap::new();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    for pid in pids {
        let group = stat(pid, 2).and_then(|group| u32::try_from(group).ok());
        if let Some(group) = group.filter(|group| groups.contains(group)) {
            *all.entry(group).or_default() += held_by(pid).unwrap_or(0);
        }
    }
    all
}

fn held_by(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let of = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix("kB")?.trim().parse().ok()
    };
    let kibibytes = match of("RssAnon:") {
        Some(own) => own + of("RssShmem:").unwrap_or(0) + of("VmSwap:").unwrap_or(0),
        None => of("VmRSS:")?,
    };
    Some(kibibytes * 1024)
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

/// Ends all processes of the group of `leader` as they are.
pub(crate) fn kill_group(leader: u32) {
    let _ = Command::new("sh")
        .args([
            "-c",
            "kill -s KILL -- \"-$0\" 2>/dev/null",
            &leader.to_string(),
        ])
        .status();
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn what_a_group_holds_is_seen_and_all_of_it_ends() {
        // Another process than the leader holds it.
        let script =
            "sh -c 'x=$(head -c 30000000 /dev/zero | tr \"\\\\0\" x); sleep 60; echo $x'; true";
        let mut child = Command::new("sh")
            .args(["-c", script])
            .process_group(0)
            .spawn()
            .unwrap();
        let leader = child.id();
        let held = || held(&BTreeSet::from([leader])).remove(&leader);
        let patience = Instant::now() + Duration::from_secs(20);
        while held().unwrap_or_default() < 25_000_000 && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(20));
        }
        let most = held();
        kill_group(leader);
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        assert!(most.is_some_and(|bytes| bytes >= 25_000_000), "{most:?}");
    }

    #[test]
    fn this_process_has_a_start_and_a_far_pid_has_none() {
        let own = started(std::process::id());
        assert!(own.is_some_and(|ticks| ticks > 0));
        assert_eq!(own, started(std::process::id()));
        assert_eq!(started(u32::MAX), None);
        assert!(is_there(std::process::id()) && !is_there(u32::MAX / 2));
    }
}
