#!/usr/bin/env python3
"""`afterimage select` beside apricot, submodlib and CRUST's Python rule: time, memory and objective.

Every contestant runs in a process of its own on one thread (afterimage also on two), all of them one
after the other in each round. CPU and wall seconds are those of building distances and selecting, as
the contestant tells them; `process` is the CPU time of the whole process, with imports and reading.
Objective (sum over samples of the largest distance of their class minus that to the nearest chosen
sample) and k-medoids cost are computed here, in f64.

    pip install numpy numba apricot-select submodlib-py
    python3 scripts/bench_coreset.py AFTERIMAGE [--inputs FILE.npy ...] [--fifty] [--rounds N]
                                     [--fractions 0.1 0.5] [--without NAME ...]

AFTERIMAGE is the built command. Each of --inputs is one ground set; --fifty adds 50,000 points in ten
classes of 50 clusters of power-law sizes with a tenth of outliers, made here from a fixed seed.
"""

import argparse
import csv
import heapq
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np


def clock():
    return np.array([time.perf_counter(), time.process_time()])


def distances(x):
    squares = (x * x).sum(1)
    d = squares[:, None] + squares[None] - 2 * (x @ x.T)
    np.maximum(d, 0, out=d)
    np.sqrt(d, out=d)
    np.fill_diagonal(d, 0)
    return d


def similarities(x):
    d = distances(x)
    return d.max() - d


def crust(s, k, subtract):
    """Lazy greedy on row sums of max(covered, s); the released code leaves out the subtraction."""
    covered, value = np.zeros(len(s), s.dtype), 0.0
    heap = [(-float(s[e].sum()), e) for e in range(len(s))]
    heapq.heapify(heap)
    chosen = []
    while len(chosen) < k:
        while True:
            _, e = heapq.heappop(heap)
            gain = float(np.maximum(covered, s[e]).sum()) - (value if subtract else 0.0)
            if not heap or gain >= -heap[0][0]:
                break
            heapq.heappush(heap, (-gain, e))
        covered = np.maximum(covered, s[e])
        value = float(covered.sum())
        chosen.append(e)
    return chosen


def prepare(name):
    """Imports and compiles what is not part of the work; returns build and select functions."""
    if name == "apricot":
        from apricot import FacilityLocationSelection

        def choose(s, k):
            selection = FacilityLocationSelection(k, metric="precomputed", optimizer="lazy")
            return selection.fit(s).ranking

        choose(similarities(np.random.default_rng(0).normal(size=(64, 4))), 4)
        return lambda x: similarities(x).astype(np.float64), choose
    if name == "submodlib":
        from submodlib import FacilityLocationFunction

        def choose(s, k):
            function = FacilityLocationFunction(
                n=len(s), mode="dense", sijs=s, separate_rep=False)
            picks = function.maximize(
                budget=k, optimizer="LazyGreedy", stopIfZeroGain=False,
                stopIfNegativeGain=False, verbose=False, show_progress=False)
            return [e for e, _ in picks]

        return similarities, choose
    return similarities, lambda s, k: crust(s, k, name == "crust-mended")


def work(name, data, labels, fraction):
    build, choose = prepare(name)
    x = np.load(data)
    of = np.load(labels) if labels else np.zeros(len(x), int)
    built, selected, chosen = np.zeros(2), np.zeros(2), []
    for label in np.unique(of):
        ids = np.flatnonzero(of == label)
        start = clock()
        s = build(np.ascontiguousarray(x[ids]))
        middle = clock()
        picks = choose(s, round(fraction * len(ids)))
        built, selected = built + middle - start, selected + clock() - middle
        chosen += [int(ids[int(e)]) for e in picks]
    total = built + selected
    print(json.dumps({"wall": total[0], "cpu": total[1], "build": built[0], "select": selected[0],
                      "memory": peak_memory(), "chosen": chosen}))


def peak_memory():
    """Peak memory of this program in MB; that of a child's rusage would count its parent's, too."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def measured(command):
    """Runs a command; its output and CPU seconds."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command}: failed")
    return out, usage.ru_utime + usage.ru_stime


