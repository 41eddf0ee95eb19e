//! Processes that outlive the one that started them.

use std::fs;
use std::path::Path;
use std::process::Command;

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
    }
}
