//! The part of a machine's cores that each of its processes takes.
#![cfg_attr(
    not(feature = "mpi"),
    allow(dead_code, reason = "without MPI a process is alone")
)]

use std::fs;

use afterimage_train::Processes;

/// Sizes the pool of threads that computes to this process's part of the cores of `machine`, unless
/// `RAYON_NUM_THREADS` says how many.
pub(crate) fn share(processes: &impl Processes, machine: &str) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let own = format!("{machine}\n{}", allowed(&status));
    let all = processes.gather(own.as_bytes());
    if std::env::var_os("RAYON_NUM_THREADS").is_some() {
        return;
    }
    let all: Vec<String> = all
        .iter()
        .map(|told| String::from_utf8_lossy(told).into_owned())
        .collect();
    let available = std::thread::available_parallelism().map_or(1, usize::from);
    // There is a pool already only where the program that embeds this one has made it.
    let _ = rayon::ThreadPoolBuilder::new()
        .num_threads((available / sharing(&own, &all)).max(1))
        .build_global();
}

/// The cores that the system lets a process have, as in `0-3,8`; nothing where it does not tell.
fn allowed(status: &str) -> &str {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    line.unwrap_or_default().trim()
}

/// How many of the processes compute on the cores that `own` names, itself with them. Launchers give
/// processes cores of their own, or all of them the same.
fn sharing(own: &str, all: &[String]) -> usize {
    all.iter().filter(|other| *other == own).count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_shared_with_those_who_have_the_same() {
        let status = "Name:\tafterimage\nCpus_allowed:\tff\nCpus_allowed_list:\t0-3,8\n";
        assert_eq!(allowed(status), "0-3,8");
        assert_eq!(allowed(""), "");
        let all = ["a\n0-1", "a\n0-1", "a\n2-3", "b\n0-1"].map(str::to_owned);
        assert_eq!(sharing("a\n0-1", &all), 2);
        assert_eq!(sharing("b\n0-1", &all), 1);
    }
}
