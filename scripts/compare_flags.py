#!/usr/bin/env python3
"""Which labels cleanlab and `afterimage value` call wrong, where some were turned: a line for each table.

    peers/cleanlab/bin/python scripts/compare_flags.py target/release/afterimage [--draws 5] [--share 0.1]

cleanlab gets probabilities of forests of 500 trees, by five folds and out of bag; `value` has its defaults.
For each: labels flagged, how many of them had been turned, and the average precision of its order of all rows
(cleanlab's label quality, and `data_oob`). Several draws are added up, their precisions averaged. A share of 0
leaves the tables as they are. Needs cleanlab and scikit-learn; environments are made as in bench_compared.py.
"""

import argparse
import csv
import subprocess
import tempfile

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import average_precision_score
from sklearn.model_selection import cross_val_predict


def normal(rows=2000):
    draw = np.random.default_rng(1)
    x = draw.normal(size=(rows, 20)).astype("f4")
    return x, (x[:, :4].sum(1) + draw.normal(size=rows) * 0.5 > 0).astype(int)


def turn(y, draw, share):
    draw, classes = np.random.default_rng(draw), y.max() + 1
    turned = draw.random(len(y)) < share
    return turned, np.where(turned, (y + draw.integers(1, classes, len(y))) % classes, y)


def ours(program, x, y):
    with tempfile.TemporaryDirectory() as folder:
        header = ",".join([f"x{j}" for j in range(x.shape[1])] + ["y"])
        np.savetxt(f"{folder}/t.csv", np.column_stack([x, y]), "%.9g", ",", header=header, comments="")
        command = [program, "value", f"{folder}/t.csv", "--label", "y", "--out", f"{folder}/out"]
        subprocess.run(command, check=True, capture_output=True)
        with open(f"{folder}/out/rows.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        return np.array([bool(row["suggested"]) for row in rows]), [float(row["data_oob"]) for row in rows]


def theirs(y, probabilities):
    return find_label_issues(y, probabilities), get_label_quality_scores(y, probabilities)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--draws", nargs="*", type=int, default=[5])
    parser.add_argument("--share", type=float, default=0.1)
    given = parser.parse_args()
    tables = {
        "digits": load_digits(return_X_y=True),
        "breast cancer": load_breast_cancer(return_X_y=True),
        "wine": load_wine(return_X_y=True),
        "normal": normal(),
    }
    print("| table | turned | cleanlab, five folds: flagged, right, order | out of bag | `value` |\n|" + "---|" * 5)
    for name, (x, truth) in tables.items():
        sums, areas, turns = np.zeros((3, 2), int), [[], [], []], 0
        for draw in given.draws:
            turned, y = turn(truth, draw, given.share)
            forest = RandomForestClassifier(500, oob_score=True, n_jobs=-1, random_state=0)
            folds = theirs(y, cross_val_predict(forest, x, y, cv=5, method="predict_proba"))
            bags = theirs(y, forest.fit(x, y).oob_decision_function_)
            turns += turned.sum()
            for at, (flags, scores) in enumerate((folds, bags, ours(given.program, x, y))):
                sums[at] += flags.sum(), (flags & turned).sum()
                if turned.any():
                    areas[at].append(average_precision_score(turned, -np.asarray(scores)))
        told = [f"{flagged}, {right}, {np.mean(area) if area else np.nan:.3f}"
                for (flagged, right), area in zip(sums, areas)]
        print(f"| {name} | {turns} | {' | '.join(told)} |", flush=True)


if __name__ == "__main__":
    main()
