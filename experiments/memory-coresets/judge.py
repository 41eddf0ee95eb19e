#!/usr/bin/env python3
"""What README.md asks about memory of the rest: judge.py SWEEP_FOLDER, a line of a table for each answer."""

import sys
from pathlib import Path
from statistics import mean, stdev

import pyarrow.parquet as pq

LAYER = "embedding"
ARMS = ["without-memorized", "without-typical", "oracle"]
# Student's t for 95 %, by degrees of freedom.
STUDENT = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776}


def last(run, table):
    """The rows of the last epoch of a table of a run."""
    files = sorted((run / "tables" / table).glob("epoch-*.parquet"))
    return pq.read_table(files[-1]).to_pylist()


class Run:
    """LayerMem of the points of a run, and the candidates that it trained on."""

    def __init__(self, folder, chosen=None):
        rows = [row for row in last(folder, "layermem.points") if row["layer"] == LAYER]
        of = {name: {r["point"]: r["score"] for r in rows if r["set"] == name} for name in {r["set"] for r in rows}}
        self.candidates, self.held_out = of["candidates"], list(of["external"].values())
        # With `choice = "last"` the partner of a candidate stands as many places behind it as there are.
        count = len(self.candidates)
        self.partners = {point: of["independent"][point + count] for point in self.candidates}
        self.chosen = set(self.candidates) if chosen is None else chosen & set(self.candidates)
        self.left_out = set(self.candidates) - self.chosen

    def calibrated(self, points):
        points = sorted(points)
        return (mean(self.candidates[p] for p in points) - mean(self.partners[p] for p in points)) / 2

    def area(self, points):
        pairs = [(self.candidates[p] > h) + (self.candidates[p] == h) / 2 for p in points for h in self.held_out]
        return mean(pairs)


def repeats(folder):
    rows = pq.read_table(folder / "doses.parquet").to_pylist()
    return {r["id"] for r in rows if r["encoder"] == "studied" and r["picture"] != r["id"]}


def read(folder, seed):
    trials = folder / "trials"
    whole = trials / f"whole,seed={seed}"
    planted = repeats(whole)
    runs = {"whole": Run(whole)}
    for arm in ["random", "without-memorized", "without-typical"]:
        run = trials / f"subset,{arm},seed={seed}"
        runs[arm] = Run(run, {row["sample"] for row in last(run, "coreset.chosen")})
    runs["oracle"] = Run(trials / f"subset,oracle,seed={seed}", set(runs["whole"].candidates) - planted)
    return runs, planted


def line(name, values, better=None):
    """A row with mean, interval and verdict; `better` is the sign of a win."""
    half = STUDENT[len(values) - 1] * stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("inf")
    low, high = mean(values) - half, mean(values) + half
    verdict = "tie" if low <= 0 <= high else "win" if (low > 0) == (better == "+") else "loss"
    each = ", ".join(f"{value:+.4f}" for value in values)
    print(f"| {name} | {mean(values):+.4f} | {low:+.4f} to {high:+.4f} | {verdict if better else ''} | {each} |")


def main():
    folder = Path(sys.argv[1])
    parts = ["whole", *(f"subset,{arm}" for arm in ("random", *ARMS))]
    done = [
        seed for seed in range(1, 6)
        if all((folder / "trials" / f"{part},seed={seed}" / "report.html").exists() for part in parts)
    ]
    if not done:
        sys.exit(f"{folder}: no seed of which all arms are done")
    seeds = [read(folder, seed) for seed in done]
    print(f"seeds {done}\n\n| arm | kept | rest: calibrated | rest: area | left out: calibrated |\n|---|---|---|---|---|")
    for arm in ["whole", "random", *ARMS]:
        runs = [runs[arm] for runs, _ in seeds]
        rest = [run.calibrated(run.chosen) for run in runs]
        area = [run.area(run.chosen) for run in runs]
        out = [run.calibrated(run.left_out) for run in runs if run.left_out]
        kept = "/".join(str(len(run.chosen)) for run in runs)
        show = [f"{mean(values):.3f}" if values else "–" for values in (rest, area, out)]
        print(f"| {arm} | {kept} | {' | '.join(show)} |")
    print("\n| arm less random | difference | 95 % | verdict | by seed |\n|---|---|---|---|---|")
    for arm in ARMS:
        pairs = [(runs[arm], runs["random"]) for runs, _ in seeds]
        line(f"{arm}: calibrated of the rest", [a.calibrated(a.chosen) - r.calibrated(r.chosen) for a, r in pairs], "-")
        line(f"{arm}: area of the rest", [a.area(a.chosen) - r.area(r.chosen) for a, r in pairs], "-")
        both = [(a, r, a.chosen & r.chosen) for a, r in pairs]
        line(f"{arm}: calibrated, same points", [a.calibrated(k) - r.calibrated(k) for a, r, k in both], "-")
    print("\n| seed | repeats among the left out, without-memorized | without-typical | random |\n|---|---|---|---|")
    for seed, (runs, planted) in zip(done, seeds, strict=True):
        shares = [len(runs[a].left_out & planted) / len(runs[a].left_out) for a in (*ARMS[:2], "random")]
        print(f"| {seed} | {' | '.join(f'{share:.3f}' for share in shares)} |")


if __name__ == "__main__":
    main()
