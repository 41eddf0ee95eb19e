#!/usr/bin/env python3
"""Runs small configs in 1, 2 and 4 processes under mpirun, kills processes of them, and compares the bytes.

Each config cuts its batches into four shards. In 1, 2 and 4 processes the last checkpoint, the metrics,
the decisions and the tables must have the same bytes, and so must they where 4 processes were begun with,
one of which was killed, 2 went on, one of which was killed, and 1 went on to the end. What only holds a
clock is left out, as in scripts/kill_and_resume.py, which says what is compared. Then starts that must end
with one clear error and leave nothing behind.

    cargo build --release -p afterimage-cli --features mpi && scripts/processes.py

Prints a table, and ends with 1 if anything differs. Needs Python and Open MPI's mpirun.
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

# A container runs it as root, on fewer cores than processes.
MPIRUN = ["mpirun", "--allow-run-as-root", "--oversubscribe"]
CUT = "\n[batch]\nshards = 4\n"
# Where training acts: plans with weights and units that are pruned.
ACTS = """
[[plugins]]
kind = "unitmem"
points = 40
views = 2

[[plugins]]
kind = "oob-value"
patch = 7
heads = 8

[[plugins]]
kind = "coreset"
warmup = 1
repeat = true
proxy = "features"
weights = "cluster-size"
partition = "none"

[[plugins]]
kind = "prune"
fraction = 0.3
schedule = { kind = "one_shot", epoch = 2 }
"""
PAIR = """
[pair]
candidates = 20

[[plugins]]
kind = "unitmem"
points = 40
views = 2

