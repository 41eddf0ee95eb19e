#!/usr/bin/env python3
"""Kills runs at random moments, resumes them, and compares them with a run that was left alone.

Every trial starts the same config, kills the process (SIGKILL) after a random time, resumes, and
in every third trial kills the resumed process, too. With `--calls` every third trial is killed at a call
of the system instead: the N-th fsync, rename, unlink, mkdir, rmdir or ftruncate of the run, and again of
its resume, at which `strace` injects the signal. In the end the last checkpoint, the metrics,
the decisions and the tables must have the same bytes as those of the straight run, and report and
result must be there; only what holds a clock (timings.jsonl, TensorBoard's files, log.txt,
manifest.json) is left out. Without `--config` each of some small configs, which have every plugin of
the registry between them, has `--trials` trials.

    cargo build --release && scripts/kill_and_resume.py --trials 20

Prints a table, and ends with 1 if a trial differs. Needs nothing but Python, and strace for `--calls`.
"""

import argparse
import collections
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CALLS = "fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,ftruncate"
RECORDS = ["config.toml", "metrics.jsonl", "histograms.jsonl", "decisions.jsonl"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", type=Path, default=ROOT / "target/release/afterimage")
    parser.add_argument("--config", type=Path, help="default: small ones with every plugin between them")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--calls", action="store_true", help="every third trial is killed at a system call; needs strace")
    parser.add_argument("--only", help="names of the small configs, with commas between")
    parser.add_argument("--keep", type=Path, help="folder to keep the runs in")
    return parser.parse_args()


def described(binary, *words):
    return subprocess.run([binary, "plugins", *words], check=True, capture_output=True, text=True).stdout


def small_configs(binary, folder):
    """Configs of seconds that attach every plugin of the registry between them, by name.

    Observers go together, and one of them fails midway. What needs a reference encoder has one, and what
    acts on the training has a run of its own.
    """
    configs = ROOT / "crates/cli/tests/configs"
    tiny = (ROOT / "crates/testkit/src/tiny.toml").read_text()
    noisy = (configs / "noisy.toml").read_text()
    settings = {
        "chaos": "step = 15", "unitmem": "points = 40\nviews = 2", "classmem": "points = 40\nviews = 2",
        "ownership": "points = 30\nviews = 2\ndraws = 50", "layermem": "points = 10\nviews = 3",
        "oob-value": "watched = 50\npictures = 3", "alignment-gap": "points = 20\nviews = 2",
        "prune": 'fraction = 0.5\nschedule = { kind = "one_shot", epoch = 2 }',
        "coreset": "warmup = 1\nrepeat = true",
    }
    pair = "\n[pair]\ncandidates = 20\n"
    groups = {
        "pair": (tiny + pair, ["layermem", "ownership", "alignment-gap"]),
        "prune": (tiny, ["unitmem", "prune", "magnitude", "bn-gamma", "taylor", "activation-mean", "random-scores"]),
        "coreset": (noisy, ["coreset", "coreset-quality", "embeddings"]),
        "oracle": (noisy, ["coreset-oracle", "coreset-quality"]),
    }
    kinds = [line.split()[0] for line in described(binary).splitlines()]
    elsewhere = {kind for _, group in groups.values() for kind in group} - {"unitmem", "alignment-gap", "embeddings"}
    groups["observers"] = (tiny, [kind for kind in kinds if kind not in elsewhere])
    missing = set(kinds) - {kind for _, group in groups.values() for kind in group}
    if missing:
        sys.exit(f"plugins in no config of this script: {', '.join(sorted(missing))}")
    paths = {}
    for name, (text, group) in groups.items():
        # A score that nobody reads is still computed; `prune` reads that of UnitMem.
        for kind in group:
            text += f'\n[[plugins]]\nkind = "{kind}"\n{settings.get(kind, "")}\n'
        paths[name] = folder / f"{name}.toml"
        paths[name].write_text(text)
    return paths


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


def traced(folder, *words):
    """The calls of a process that may lose or leave something, as (name, how often)."""
    trace = folder / "calls"
    subprocess.run(["strace", "-f", "-qq", "-o", trace, "-e", f"trace={CALLS}", *words],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lines = trace.read_text().splitlines()
    names = collections.Counter(line.split()[1].split("(")[0] for line in lines if "(" in line)
    return [(name, count) for name, count in sorted(names.items()) if name in CALLS.split(",")]


def kill_at(name, number, *words):
    """Whether the process was killed at its call of this number."""
    strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={name}",
              "-e", f"inject={name}:signal=SIGKILL:when={number}"]
    code = subprocess.run([*strace, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
    return code in (-9, 137)


def call_trial(options, draw, config, run, calls):
    """Kills a run at one call and its resume at another; as `trial`."""
    name, count = draw.choices(calls, [count for _, count in calls])[0]
    number = draw.randint(1, count)
    if not kill_at(name, number, options.binary, "run", config, "--out", run):
        shutil.rmtree(run, ignore_errors=True)
        return None
    steps = checkpoints(run)
    words = [f"{f'{name} {number}':>12}", f"{steps[-1] if steps else 'none':>15}"]
    again, count = draw.choices(calls, [count for _, count in calls])[0]
    number = draw.randint(1, count)
    go_on = [options.binary, "run", config, "--out", run, "--resume"]
    second = kill_at(again, number, *go_on)
    resumed = start(*go_on).wait()
    return [*words, f"{f'{again} {number}' if second else 'no':>12}"], resumed


def straight_run(binary, config, run):
    """Its exit code and its seconds; ends the script where the run did not end well."""
    began = time.monotonic()
    code = start(binary, "run", config, "--out", run).wait()
    # 3: a plugin failed on purpose and was switched off.
    if code not in (0, 3):
        sys.exit(f"{config}: the straight run ended with exit code {code}; `{binary} run {config}` says why")
    return code, time.monotonic() - began


def trial(options, draw, config, run, code, length, again):
    """Kills and resumes one run; None where nothing was tested, else a line's words and the exit code."""
    seconds = draw.uniform(0.02, 0.95) * length
    alive = kill_after(start(options.binary, "run", config, "--out", run), seconds)
    if not alive or not (run / "config.toml").exists():
        # It was over, or had not made its directory: nothing was tested.
        shutil.rmtree(run, ignore_errors=True)
        return None
    steps = checkpoints(run)
    words = [f"{seconds:10.2f} s", f"{steps[-1] if steps else 'none':>15}"]
    killed = "no"
    if again:
        second = start(options.binary, "resume", run)
        if kill_after(second, draw.uniform(0.02, 0.6) * length):
            killed = f"at {(checkpoints(run) or ['none'])[-1]}"
        elif second.returncode == code:
            return [*words, f"{'over':>12}"], code
    ended = (run / "report.html").exists() and (run / "result.json").exists()
    resumed = start(options.binary, "resume", run).wait()
    # Killed behind its very end, a run is complete, and resuming it is an error.
    return [*words, f"{killed:>12}"], code if ended and resumed == 1 else resumed


def storm(options, draw, name, config, folder):
    """Trials of one config; how many differ from the straight run."""
    straight = folder / f"{name}-straight"
    code, length = straight_run(options.binary, config, straight)
    expected = ends(straight)
    calls = []
    if options.calls:
        calls = traced(folder, options.binary, "run", config, "--out", folder / f"{name}-traced")
        shutil.rmtree(folder / f"{name}-traced")
        print(f"{name}: calls: {', '.join(f'{count} {call}' for call, count in calls)}")
    print(f"{name}: straight run: exit {code}, {length:.1f} s, {checkpoints(straight)[-1]} steps, "
          f"{len(expected)} files compared\n")
    print("trial  killed after  last checkpoint  killed again  resumed to  differs in")
    done = missed = failed = 0
    while done < options.trials:
        run = folder / f"{name}-{done}"
        at_call = options.calls and done % 3 == 1
        tried = (call_trial(options, draw, config, run, calls) if at_call
                 else trial(options, draw, config, run, code, length, done % 3 == 2))
        if tried is None:
            missed += 1
            if missed > 5 * options.trials:
                sys.exit("most runs were over before they were to be killed; is the machine busy?")
            continue
        done += 1
        words, resumed = tried
        got = ends(run) if checkpoints(run) else {}
        different = sorted(
            name for name in expected.keys() | got.keys() if expected.get(name) != got.get(name)
        )
        different += [f"no {name}" for name in ["report.html", "result.json"] if not (run / name).exists()]
        if resumed != code:
            different.append(f"exit code {resumed}")
        failed += bool(different)
        reached = checkpoints(run)[-1] if checkpoints(run) else "none"
        print(f"{done:5}  {'  '.join(words)}  {reached:>10}  {', '.join(different) or 'nothing'}", flush=True)
        if not different and not options.keep:
            shutil.rmtree(run)
    print(f"\n{done - failed} of {done} killed runs ended as the straight one\n", flush=True)
    return failed


def main():
    options = arguments()
    if not options.binary.exists():
        sys.exit(f"{options.binary}: not there; build it with `cargo build --release`")
    draw = random.Random(options.seed)
    folder = options.keep or Path(tempfile.mkdtemp(prefix="kill-and-resume-"))
    folder.mkdir(parents=True, exist_ok=True)
    configs = {"config": options.config} if options.config else small_configs(options.binary, folder)
    if options.only:
        names = options.only.split(",")
        unknown = sorted(set(names) - configs.keys())
        if unknown:
            sys.exit(f"--only: no config is named {', '.join(unknown)}; there are {', '.join(configs)}")
        configs = {name: configs[name] for name in names}
    failed = sum(storm(options, draw, name, path, folder) for name, path in configs.items())
    if failed:
        print(f"the runs that differ are in {folder}")
    elif not options.keep:
        shutil.rmtree(folder)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
