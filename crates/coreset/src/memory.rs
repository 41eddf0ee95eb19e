//! Amounts of memory.

pub use afterimage_files::Bytes;

/// The most memory that this process has held so far, where the system tells (Linux).
pub fn peak_memory() -> Option<Bytes> {
    status("VmHWM:")
}

/// The memory that this process holds, its program among it, where the system tells (Linux).
pub fn held_memory() -> Option<Bytes> {
    status("VmRSS:")
}

fn status(name: &str) -> Option<Bytes> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(Bytes(kibibytes * 1024))
}