[[plugins]]
kind = "layermem"
points = 10
views = 3
"""
# A coreset that mixes the pictures of a batch, so that every process renders all of them.
MIXES = """
[[plugins]]
kind = "coreset"
preset = "crust-paper"
warmup = 1
repeat = true
"""
HEAD = "[projection]\nhidden = 32\noutput = 16\n"
DINO = 'kind = "dino"\nprototypes = 32\nlocal_views = 2\nlocal_size = 16'


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", type=Path, default=ROOT / "target/release/afterimage")
    parser.add_argument("--only", help="names of configs, with commas between")
    parser.add_argument("--keep", type=Path, help="folder to keep the runs in")
    return parser.parse_args()


def configs(folder):
    tiny = (ROOT / "crates/testkit/src/tiny.toml").read_text().replace("epochs = 3", "epochs = 4")
    texts = {
        "acting": tiny + CUT + ACTS,
        "pair": tiny + CUT + PAIR,
        "all": tiny + CUT + 'negatives = "all"\n' + ACTS,
        "dino": tiny.replace('kind = "simclr"', DINO) + CUT,
        "mixing": tiny.replace('kind = "simclr"', 'kind = "supervised"').replace(HEAD, "") + CUT + MIXES,
    }
    paths = {name: folder / f"{name}.toml" for name in texts}
    for name, text in texts.items():
        paths[name].write_text(text)
    return paths


def words(binary, processes, *arguments):
    alone = [binary, *arguments]
    return alone if processes == 1 else [*MPIRUN, "-n", str(processes), *alone]


def finish(*command):
    """Exit code, seconds and what was said."""
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return done.returncode, time.monotonic() - began, done.stderr


def places():
    """The folders of all processes of this machine."""
    return Path("/proc").glob("[0-9]*")


def members(launcher):
    """The processes that mpirun started here."""
    found = []
    for place in places():
        try:
            # The name of the program is in parentheses and may hold anything.
            parent = (place / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if int(parent) == launcher:
            found.append(int(place.name))
    return sorted(found)


def await_checkpoint(process, run, beyond):
    """Waits until a run has a checkpoint beyond a step, or until its process is over."""
    while process.poll() is None:
        if (run / "checkpoints").exists() and (checkpoints(run) or [0])[-1] > beyond:
            break
        time.sleep(0.01)


def kill_one(command, run, beyond):
    """Starts a run, waits for a checkpoint beyond a step and kills its last process; what it said, or none
    where it was over before."""
    launcher = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    await_checkpoint(launcher, run, beyond)
    victims = members(launcher.pid) if launcher.poll() is None else []
    try:
        if victims:
            os.kill(victims[-1], signal.SIGKILL)
    except ProcessLookupError:
        victims = []
    said = launcher.communicate(timeout=120)[1]
    return said if victims and launcher.returncode != 0 else None


def chain(binary, config, run):
    """4 processes, killed, 2, killed, 1; the steps of the checkpoints that were gone on from."""
    for _ in range(5):
        shutil.rmtree(run, ignore_errors=True)
        steps = []
        for processes in (4, 2):
            beyond = steps[-1] if steps else 0
            command = words(binary, processes, "run", config, "--out", run, "--resume")
            said = kill_one(command, run, beyond)
            if said is None:
                break
            if "signal 9" not in said:
                sys.exit(f"{run}: mpirun does not say that a process was killed:\n{said}")
            steps.append(checkpoints(run)[-1])
        if len(steps) == 2:
            code, _, said = finish(*words(binary, 1, "resume", run))
            if code != 0:
                sys.exit(f"{run}: the last process ended with {code}:\n{said}")
            return steps
    sys.exit(f"{run}: it was over before it was to be killed, five times; is the machine busy?")


def compared(expected, run):
    got = ends(run)
    return sorted(name for name in expected.keys() | got.keys() if expected.get(name) != got.get(name))


def equal_bytes(binary, name, config, folder):
    """How many of the runs of one config differ from that of one process."""
    failed, expected = 0, None
    for processes in (1, 2, 4):
        run = folder / f"{name}-{processes}"
        code, seconds, said = finish(*words(binary, processes, "run", config, "--out", run))
        if code != 0:
            sys.exit(f"{name} in {processes} processes ended with {code}:\n{said}")
        expected = expected or ends(run)
        different = compared(expected, run)
        failed += bool(different)
        print(f"{name:8} {processes:12}  {seconds:6.1f} s  {', '.join(different) or 'nothing'}", flush=True)
    run = folder / f"{name}-chain"
    steps = chain(binary, config, run)
    different = compared(expected, run)
    different += [f"no {file}" for file in ("report.html", "result.json") if not (run / file).exists()]
    path = f"4 ✗{steps[0]} 2 ✗{steps[1]} 1"
    print(f"{name:8} {path:>12}            {', '.join(different) or 'nothing'} of {len(expected)} files", flush=True)
    return failed + bool(different)


def refused(what, command, text, code, run):
    """Whether a start that cannot work says so once, and leaves nothing."""
    got, _, said = finish(*command)
    right = got == code and said.count(text) == 1 and not run.exists()
    print(f"{what}: exit code {got}, {'once told' if right else 'not as it should be:' + chr(10) + said}", flush=True)
    return 0 if right else 1


def bad_starts(binary, config, folder):
    run = folder / "refused"
    go = ["run", config, "--out", run]
    failed = refused("3 processes for 4 shards", words(binary, 3, *go), "3 processes cannot share out the 4 shards",
                     2, run)
    whole = [*go, "--set", "batch.shards=1"]
    failed += refused("no shards", words(binary, 2, *whole), "2 processes cannot share out the 1 shard", 2, run)
    two = [*MPIRUN, "-n", "1", binary, *go, ":", "-n", "1", binary, *go]
    failed += refused("another config", [*two, "--set", "seed=8"], "process 1 of 2 has another config", 2, run)
    # Each machine has images of its own under the same path.
    for place in ("here", "there"):
        for label in ("cat", "dog"):
            (folder / place / "images" / label).mkdir(parents=True)
            for number in range(60):
                value = number + (100 if place == "there" and number == 7 else 0)
                picture(folder / place / "images" / label / f"{number}.pgm", value)
    data = folder / "data.toml"
    text = config.read_text().replace('kind = "embedded"', 'kind = "folder"\ntrain = "images"\nsize = 28\nchannels = 1', 1)
    data.write_text(text.replace("train = 320", "train = 100").replace("held_out = 100", "held_out = 20"))
    go = ["run", data, "--out", run]
    two = []
    for place in ("here", "there"):
        two += [":"] if two else []
        two += ["-n", "1", "-wdir", str(folder / place), binary, *go]
    failed += refused("other images", [*MPIRUN, *two], "process 1 of 2 has other images", 2, run)
    shutil.rmtree(folder / "there/images")
    failed += refused("images missing on one machine", [*MPIRUN, *two], "process 1 of 2 failed", 1, run)
    return failed + refused("another command", words(binary, 2, "plugins"), "share out `run` and `resume` alone", 2, run)


def picture(path, value):
    """A gray image of 28 × 28."""
    pixels = bytes((value + 3 * at) % 256 for at in range(784))
    path.write_bytes(b"P5\n28 28\n255\n" + pixels)


def main():
    options = arguments()
    binary = options.binary.resolve()
    if not binary.exists():
        sys.exit(f"{binary}: not there; build it with `cargo build --release -p afterimage-cli --features mpi`")
    folder = (options.keep or Path(tempfile.mkdtemp(prefix="processes-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    paths = configs(folder)
    chosen = options.only.split(",") if options.only else list(paths)
    print("config      processes      time  differs in", flush=True)
    failed = sum(equal_bytes(binary, name, paths[name], folder) for name in chosen)
    failed += bad_starts(binary, paths["acting"], folder)
    if failed:
        print(f"{failed} differ or are not refused as they should be; the runs are in {folder}")
    elif not options.keep:
        shutil.rmtree(folder)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
