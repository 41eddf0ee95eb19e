#!/usr/bin/env python3
"""Kills runs at random moments, resumes them, and compares them with a run that was left alone.

Every trial starts the same config, kills the process (SIGKILL) after a random time, resumes, and
in every third trial kills the resumed process, too. In the end the last checkpoint, the metrics,
the decisions and the tables must have the same bytes as those of the straight run; only what
holds a clock (timings.jsonl, TensorBoard's files, log.txt, manifest.json) is left out.

    cargo build --release && scripts/kill_and_resume.py --trials 20

Prints a table, and ends with 1 if a trial differs. Needs nothing but Python.
"""

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RECORDS = ["config.toml", "metrics.jsonl", "histograms.jsonl", "decisions.jsonl"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", type=Path, default=ROOT / "target/release/afterimage")
    parser.add_argument("--config", type=Path, help="default: a small one with every plugin")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder to keep the runs in")
    return parser.parse_args()


def small_config(binary, folder):
    """The tests' config over six epochs, with every plugin, one of which fails midway."""
    text = (ROOT / "crates/cli/tests/configs/tiny.toml").read_text()
    text = text.replace("epochs = 3", "epochs = 6")
    settings = {"chaos": "step = 25", "unitmem": "points = 40\nviews = 2"}
    listed = subprocess.run([binary, "plugins"], check=True, capture_output=True, text=True)
    for line in listed.stdout.splitlines():
        kind = line.split()[0]
        text += f'\n[[plugins]]\nkind = "{kind}"\n{settings.get(kind, "")}\n'
    path = folder / "config.toml"
    path.write_text(text)
    return path


def checkpoints(run):
    return sorted(int(path.name[5:]) for path in (run / "checkpoints").glob("step-*"))


def ends(run):
    """What must not depend on a kill, by name."""
    files = {name: run / name for name in RECORDS}
    last = f"step-{checkpoints(run)[-1]:08}"
    for folder in ["tables", "images", f"checkpoints/{last}"]:
        for path in (run / folder).rglob("*"):
            if path.is_file():
                files[str(path.relative_to(run))] = path
    return {name: path.read_bytes() if path.exists() else b"" for name, path in files.items()}


def start(binary, *words):
    return subprocess.Popen(
        [binary, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def kill_after(process, seconds):
    """Whether the process was alive when it was killed."""
    try:
        process.wait(seconds)
        return False
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True


def main():
    options = arguments()
    if not options.binary.exists():
        sys.exit(f"{options.binary}: not there; build it with `cargo build --release`")
    draw = random.Random(options.seed)
    folder = options.keep or Path(tempfile.mkdtemp(prefix="kill-and-resume-"))
    folder.mkdir(parents=True, exist_ok=True)
    config = options.config or small_config(options.binary, folder)

    began = time.monotonic()
    straight = folder / "straight"
    code = start(options.binary, "run", config, "--out", straight).wait()
    length = time.monotonic() - began
    expected = ends(straight)
    print(f"straight run: exit {code}, {length:.1f} s, {checkpoints(straight)[-1]} steps, "
          f"{len(expected)} files compared\n")
    print("trial  killed after  last checkpoint  killed again  resumed to  differs in")

    trial = missed = failed = 0
    while trial < options.trials:
        run = folder / f"trial-{trial}"
        seconds = draw.uniform(0.02, 0.95) * length
        alive = kill_after(start(options.binary, "run", config, "--out", run), seconds)
        if not alive or not (run / "config.toml").exists():
            # It was over, or had not made its directory: nothing was tested.
            shutil.rmtree(run, ignore_errors=True)
            missed += 1
            if missed > 5 * options.trials:
                sys.exit("most runs were over before they were to be killed; is the machine busy?")
            continue
        trial += 1
        steps = checkpoints(run)
        at = str(steps[-1]) if steps else "none"
        again, resumed = "no", None
        if trial % 3 == 0:
            second = start(options.binary, "resume", run)
            if kill_after(second, draw.uniform(0.02, 0.6) * length):
                steps = checkpoints(run)
                again = f"at {steps[-1]}" if steps else "at none"
            else:
                resumed = second.returncode
        if resumed is None:
            over = checkpoints(run)[-1:] == checkpoints(straight)[-1:]
            resumed = start(options.binary, "resume", run).wait()
            # Killed after its last checkpoint, a run is complete, and resuming it is an error.
            resumed = code if over and resumed == 1 else resumed
        got = ends(run) if checkpoints(run) else {}
        different = sorted(
            name for name in expected.keys() | got.keys() if expected.get(name) != got.get(name)
        )
        if resumed != code:
            different.append(f"exit code {resumed}")
        failed += bool(different)
        reached = checkpoints(run)[-1] if checkpoints(run) else "none"
        print(f"{trial:5}  {seconds:10.2f} s  {at:>15}  {again:>12}  {reached:>10}  "
              f"{', '.join(different) or 'nothing'}", flush=True)
        if not different and not options.keep:
            shutil.rmtree(run)

    print(f"\n{trial - failed} of {trial} killed runs ended as the straight one")
    if failed:
        print(f"the runs that differ are in {folder}")
    elif not options.keep:
        shutil.rmtree(folder)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
