//! What the machine has.

use std::fs;

/// What the system tells of a control group: the limit of a container, and what it holds.
const GROUP: &str = "/sys/fs/cgroup/memory";

/// The memory in bytes that processes of this machine, or of this container, can have; `None` where the
/// system does not tell (it does on Linux).
pub fn machine_memory() -> Option<u64> {
    let all = told("MemTotal:")?;
    // A container may have less than its machine.
    Some(of_group("max").map_or(all, |limit| limit.min(all)))
}

/// The memory in bytes that processes which start now can have without anything else having to go, as far as the
/// system tells (on Linux).
pub fn free_memory() -> Option<u64> {
    let free = told("MemAvailable:")?;
    let left = || {
        // Files that were read lately stay in memory only for as long as nobody wants it.
        let held = of_group("current")?.saturating_sub(cached().unwrap_or(0));
        Some(of_group("max")?.saturating_sub(held))
    };
    Some(left().map_or(free, |left| left.min(free)))
}

/// Bytes of files that the container holds in memory and can give up.
fn cached() -> Option<u64> {
    let text = fs::read_to_string(format!("{GROUP}.stat")).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("inactive_file "))?;
    line.trim().parse().ok()
}

/// A line of `/proc/meminfo` in bytes.
fn told(name: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// A number of the container; without a limit "max" is none.
fn of_group(what: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("{GROUP}.{what}")).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn this_machine_has_memory_and_no_more_of_it_is_free() {
        let all = super::machine_memory();
        assert!(all.is_some_and(|bytes| bytes > 1 << 20));
        assert!(super::free_memory().is_some_and(|free| Some(free) <= all));
    }
}
