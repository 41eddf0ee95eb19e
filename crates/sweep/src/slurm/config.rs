//! How a sweep file says that trials are submitted.

use afterimage_config::Report;
use serde::{Deserialize, Serialize};

use crate::config::at_least_one;

/// Options of `sbatch` that the sweep sets itself, long and short.
const OURS: [&str; 14] = [
    "--array",
    "-a",
    "--output",
    "-o",
    "--error",
    "-e",
    "--job-name",
    "-J",
    "--signal",
    "--parsable",
    "--no-requeue",
    "--wrap",
    "--cpus-per-task",
    "-c",
];

/// Options of `sbatch` that say how much memory a job has.
const MEMORY: [&str; 3] = ["--mem", "--mem-per-cpu", "--mem-per-gpu"];

/// Processes that a trial may have.
const MOST_PROCESSES: u32 = 1024;

/// How trials are submitted to Slurm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SlurmConfig {
    /// Processor cores of each process of a trial, which are its threads; default 1.
    #[schemars(range(min = 1))]
    pub cpus: u32,
    /// Processes that compute a trial together, as tasks of its job; they must divide the `batch.shards` of each trial,
    /// and the program must be built with MPI; default 1.
    #[schemars(range(min = 1, max = MOST_PROCESSES))]
    pub processes: u32,
    /// Seconds between the warning that the time limit is near and the end; default 120.
    #[schemars(range(min = 10, max = 65_535))]
    pub grace: u32,
    /// Options of `sbatch`, such as `["--partition=gpu", "--time=4:00:00", "--gres=gpu:1"]`.
    pub options: Vec<String>,
    /// Shell commands before the trial, each of which must succeed, such as `["module load cuda"]`.
    pub setup: Vec<String>,
}

impl Default for SlurmConfig {
    fn default() -> Self {
        Self {
            cpus: 1,
            processes: 1,
            grace: 120,
            options: Vec::new(),
            setup: Vec::new(),
        }
    }
}

impl SlurmConfig {
    /// Reports what is out of range, and options that are none or the sweep's own, as those of memory are where it is
    /// `bounded`.
    pub(crate) fn validate(&self, report: &mut Report<'_>, bounded: bool) {
        report.check(self.cpus > 0, "slurm.cpus", at_least_one);
        report.check(
            (1..=MOST_PROCESSES).contains(&self.processes),
            "slurm.processes",
            || format!("must be from 1 to {MOST_PROCESSES}"),
        );
        report.check((10..=65_535).contains(&self.grace), "slurm.grace", || {
            "must be from 10 to 65535".to_owned()
        });
        for (index, option) in self.options.iter().enumerate() {
            let at = format!("slurm.options[{index}]");
            let name = name(option);
            // Each option is one word for `sbatch`: a space would be part of its name.
            let plain =
                option.starts_with('-') && name.len() > 1 && !name.contains(char::is_whitespace);
            report.check(plain, &at, || {
                format!("{option:?} is no option; write it as \"--name=value\"")
            });
            let tasks = self.processes > 1 && ["--ntasks", "-n"].contains(&name);
            report.check(!tasks, &at, || format!("{name} is set by slurm.processes"));
            report.check(!(bounded && MEMORY.contains(&name)), &at, || {
                format!("{name} is set by `memory`")
            });
            report.check(!OURS.contains(&name), &at, || {
                format!("{name} is set by the sweep")
            });
        }
    }
}

/// The name in an option: `--time` of `--time=1:00`, `-a` of `-a1-3`.
fn name(option: &str) -> &str {
    let long = option.split('=').next().unwrap_or_default();
    match option.starts_with("--") {
        true => long,
        false => option
            .char_indices()
            .nth(2)
            .and_then(|(end, _)| option.get(..end))
            .unwrap_or(long),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_known_by_its_name_however_it_is_written() {
        for (option, wanted) in [
            ("--time=4:00:00", "--time"),
            ("--array 1-3", "--array 1-3"),
            ("--requeue", "--requeue"),
            ("-a1-3", "-a"),
            ("-J x", "-J"),
            ("-p", "-p"),
            ("-", "-"),
        ] {
            assert_eq!(name(option), wanted, "{option}");
        }
    }
}
