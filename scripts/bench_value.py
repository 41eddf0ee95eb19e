#!/usr/bin/env python3
"""CPU seconds of `afterimage value` and of its peers on the same tables, in one run.

    python scripts/bench_value.py target/release/afterimage BASELINES [--learners 1000] [--sets ...]

Peers, each on one thread:
- official: the pipeline of the official 2D-OOB code, written anew from its description: a
  scikit-learn tree a bag on a random subset of the columns, then sums in a dictionary keyed by
  (row, column). The arms `trees` and `loop` are its two parts.
- bagging: scikit-learn's BaggingClassifier with random subsets of the columns, and the sums as two
  matrix products.
- pyDVL: its DataOOBValuation over a fitted RandomForestClassifier: values of rows only.

Ours is the whole command: start, reading CSV, trees, values of rows and cells, and writing CSV, Parquet
and the page. CPU seconds are user + system of the process or child, so that other jobs on the machine
disturb little; wall seconds of ours are for 1 and 2 threads. Needs scikit-learn, NumPy, pandas, pyDVL.
"""
import argparse
import os
import resource
import subprocess
import tempfile
import time
import warnings
from collections import defaultdict
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
warnings.simplefilter("ignore")

import numpy as np
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier


def official(x, y, learners, ratio):
    rng = np.random.default_rng(0)
    n, d = x.shape
    size = max(round(ratio * d), 1)
    start = time.process_time()
    forest = []
    for _ in range(learners):
        weights = np.bincount(rng.integers(0, n, n), minlength=n)
        subset = np.sort(rng.choice(d, size, replace=False))
        tree = DecisionTreeClassifier(max_features="sqrt", random_state=int(rng.integers(2**31)))
        forest.append((tree.fit(x[:, subset], y, sample_weight=weights.astype(float)), weights, subset))
    fitted = time.process_time()
    sums, counts = defaultdict(float), defaultdict(int)
    for tree, weights, subset in forest:
        out = np.flatnonzero(weights == 0)
        hits = tree.predict(x[out][:, subset]) == y[out]
        for row, hit in zip(out, hits):
            for column in subset:
                sums[row, column] += hit
                counts[row, column] += 1
    values = np.full((n, d), np.nan)
    for key, count in counts.items():
        values[key] = sums[key] / count
    return fitted - start, time.process_time() - fitted, values


def bagging(x, y, learners, ratio):
    start = time.process_time()
    bag = BaggingClassifier(
        DecisionTreeClassifier(max_features="sqrt"), n_estimators=learners, max_features=ratio, random_state=0, n_jobs=1
    ).fit(x, y)
    fitted = time.process_time()
    n, d = x.shape
    out, hit = np.zeros((n, learners), "f4"), np.zeros((n, learners), "f4")
    seen = np.zeros((learners, d), "f4")
    for b, (tree, drawn, subset) in enumerate(zip(bag.estimators_, bag.estimators_samples_, bag.estimators_features_)):
        rows = np.setdiff1d(np.arange(n), drawn)
        out[rows, b] = 1
        hit[rows, b] = bag.classes_[tree.predict(x[rows][:, subset]).astype(int)] == y[rows]
        seen[b, subset] = 1
    values = (hit @ seen) / (out @ seen)
    return fitted - start, time.process_time() - fitted, values


def pydvl(x, y, learners):
    from pydvl.valuation.dataset import Dataset
    from pydvl.valuation.methods.data_oob import DataOOBValuation

    start = time.process_time()
    forest = RandomForestClassifier(n_estimators=learners, random_state=0, n_jobs=1).fit(x, y)
    DataOOBValuation(forest).fit(Dataset(x, y))
    return time.process_time() - start


