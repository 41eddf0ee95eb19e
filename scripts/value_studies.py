"""Which damaged cells do cell values find, does repairing them help, and how does time grow?

    python scripts/value_studies.py target/release/afterimage target/release/examples/online_table \
        BASELINES --seeds 1 2 3 4 5

4 % of the cells (20 % of the rows, 20 % of the columns of each) are damaged in four ways. Scores:
2D-OOB values (trees, plain), the same with the paper's distance term, the distance from the class's
mean in deviations (|z|), and online values. Area under the detection curve: 0.5 is chance, 0.98
perfect. Repair puts the true cell in the place of the lowest 20 % and fits logistic regression; its
accuracy is on 3000 test rows. Needs numpy, pandas and scikit-learn.
"""

import argparse
import resource
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from online_values import area, online


def exact(program, x, y, seed, score="plain", learners=1000):
    """Cells [n, d], |z| [n, d], CPU seconds of the command."""
    with tempfile.TemporaryDirectory() as folder:
        table, labels, out = (Path(folder) / name for name in ("x.npy", "y.npy", "out"))
        np.save(table, x.astype("f4"))
        np.save(labels, y.astype("i4"))
        command = [program, "value", table, "--label-file", labels, "--out", out, "--seed", seed]
        command += ["--score", score, "--learners", learners]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([str(part) for part in command], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        if x.size > 500_000:
            return None, None, seconds
        cells = pd.read_csv(out / "cells.csv")
        names = [str(j + 1) for j in range(x.shape[1])]
        return cells[names].to_numpy(), cells[[f"{n}:z" for n in names]].abs().to_numpy(), seconds


def damaged(x, y, kind, seed):
    """A copy with damaged cells, and which they are."""
    draw = np.random.default_rng(seed)
    n, d = x.shape
    mask = np.zeros((n, d), bool)
    for row in draw.choice(n, n // 5, replace=False):
        mask[row, draw.choice(d, max(d // 5, 1), replace=False)] = True
    bad = x.copy()
    if kind == "tails":
        tail = np.abs(draw.normal(size=(20 * mask.sum())))
        tail = tail[tail > 2.576]
        tail = draw.choice(tail, mask.sum()) * draw.choice([-1, 1], mask.sum())
        mean, sd = (np.stack([f(x[y == c], axis=0) for c in (0, 1)])[y.astype(int)] for f in (np.mean, np.std))
        bad[mask] = mean[mask] + sd[mask] * tail
    elif kind == "swaps":
        for column in range(d):
            rows = np.flatnonzero(mask[:, column])
            bad[rows, column] = x[draw.permutation(n)[: len(rows)], column]
    elif kind == "scaled":
        bad[mask] *= 10
    elif kind == "zeros":
        bad[mask] = 0
    return bad, mask


def accuracy(x, y, test_x, test_y):
    return LogisticRegression(max_iter=1000).fit(x, y).score(test_x, test_y)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("program")
    arguments.add_argument("online")
    arguments.add_argument("baselines", type=Path)
    arguments.add_argument("--seeds", type=int, nargs="+", default=[1])
    given = arguments.parse_args()
    print("damaged cells, area: table kind: plain, distance, |z|, online")
    repaired = []
    for name in ["fried", "2dplanes", "gaussian", "ring"]:
        folder = given.baselines / name
        x, y, test_x, test_y = (
            np.loadtxt(folder / f"{f}.csv", delimiter=",") for f in ("train_x_clean", "train_y", "test_x", "test_y")
        )
        for kind in ("tails", "swaps", "scaled", "zeros"):
            areas, fixed = [], []
            for seed in given.seeds:
                bad, mask = damaged(x, y, kind, seed)
                plain, z, _ = exact(given.program, bad, y, seed)
                distance, _, _ = exact(given.program, bad, y, seed, "distance")
                beside = online(given.online, bad, y, [f"seed={seed}", "rate=0.01", "epochs=40"])[1]
                doubts = {"plain": -plain, "distance": -distance, "z": z, "online": -beside}
                orders = {s: np.argsort(-d.ravel(), kind="stable") for s, d in doubts.items()}
                areas.append([area(order, mask.ravel()) for order in orders.values()])
                orders["random"] = np.random.default_rng(seed).permutation(x.size)
                line = [accuracy(bad, y, test_x, test_y), accuracy(x, y, test_x, test_y)]
                for score in ("random", "plain", "distance", "z"):
                    mended = bad.copy().ravel()
                    lowest = orders[score][: x.size // 5]
                    mended[lowest] = x.ravel()[lowest]
                    line.append(accuracy(mended.reshape(x.shape), y, test_x, test_y))
                fixed.append(line)
            print(f"{name:9} {kind:6}: " + " ".join(f"{m:.3f}" for m in np.mean(areas, 0)), flush=True)
            repaired.append((name, kind, np.mean(fixed, 0), np.std(fixed, 0)))
    print("repair, accuracy: table kind: damaged, true | random, plain, distance, |z|")
    for name, kind, mean, sd in repaired:
        words = " ".join(f"{m:.3f}" for m in mean)
        print(f"{name:9} {kind:6}: {words} (sd over seeds to {sd.max():.3f})")
    print("CPU seconds of the command: n d B")
    draw = np.random.default_rng(0)
    for n, d, learners in [
        (1000, 10, 100), (10_000, 10, 100), (100_000, 10, 100),
        (1000, 100, 100), (1000, 1000, 100), (1000, 10, 1000), (1000, 10, 10_000),
    ]:
        x = draw.normal(size=(n, d))
        y = (x[:, 0] + x[:, 1] * x[:, 2] + draw.normal(size=n) > 0).astype(int)
        print(f"{n:7} {d:5} {learners:6}: {exact(given.program, x, y, 0, learners=learners)[2]:.2f}", flush=True)


if __name__ == "__main__":
    main()
