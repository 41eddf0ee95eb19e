#!/usr/bin/env python3
"""Runs that several processes compute together on a Slurm cluster of two nodes, and compares the bytes.

A config whose batches are cut into four shards is run by one process, by `srun` with two processes on two
nodes, and by `mpirun` in an allocation of two nodes. Then a run is cut off three times and goes on each time
with another number of processes: one of 4 is killed, the job of 2 is cancelled, 4 are told to end after the
step under way, and 1 goes on to the end. Then a sweep whose trials have two processes, told to end on the
way and begun again, beside one whose trials have one. All must have the same bytes, as in
scripts/processes.py, which says what is compared.

    cargo build --release -p afterimage-cli --features mpi
    eval "$(CPUS=2 scripts/slurm_cluster.sh start)" && scripts/processes_on_slurm.py

Prints a table, and ends with 1 if anything differs. Needs Python, Slurm and Open MPI.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kill_and_resume import ROOT, checkpoints, ends
from processes import ACTS, CUT, MPIRUN, await_checkpoint, compared, places

JOB = "afterimage-processes"
# The nodes of the cluster are one machine: processes of two nodes would take the memory that those of one
# node share for theirs.
APART = {"OMPI_MCA_btl": "self,tcp"}
# Trials that are jobs of two nodes.
SWEEP = """
name = "processes"
config = "acting.toml"
seeds = [1, 2]
metric = { name = "eval/knn" }
set = { epochs = 4 }