def ours(program, x, y, learners, ratio, threads, cells=True):
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.csv"
        header = ",".join([f"x{j}" for j in range(x.shape[1])] + ["y"])
        np.savetxt(table, np.column_stack([x, y]), delimiter=",", header=header, comments="", fmt="%.7g")
        out = Path(folder) / "out"
        command = [program, "value", table, "--label", "y", "--learners", learners, "--ratio", ratio]
        command += ["--threads", threads, "--out", out] if cells else ["--threads", threads]
        before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.time()
        peak = watched([str(part) for part in command])
        wall, after = time.time() - wall, resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return seconds, wall, peak


def watched(command):
    """Runs a command; its peak resident memory in MB, looked at every few milliseconds.

    The system's own figure for a child counts what it shared with Python before it started.
    """
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0.0
    while child.poll() is None:
        try:
            status = Path(f"/proc/{child.pid}/status").read_text()
            program = Path(f"/proc/{child.pid}/exe").resolve().name
        except OSError:  # it has just ended
            break
        if program == Path(command[0]).name:
            found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
            peak = max([peak] + [float(kilobytes) / 1024 for kilobytes in found])
        time.sleep(0.01)
    if child.wait() != 0:
        raise SystemExit(f"{command[0]} ended with {child.returncode}")
    return peak


def peers(program, given):
    print("CPU seconds; official / ours etc. are ratios of them")
    print(f"{'set':16} {'n':>5} {'d':>4} {'trees':>7} {'loop':>7} {'bagging':>8} {'pyDVL':>7} {'ours':>7} | official/ours trees/ours bagging/ours pyDVL/ours | ours wall 1, 2 threads")
    for name in given.sets:
        folder = given.baselines / name
        x = np.loadtxt(folder / "train_x.csv", delimiter=",").astype("f4")
        y = np.loadtxt(folder / "train_y.csv", delimiter=",").astype(int)
        ratio = 0.25 if "fmnist" in name else 0.5
        runs = [ours(program, x, y, given.learners, ratio, threads) for threads in (1, 2) for _ in range(3)]
        cpu = sorted(run[0] for run in runs[:3])[1]
        wall = [min(run[1] for run in part) for part in (runs[:3], runs[3:])]
        trees, loop, _ = official(x, y, given.learners, ratio)
        bag = sum(bagging(x, y, given.learners, ratio)[:2])
        rows = pydvl(x, y, given.learners)
        print(f"{name:16} {x.shape[0]:5} {x.shape[1]:4} {trees:7.2f} {loop:7.2f} {bag:8.2f} {rows:7.2f} {cpu:7.3f} | "
              f"{(trees + loop) / cpu:13.1f} {trees / cpu:10.1f} {bag / cpu:12.1f} {rows / cpu:10.1f} | {wall[0]:.3f} {wall[1]:.3f}", flush=True)


def growth(program, given):
    print("\nGrowth of ours with the number of rows; peak memory in MB")
    rng = np.random.default_rng(0)
    for n, d, learners in given.growth:
        x = rng.normal(size=(n, d)).astype("f4")
        y = (x[:, 0] * x[:, 1] + x[:, 2] + 0.5 * rng.normal(size=n) > 0).astype(int)
        runs = [ours(program, x, y, learners, 0.5, threads, cells=n * d <= 10_000_000) for threads in (1, 2)]
        print(f"{n:8} x {d:3}, {learners} learners: {runs[0][0]:.2f} CPU s, wall {runs[0][1]:.2f} s on 1 thread, {runs[1][1]:.2f} s on 2; {runs[1][2]:.0f} MB", flush=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("program")
    arguments.add_argument("baselines", type=Path)
    arguments.add_argument("--learners", type=int, default=1000)
    arguments.add_argument("--sets", nargs="*", default=["fried", "gaussian", "fmnist_bd_0to6"])
    arguments.add_argument("--growth", nargs="*", default=["1000x20x1000", "10000x20x1000", "100000x20x200"])
    given = arguments.parse_args()
    given.growth = [tuple(int(part) for part in size.split("x")) for size in given.growth]
    peers(given.program, given)
    growth(given.program, given)


main()
