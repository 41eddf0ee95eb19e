//! The command without MPI, started in several processes. `scripts/processes.py` is for the one with it.

#![cfg(all(unix, not(feature = "mpi")))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use run::{Place, TINY, afterimage, finish, swept};

/// The command as the process `rank` of two that `mpirun` started.
fn one_of_two(rank: &str) -> std::process::Command {
    let mut command = afterimage();
    command.env("OMPI_COMM_WORLD_SIZE", "2");
    command.env("OMPI_COMM_WORLD_RANK", rank);
    command
}

#[test]
fn copies_of_a_run_are_refused_and_told_once() {
    let place = Place::new();
    let config = place.write("config.toml", TINY);
    let out = place.path("run");
    for (rank, said) in [
        ("0", &["built without MPI", "--features mpi"][..]),
        ("1", &[]),
    ] {
        let mut command = one_of_two(rank);
        command.arg("run").arg(&config).arg("--out").arg(&out);
        let ended = finish(&mut command).expect(2, said);
        assert_eq!(ended.err.is_empty(), said.is_empty(), "{}", ended.err);
    }
    assert!(!out.exists());
    // What is no run is as many calls as processes, as ever.
    finish(one_of_two("1").args(["plugins", "unitmem"])).expect(0, &[]);
}

#[test]
fn trials_of_several_processes_are_refused_before_anything_is_made() {
    let sweep = "name = \"t\"\nconfig = \"tiny.toml\"\nmetric = { name = \"eval/knn\" }\nseeds = [1, 2]\n\
                 [set]\n\"batch.shards\" = 2\n[slurm]\nprocesses = 2\n";
    let (place, file) = swept::place(TINY, sweep);
    let said = [
        "sweep.toml:8: slurm.processes: ",
        "built without MPI",
        "--features mpi",
    ];
    for flags in [&["--dry-run"][..], &["--executor", "slurm"], &[]] {
        swept::sweep(&place, &file, flags).expect(2, &said);
    }
    assert!(!place.path("a sweep").exists());
    swept::sweep(&place, &file, &["--dry-run", "--set", "slurm.processes=1"]).expect(0, &[]);
    // Whatever the program: a number that fits no trial.
    swept::sweep(&place, &file, &["--dry-run", "--set", "slurm.processes=4"]).expect(
        2,
        &["slurm.processes: 4 processes cannot share out the 2 shards"],
    );
}