[slurm]
processes = 2
options = ["--nodes=2"]
setup = ["export OMPI_MCA_btl=self,tcp"]
"""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", type=Path, default=ROOT / "target/release/afterimage")
    parser.add_argument("--keep", type=Path, help="folder to keep the runs in")
    return parser.parse_args()


def srun(processes, nodes=2):
    """How processes are started as a job of their own."""
    return ["srun", f"--job-name={JOB}", f"--nodes={nodes}", f"--ntasks={processes}", "--mpi=pmix",
            "--kill-on-bad-exit=1"]


def start(*command):
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                            stdin=subprocess.DEVNULL, env=os.environ | APART)


def finish(*command):
    """Exit code, seconds and what was said."""
    began = time.monotonic()
    process = start(*command)
    said = process.communicate(timeout=300)[1]
    return process.returncode, time.monotonic() - began, said


def on_node(node, run):
    """The processes of a run that Slurm started on a node."""
    found = []
    for place in places():
        try:
            words = (place / "cmdline").read_bytes().split(b"\0")
            variables = (place / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        # `srun` and its helper have the run in their words, too, and no node.
        if str(run).encode() in words and f"SLURMD_NODENAME={node}".encode() in variables:
            found.append(int(place.name))
    return found


def kill_one(run):
    os.kill(on_node("n2", run)[-1], signal.SIGKILL)


def cancel(_run):
    subprocess.run(["scancel", f"--name={JOB}"], check=True)


def tell(_run):
    subprocess.run(["scancel", "--signal=TERM", f"--name={JOB}"], check=True)


def cut_off(command, run, beyond, how):
    """Starts a run, waits for a checkpoint beyond a step and cuts it off; its exit code and the seconds until
    all were gone, or none where it was over before."""
    process = start(*command)
    await_checkpoint(process, run, beyond)
    began = time.monotonic()
    try:
        how(run)
    except (ProcessLookupError, IndexError):
        pass
    process.communicate(timeout=120)
    return (process.returncode, time.monotonic() - began) if process.returncode else None


def chain(binary, config, run):
    """4 processes, one killed, 2, cancelled, 4, told to end, 1: what happened, or none where a run was over too
    early."""
    told = []
    beyond = 0
    for processes, how, codes in ((4, kill_one, {137, 143}), (2, cancel, {143}), (4, tell, {143})):
        ended = cut_off([*srun(processes), binary, "run", config, "--out", run, "--resume"], run, beyond, how)
        if ended is None:
            return None
        code, seconds = ended
        if code not in codes:
            sys.exit(f"{run}: {processes} processes ended with {code}, {how.__name__}")
        if left := on_node("n1", run) + on_node("n2", run):
            sys.exit(f"{run}: processes are left: {left}, {how.__name__}")
        beyond = checkpoints(run)[-1]
        told.append(f"{processes} ✗{beyond} ({how.__name__}, exit code {code}, {seconds:.1f} s)")
    code, _, said = finish(binary, "resume", run)
    if code != 0:
        sys.exit(f"{run}: the last process ended with {code}:\n{said}")
    return told


def equal_bytes(binary, config, folder):
    """How many runs differ from that of one process."""
    expected, failed = None, 0
    ways = {
        "1": [],
        "2, srun": srun(2),
        "2, mpirun": ["salloc", "--quiet", f"--job-name={JOB}", "--nodes=2", "--ntasks=2", *MPIRUN, "-n", "2"],
    }
    for number, (way, before) in enumerate(ways.items()):
        run = folder / f"run-{number}"
        code, seconds, said = finish(*before, binary, "run", config, "--out", run)
        if code != 0:
            sys.exit(f"{way} ended with {code}:\n{said}")
        expected = expected or ends(run)
        different = compared(expected, run)
        failed += bool(different)
        print(f"{way:>12} {seconds:8.1f} s  {', '.join(different) or 'nothing'}", flush=True)
    run = folder / "chain"
    for _ in range(5):
        shutil.rmtree(run, ignore_errors=True)
        told = chain(binary, config, run)
        if told:
            break
    else:
        sys.exit(f"{run}: it was over before it was to be cut off, five times; is the machine busy?")
    different = compared(expected, run)
    print(f"{', '.join(told)}, 1: {', '.join(different) or 'nothing'} of {len(expected)} files", flush=True)
    return failed + bool(different)


def sweep(binary, file, out, *flags):
    """A sweep on the cluster, told to end at its first checkpoint and begun again."""
    command = [binary, "sweep", file, "--out", out, "--executor", "slurm", *flags]
    process = start(*command)
    while process.poll() is None and not list(out.glob("trials/*/checkpoints/step-*")):
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=120)[1]
    if process.returncode != 143:
        sys.exit(f"{out}: told to end, the sweep ended with {process.returncode}:\n{said}")
    code, seconds, said = finish(*command)
    if code != 0:
        sys.exit(f"{out}: the sweep ended with {code}:\n{said}")
    return seconds


def trials(binary, folder):
    """How many trials of two processes differ from those of one."""
    file = folder / "sweep.toml"
    file.write_text(SWEEP)
    code, _, said = finish(binary, "sweep", file, "--out", folder / "refused")
    if code != 2 or said.count("only --executor slurm") != 1 or (folder / "refused").exists():
        sys.exit(f"a sweep on this machine is not refused as it should be: {code}\n{said}")
    seconds = sweep(binary, file, folder / "sweep two")
    alone = [binary, "sweep", file, "--out", folder / "sweep one", "--set", "slurm.processes=1", "--jobs", "1"]
    code, _, said = finish(*alone)
    if code != 0:
        sys.exit(f"the sweep of one process ended with {code}:\n{said}")
    failed = 0
    for run in sorted((folder / "sweep one/trials").iterdir()):
        other = folder / "sweep two/trials" / run.name
        started = (folder / "sweep two/slurm").glob("*.sh")
        if not any("srun --ntasks=2" in script.read_text() for script in started):
            sys.exit("the trials were not started in two processes")
        different = compared(ends(run), other)
        failed += bool(different)
        print(f"trial {run.name}, 2 processes, told to end and gone on with: {', '.join(different) or 'nothing'}")
    print(f"the sweep took {seconds:.1f} s to its end", flush=True)
    return failed


def main():
    options = arguments()
    binary = options.binary.resolve()
    if not binary.exists():
        sys.exit(f"{binary}: not there; build it with `cargo build --release -p afterimage-cli --features mpi`")
    folder = (options.keep or Path(tempfile.mkdtemp(prefix="processes-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    tiny = (ROOT / "crates/testkit/src/tiny.toml").read_text().replace("epochs = 3", "epochs = 8")
    config = folder / "acting.toml"
    config.write_text(tiny + CUT + ACTS)
    print("   processes       time  differs in", flush=True)
    failed = equal_bytes(binary, config, folder) + trials(binary, folder)
    if failed:
        print(f"{failed} differ; the runs are in {folder}")
    elif not options.keep:
        shutil.rmtree(folder)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
