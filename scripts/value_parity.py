#!/usr/bin/env python3
"""`afterimage value` beside the official 2D-OOB code's values and scikit-learn's trees.

    python scripts/value_parity.py target/release/afterimage BASELINES [--learners 1000]

BASELINES has one folder a set: train_x.csv, train_x_clean.csv, train_y.csv, train_y_flip.csv, flip.csv,
official_cell_w0.csv and official_row.csv without headers but for the last, or, for trigger sets,
train_x.csv, train_y.csv, trigger_cells.csv and poisoned_rows.csv. Needs NumPy, pandas, scikit-learn.

Prints, for each set: correlation with the official cell values over all cells and within rows, the
same between two seeds of ours; AUCPR of flipped labels by row values; area under the detection curve
of outlying cells by value and by |z|; mean area of trigger cells within poisoned rows.
"""
import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score


def run(program, x, y, seed, learners, ratio):
    """Values of a table: rows as a frame, cells [n, d], z [n, d]."""
    with tempfile.TemporaryDirectory() as folder:
        table, labels, out = (Path(folder) / name for name in ("x.npy", "y.npy", "out"))
        np.save(table, x.astype("f4"))
        np.save(labels, y.astype("i4"))
        command = [program, "value", table, "--label-file", labels, "--out", out]
        command += ["--seed", seed, "--learners", learners, "--ratio", ratio]
        subprocess.run([str(part) for part in command], check=True, capture_output=True)
        cells = pd.read_csv(out / "cells.csv")
        names = [str(j + 1) for j in range(x.shape[1])]
        return pd.read_csv(out / "rows.csv"), cells[names].to_numpy(), cells[[f"{n}:z" for n in names]].to_numpy()


def correlations(a, b):
    """Over all cells and within rows; columns without values (constant ones) are left out."""
    there = ~np.isnan(a).any(0)
    a, b = a[:, there], b[:, there]
    centred = [v - v.mean(1, keepdims=True) for v in (a, b)]
    return np.corrcoef(a.ravel(), b.ravel())[0, 1], np.corrcoef(centred[0].ravel(), centred[1].ravel())[0, 1]


def area(order, wanted):
    """Area under the share of what is wanted among the first k of an order."""
    return (np.cumsum(wanted[order]) / wanted.sum()).mean()


def load(path):
    return np.loadtxt(path, delimiter=",")


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("program")
    arguments.add_argument("baselines", type=Path)
    arguments.add_argument("--learners", type=int, default=1000)
    given = arguments.parse_args()
    print("set          official: all within | own seeds: all within | flips: data_oob marginal (official) | cells: value |z|")
    areas = []
    for folder in sorted(given.baselines.iterdir()):
        if (folder / "official_cell_w0.csv").exists():
            x, clean = load(folder / "train_x.csv"), load(folder / "train_x_clean.csv")
            y, flipped = load(folder / "train_y.csv"), load(folder / "train_y_flip.csv")
            flip, mask = load(folder / "flip.csv"), load(folder / "mask.csv").ravel()
            official = load(folder / "official_cell_w0.csv")
            _, cells, z = run(given.program, x, y, 0, given.learners, 0.5)
            _, other, _ = run(given.program, x, y, 1, given.learners, 0.5)
            rows, _, _ = run(given.program, clean, flipped, 0, given.learners, 0.5)
            theirs, own = correlations(cells, official), correlations(cells, other)
            found = [average_precision_score(flip, -rows[name]) for name in ("data_oob", "marginal")]
            known = json.loads((folder / "official.json").read_text())["label"]["df-oob-0.50-0.000"]["aucpr"]
            outlying = area(np.argsort(cells.ravel(), kind="stable"), mask), area(np.argsort(-np.abs(z).ravel(), kind="stable"), mask)
            print(f"{folder.name:12} {theirs[0]:.3f} {theirs[1]:.3f} | {own[0]:.3f} {own[1]:.3f} | "
                  f"{found[0]:.3f} {found[1]:.3f} ({known:.3f}) | {outlying[0]:.3f} {outlying[1]:.3f}")
        elif (folder / "trigger_cells.csv").exists():
            trigger, poisoned = load(folder / "trigger_cells.csv").ravel(), load(folder / "poisoned_rows.csv") > 0
            x, y = load(folder / "train_x.csv"), load(folder / "train_y.csv")
            _, cells, _ = run(given.program, x, y, 0, given.learners, 0.25)
            _, other, _ = run(given.program, x, y, 1, given.learners, 0.25)
            own = correlations(cells, other)
            found = np.mean([area(np.argsort(-row, kind="stable"), trigger) for row in cells[poisoned]])
            areas.append(found)
            print(f"{folder.name:12} trigger area {found:.3f} | own seeds: {own[0]:.3f} {own[1]:.3f}")
    if areas:
        print(f"mean trigger area {np.mean(areas):.3f}")


main()
