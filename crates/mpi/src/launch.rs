//! Whether this process was started with others.

/// How processes were started together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Launch {
    /// `mpirun` or `srun`.
    pub by: &'static str,
    /// Processes that were started, above 1.
    pub count: usize,
    /// Number of this one, from 0.
    pub rank: usize,
}

/// What the environment says of this process: nothing where it was started alone.
pub fn launched() -> Option<Launch> {
    from(|name| std::env::var(name).ok())
}

fn from(variable: impl Fn(&str) -> Option<String>) -> Option<Launch> {
    let number = |name: &str| variable(name)?.parse::<usize>().ok();
    // The first two are Open MPI's and MPICH's. In a batch script of Slurm, which is one process, the
    // step's number of tasks is not set or 1, whatever was asked for.
    let by_mpi = [
        ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
        ("PMI_SIZE", "PMI_RANK"),
    ];
    for (size, rank) in by_mpi {
        if let (Some(count), Some(rank)) = (number(size), number(rank)) {
            let by = "mpirun";
            return (count > 1).then_some(Launch { by, count, rank });
        }
    }
    // A step with a terminal is somebody's shell: what is started in it is started once.
    if variable("SLURM_PTY_PORT").is_some() {
        return None;
    }
    let count = number("SLURM_STEP_NUM_TASKS")?;
    let rank = number("SLURM_PROCID")?;
    let by = "srun";
    (count > 1).then_some(Launch { by, count, rank })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Option<Launch> {
        let value = |name: &str| variables.iter().find(|(known, _)| *known == name);
        from(|name| value(name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn a_process_knows_who_started_it_with_others() {
        let mpirun = [("OMPI_COMM_WORLD_SIZE", "4"), ("OMPI_COMM_WORLD_RANK", "0")];
        assert_eq!(
            of(&mpirun),
            Some(Launch {
                by: "mpirun",
                count: 4,
                rank: 0
            })
        );
        let srun = [("SLURM_STEP_NUM_TASKS", "2"), ("SLURM_PROCID", "1")];
        assert_eq!(
            of(&srun),
            Some(Launch {
                by: "srun",
                count: 2,
                rank: 1
            })
        );
    }

    #[test]
    fn one_process_is_alone_whoever_started_it() {
        assert_eq!(of(&[]), None);
        assert_eq!(
            of(&[("OMPI_COMM_WORLD_SIZE", "1"), ("OMPI_COMM_WORLD_RANK", "0")]),
            None
        );
        let batch = [
            ("SLURM_NTASKS", "4"),
            ("SLURM_PROCID", "0"),
            ("SLURM_JOB_ID", "7"),
        ];
        assert_eq!(of(&batch), None);
        let shell = [
            ("SLURM_STEP_NUM_TASKS", "4"),
            ("SLURM_PROCID", "0"),
            ("SLURM_PTY_PORT", "40123"),
        ];
        assert_eq!(of(&shell), None);
        // A process that one of several starts for itself has their variables and `mpirun -n 1`'s size.
        let within = [
            ("OMPI_COMM_WORLD_SIZE", "1"),
            ("OMPI_COMM_WORLD_RANK", "0"),
            ("SLURM_STEP_NUM_TASKS", "2"),
            ("SLURM_PROCID", "0"),
        ];
        assert_eq!(of(&within), None);
    }
}
