#!/usr/bin/env python3
"""The verdicts of README.md from the arms of each seed: judge.py [--intervals] OUT/arms-1/arms.csv …

With `--intervals`, those of the second question: t intervals over five seeds.
"""

import csv
import sys
from statistics import mean, stdev

# Student's t with four degrees of freedom, by coverage.
T4 = {95: 2.7764, 97.5: 3.4954}


def number(row, key):
    return float(row[key]) if row[key] else float("nan")


def differences(path):
    """By arm and share: how much less area is left than with random units, and how much more kNN."""
    with open(path, newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["layer"] == "embedding"]
    random = {}
    for row in rows:
        if row["arm"] == "random":
            random.setdefault(row["fraction"], []).append((number(row, "area"), number(row, "knn")))
    found = {}
    for row in rows:
        if row["arm"] in ("chosen", "as active"):
            area, knn = (mean(values) for values in zip(*random[row["fraction"]]))
            name = ("as active as " if row["arm"] == "as active" else "") + f"{row['score']} {row['end']}"
            found[name, row["fraction"]] = (area - number(row, "area"), number(row, "knn") - knn)
    return found


def intervals(seeds):
    """One row for each arm and share: what it takes and leaves beyond random units, with 95 and 97.5 % intervals."""
    if len(seeds) != 5:
        sys.exit(f"{len(seeds)} seeds; the intervals are those of five")
    print("| arm | share | area taken beyond random | kNN beyond random |\n|---|---|---|---|")

    def cell(values):
        error = stdev(values) / len(values) ** 0.5
        spans = (f"{c} %: {mean(values) - t * error:+.3f} to {mean(values) + t * error:+.3f}" for c, t in T4.items())
        return f"{mean(values):+.3f} ({'; '.join(spans)})"

    for key in seeds[0]:
        columns = [[seed[key][at] for seed in seeds] for at in (0, 1)]
        print(f"| {key[0]} | {float(key[1]):.2f} | {cell(columns[0])} | {cell(columns[1])} |")
        beside = f"as active as {key[0]}", key[1]
        if beside in seeds[0]:
            columns = [[seed[key][at] - seed[beside][at] for seed in seeds] for at in (0, 1)]
            print(f"| {key[0]}, less as active | {float(key[1]):.2f} | {cell(columns[0])} | {cell(columns[1])} |")


def main():
    if sys.argv[1] == "--intervals":
        return intervals([differences(path) for path in sys.argv[2:]])
    seeds = [differences(path) for path in sys.argv[1:]]
    print("| arm | share | area taken beyond random | kNN beyond random | verdict |\n|---|---|---|---|---|")
    for key in seeds[0]:
        taken, useful = ([seed[key][at] for seed in seeds] for at in (0, 1))
        error = stdev(taken) / len(taken) ** 0.5
        clear = abs(mean(taken)) > 2 * error and len({value > 0 for value in taken}) == 1
        verdict = "tie"
        if clear:
            verdict = "loss" if mean(taken) < 0 else "win" if mean(useful) >= -0.02 else "tie, useless"
        print(
            f"| {key[0]} | {float(key[1]):.2f} | {mean(taken):+.3f} ± {error:.3f} | {mean(useful):+.3f} "
            f"± {stdev(useful) / len(useful) ** 0.5:.3f} | {verdict} |"
        )


if __name__ == "__main__":
    main()
