#!/usr/bin/env python3
"""Which labels cleanlab and `afterimage value` call wrong, where a tenth was turned: a line for each table.

    peers/cleanlab/bin/python scripts/compare_flags.py target/release/afterimage

cleanlab gets probabilities of forests of 500 trees, by five folds and out of bag; `value` has its defaults.
Needs cleanlab and scikit-learn; environments are made as in bench_compared.py.
"""

import csv
import subprocess
import sys
import tempfile

import numpy as np
from cleanlab.filter import find_label_issues
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_predict


def normal(rows=2000):
    draw = np.random.default_rng(1)
    x = draw.normal(size=(rows, 20)).astype("f4")
    return x, (x[:, :4].sum(1) + draw.normal(size=rows) * 0.5 > 0).astype(int)


def turn(y):
    draw, classes = np.random.default_rng(5), y.max() + 1
    turned = draw.random(len(y)) < 0.1
    return turned, np.where(turned, (y + draw.integers(1, classes, len(y))) % classes, y)


def ours(program, x, y):
    with tempfile.TemporaryDirectory() as folder:
        header = ",".join([f"x{j}" for j in range(x.shape[1])] + ["y"])
        np.savetxt(f"{folder}/t.csv", np.column_stack([x, y]), "%.9g", ",", header=header, comments="")
        command = [program, "value", f"{folder}/t.csv", "--label", "y", "--out", f"{folder}/out"]
        subprocess.run(command, check=True, capture_output=True)
        with open(f"{folder}/out/rows.csv", newline="") as rows:
            return np.array([bool(row["suggested"]) for row in csv.DictReader(rows)])


def main():
    program = sys.argv[1]
    tables = {
        "digits": load_digits(return_X_y=True),
        "breast cancer": load_breast_cancer(return_X_y=True),
        "wine": load_wine(return_X_y=True),
        "normal": normal(),
    }
    for name, (x, truth) in tables.items():
        turned, y = turn(truth)
        forest = RandomForestClassifier(500, oob_score=True, n_jobs=-1, random_state=0)
        folds = find_label_issues(y, cross_val_predict(forest, x, y, cv=5, method="predict_proba"))
        bags = find_label_issues(y, forest.fit(x, y).oob_decision_function_)
        told = [f"{flags.sum()}, {(flags & turned).sum()}" for flags in (folds, bags, ours(program, x, y))]
        print(f"| {name} | {turned.sum()} | {' | '.join(told)} |", flush=True)


if __name__ == "__main__":
    main()
