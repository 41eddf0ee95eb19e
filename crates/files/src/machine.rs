//! What the machine has.

use std::fs;

/// The memory in bytes that processes of this machine, or of this container, can have; `None` where the
/// system does not tell (it does on Linux).
pub fn machine_memory() -> Option<u64> {
    let told = fs::read_to_string("/proc/meminfo").ok()?;
    let line = told
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    let all = kibibytes.checked_mul(1024)?;
    // A container may have less than its machine; "max" is no number.
    let group = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let limit = group.and_then(|text| text.trim().parse::<u64>().ok());
    Some(limit.map_or(all, |limit| limit.min(all)))
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn this_machine_has_memory() {
        assert!(super::machine_memory().is_some_and(|bytes| bytes > 1 << 20));
    }
}