def afterimage(binary, options, data, labels, fraction):
    with tempfile.TemporaryDirectory() as place:
        out = pathlib.Path(place) / "out"
        command = [binary, "select", data, "--fraction", str(fraction), "--out", str(out), *options]
        _, cpu = measured(command + (["--labels", labels] if labels else []))
        summary = json.loads((out / "summary.json").read_text())
        with open(out / "coreset.csv", newline="") as rows:
            chosen = [int(row["index"]) for row in csv.DictReader(rows)]
    build, select = summary["seconds_to_build"], summary["seconds_to_select"]
    return {"wall": build + select, "cpu": cpu, "build": build, "select": select, "chosen": chosen,
            "process": cpu, "memory": summary["peak_memory_bytes"] / 2**20,
            "storage": summary["storage"]}


def judge(x, of, chosen):
    objective = cost = 0.0
    for label in np.unique(of):
        ids = np.flatnonzero(of == label)
        mine = np.array([e for e in chosen if of[e] == label])
        d = distances(x[ids].astype(np.float64))
        near = np.full(len(ids), np.inf)
        place = np.searchsorted(ids, mine)
        for start in range(0, len(place), 500):
            near = np.minimum(near, d[place[start:start + 500]].min(0))
        cost += near.sum()
        objective += (d.max() - near).sum()
    return objective, cost


def fifty(folder):
    rng = np.random.default_rng(1)
    points = []
    for _ in range(10):
        centres = rng.normal(size=(50, 128))
        sizes = 1 / np.arange(1, 51)
        cluster = rng.choice(50, 5000, p=sizes / sizes.sum())
        x = centres[cluster] + 0.4 * rng.normal(size=(5000, 128))
        out = rng.random(5000) < 0.1
        x[out] = 1.5 * rng.normal(size=(out.sum(), 128))
        points.append(x)
    data, labels = f"{folder}/mix50k.npy", f"{folder}/mix50k_labels.npy"
    order = rng.permutation(50_000)
    np.save(data, np.concatenate(points).astype(np.float32)[order])
    np.save(labels, np.repeat(np.arange(10), 5000)[order])
    return data, labels


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary")
    parser.add_argument("--inputs", nargs="*", default=[])
    parser.add_argument("--fifty", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--fractions", type=float, nargs="*", default=[0.1])
    parser.add_argument("--without", nargs="*", default=[])
    arguments = parser.parse_args()
    binary = shutil.which(arguments.binary) or arguments.binary
    ours = {
        "afterimage": ["--threads", "1"],
        "afterimage, 2 threads": ["--threads", "2"],
        "afterimage, 30 MB": ["--threads", "1", "--memory", "30MB"],
        "afterimage, dense": ["--threads", "1", "--storage", "dense"],
    }
    peers = ["apricot", "submodlib", "crust-mended", "crust-released"]
    with tempfile.TemporaryDirectory() as folder:
        inputs = [(path, None) for path in arguments.inputs]
        inputs += [fifty(folder)] if arguments.fifty else []
        for data, labels in inputs:
            x = np.load(data)
            of = np.load(labels) if labels else np.zeros(len(x), int)
            for fraction in arguments.fractions:
                runs = {}
                for _ in range(arguments.rounds):
                    for name in [*ours, *peers]:
                        if name in arguments.without:
                            continue
                        if name in ours:
                            found = afterimage(binary, ours[name], data, labels, fraction)
                        else:
                            command = [sys.executable, __file__, "--worker", name, data,
                                       labels or "", str(fraction)]
                            out, cpu = measured(command)
                            found = {**json.loads(out), "process": cpu}
                        runs.setdefault(name, []).append(found)
                print(f"\n{pathlib.Path(data).name}, {len(x)} points, {len(np.unique(of))} "
                      f"classes, {fraction:.0%}; medians of {arguments.rounds} rounds\n")
                print("| contestant | wall s | CPU s | process CPU s | peak MB | objective | "
                      "k-medoids cost | first picks |")
                print("|---|---|---|---|---|---|---|---|")
                for name, found in runs.items():
                    middle = {key: statistics.median(run[key] for run in found)
                              for key in ("wall", "cpu", "process", "memory")}
                    objective, cost = judge(x, of, found[0]["chosen"])
                    print(f"| {name} | {middle['wall']:.2f} | {middle['cpu']:.2f} | "
                          f"{middle['process']:.2f} | {middle['memory']:.0f} | {objective:.3f} | "
                          f"{cost:.3f} | {found[0]['chosen'][:5]} |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "--worker":
        work(sys.argv[2], sys.argv[3], sys.argv[4] or None, float(sys.argv[5]))
    else:
        main()
