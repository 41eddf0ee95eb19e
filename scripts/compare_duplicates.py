#!/usr/bin/env python3
"""Near duplicates that cleanlab's Datalab and `afterimage value` find, where some were planted: a line a table.

    peers/cleanlab/bin/python scripts/compare_duplicates.py target/release/afterimage

To each table twenty exact copies of rows are added, and twenty with noise: on the digits six of the cells moved by
one, elsewhere every cell by some hundredths of its column's deviation. Tables without copies show false alarms.
Datalab gets the features as they are, and standardised. Needs cleanlab with Datalab (`cleanlab[datalab]`) and
scikit-learn.
"""

import csv
import subprocess
import sys
import tempfile

import numpy as np
from cleanlab import Datalab
from sklearn.datasets import load_breast_cancer, load_digits, load_wine, make_blobs

COPIES = 20


def tables():
    draw = np.random.default_rng(7)
    yield "digits", load_digits().data, None
    yield "breast cancer", load_breast_cancer().data, 0.05
    yield "wine", load_wine().data, 0.05
    yield "normal, 20 columns", draw.normal(size=(2000, 20)), 0.05
    yield "normal, 2 columns", draw.normal(size=(2000, 2)), 0.001
    yield "log-normal, 8 columns", np.exp(draw.normal(size=(2000, 8))), 0.02
    yield "30 clusters, 10 columns", make_blobs(2000, 10, centers=30, cluster_std=draw.uniform(0.1, 2, 30), random_state=0)[0], 0.005
    yield "embedding, 256 columns of rank 12", draw.normal(size=(3000, 12)) @ draw.normal(size=(12, 256)), 0.02
    yield "whole numbers to 9, 6 columns", draw.integers(0, 10, (1000, 6)).astype(float), None


def plant(x, noise, draw):
    """The table with copies behind it: exact ones, then near ones."""
    of = draw.choice(len(x), 2 * COPIES, replace=False)
    exact, near = x[of[:COPIES]], x[of[COPIES:]].copy()
    if noise is None:
        for row in near:
            cells = draw.choice(x.shape[1], min(6, x.shape[1]), replace=False)
            row[cells] += draw.choice([-1, 1], len(cells))
    else:
        near += noise * x.std(0) * draw.normal(size=near.shape)
    return np.vstack([x, exact, near])


def ours(program, x):
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/x.npy", x)
        np.savetxt(f"{folder}/y.txt", np.arange(len(x)) % 2, "%d")
        command = [program, "value", f"{folder}/x.npy", "--label-file", f"{folder}/y.txt", "--learners", "8"]
        subprocess.run([*command, "--out", f"{folder}/out"], check=True, capture_output=True)
        with open(f"{folder}/out/rows.csv", newline="") as file:
            return np.array([row["duplicates"] != "0" for row in csv.DictReader(file)])


def theirs(x):
    lab = Datalab({"y": np.arange(len(x)) % 2}, label_name="y", verbosity=0)
    lab.find_issues(features=x, issue_types={"near_duplicate": {}})
    return lab.get_issues("near_duplicate")["is_near_duplicate_issue"].to_numpy()


def main():
    print("| table | Datalab: exact, near, others | Datalab, standardised | `value` | without copies: Datalab, "
          "standardised, `value` |\n|" + "---|" * 5)
    for name, x, noise in tables():
        planted = plant(x, noise, np.random.default_rng(3))
        scaled = [(one - one.mean(0)) / np.where(one.std(0) > 0, one.std(0), 1) for one in (planted, x)]
        found = [theirs(planted), theirs(scaled[0]), ours(sys.argv[1], planted)]
        alone = [theirs(x), theirs(scaled[1]), ours(sys.argv[1], x)]
        rows, of = len(x), np.random.default_rng(3).choice(len(x), 2 * COPIES, replace=False)
        others = np.ones(rows, bool)
        others[of] = False
        told = [f"{one[rows:rows + COPIES].sum()}, {one[rows + COPIES:].sum()}, {(one[:rows] & others).sum()}"
                for one in found]
        print(f"| {name} | {' | '.join(told)} | {', '.join(str(one.sum()) for one in alone)} |", flush=True)


if __name__ == "__main__":
    main()
