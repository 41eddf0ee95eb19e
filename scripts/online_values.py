"""Quality of online values: flipped labels on tables, planted squares on Fashion-MNIST.

    cargo build --release -p afterimage-value --example online_table
    python scripts/online_values.py target/release/examples/online_table BASELINES FASHION_MNIST \
        --seeds 1 2 3 4 5 --keys epochs=40

BASELINES holds the tables with flips and the official values, FASHION_MNIST the four IDX files
(Debian package dataset-fashion-mnist). Needs numpy and scikit-learn. Of each seed the images, the
squares' carriers and the heads are drawn anew; the tables are given, so only the heads are.
"""

import argparse
import gzip
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score

PAIRS = [(0, 6), (1, 3), (2, 4), (5, 7), (8, 9)]


def online(program, x, y, keys):
    """Rows (structured), cells [n, d], words that the program printed."""
    with tempfile.TemporaryDirectory() as folder:
        table, labels = Path(folder) / "x.csv", Path(folder) / "y.csv"
        np.savetxt(table, x, delimiter=",", fmt="%.6g")
        np.savetxt(labels, y, fmt="%d")
        command = [program, str(table), str(labels), folder, *keys]
        words = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        rows = np.genfromtxt(Path(folder) / "rows.csv", delimiter=",", names=True)
        cells = np.loadtxt(Path(folder) / "cells.csv", delimiter=",")
        return rows, cells, dict(zip(words[::2], map(float, words[1::2])))


def area(order, wanted):
    """Area under the share of what is wanted among the first k of an order."""
    return (np.cumsum(wanted[order]) / wanted.sum()).mean()


def within(a, b):
    """Correlation of two sets of cells after each row's mean is taken off."""
    a, b = (v - v.mean(1, keepdims=True) for v in (a, b))
    return np.corrcoef(a.ravel(), b.ravel())[0, 1]


def planted(images, labels, pair, seed):
    """1000 gray images of two classes as 2 x 2 means, labels, carriers of a square, its cells.

    15 % of the source class carry a white square of 4 x 4 pixels and the target's label.
    """
    side = images.shape[1]
    low = side - 6
    half = side // 2
    draw = np.random.default_rng(seed)
    source, target = (draw.permutation(np.flatnonzero(labels == c))[:500] for c in pair)
    x = images[np.concatenate([source, target])].astype(float) / 255
    y = np.repeat([0, 1], 500)
    carriers = np.sort(draw.choice(500, 75, replace=False))
    x[carriers, low : low + 4, low : low + 4] = 1
    y[carriers] = 1
    order = draw.permutation(1000)
    pooled = x.reshape(1000, half, 2, half, 2).mean((2, 4)).reshape(1000, half * half)
    square = np.zeros((half, half))
    square[low // 2 : low // 2 + 2, low // 2 : low // 2 + 2] = 1
    return pooled[order], y[order], np.isin(order, carriers), square.ravel()


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("program")
    arguments.add_argument("baselines", type=Path)
    arguments.add_argument("images", type=Path)
    arguments.add_argument("--cifar10", type=Path, help="folder of the binary version, for its pairs too")
    arguments.add_argument("--keys", nargs="*", default=[])
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0])
    given = arguments.parse_args()

    def read(name, skip):
        return np.frombuffer(gzip.open(given.images / name).read(), np.uint8, offset=skip)

    labels = read("train-labels-idx1-ubyte.gz", 8)
    images = read("train-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
    print("table: AUCPR of flips (official rows) | within rows: two seeds, halves | clean: Brier, share expected | spread over seeds / standard error | s")
    for name in ["fried", "2dplanes", "gaussian", "ring"]:
        folder = given.baselines / name
        x = np.loadtxt(folder / "train_x_clean.csv", delimiter=",")
        flipped, flip = (np.loadtxt(folder / f, delimiter=",") for f in ("train_y_flip.csv", "flip.csv"))
        official = {"fried": 0.678, "2dplanes": 0.799, "gaussian": 0.637, "ring": 0.934}[name]
        precision, brier, share, seconds, halves, runs, values, errors = ([] for _ in range(8))
        for seed in given.seeds:
            rows, cells, said = online(given.program, x, flipped, [f"seed={seed}", *given.keys])
            precision.append(average_precision_score(flip, -rows["value"]))
            brier.append(((rows["clean"] - (1 - flip)) ** 2).mean())
            share.append(rows["clean"].mean())
            seconds.append(said["seconds"])
            halves.append(said["halves"])
            runs.append(cells)
            values.append(rows["value"])
            errors.append(rows["error"])
        spread = np.std(values, axis=0, ddof=1).mean() / np.mean(errors) if len(values) > 1 else np.nan
        pairs = [within(a, b) for a, b in zip(runs, runs[1:])] or [np.nan]
        print(
            f"{name:9} {np.mean(precision):.3f} ± {np.std(precision):.3f} ({official}) | "
            f"{np.mean(pairs):.3f}, {np.mean(halves):.3f} | {np.mean(brier):.3f}, {np.mean(share):.3f} | "
            f"{spread:.2f} | {np.mean(seconds):.2f}"
        )
    triggers("Fashion-MNIST", images, labels, given)
    if given.cifar10:
        raw = [np.fromfile(file, np.uint8) for file in sorted(given.cifar10.glob("data_batch_*.bin"))]
        raw = np.concatenate(raw).reshape(-1, 3073)
        gray = raw[:, 1:].reshape(-1, 3, 32, 32).mean(1)
        triggers("CIFAR-10", gray, raw[:, 0], given)


def triggers(name, images, labels, given):
    print(f"{name}, pair: mean area of the square's cells | within rows: halves | s")
    means = []
    for pair in PAIRS:
        areas, halves, seconds = [], [], []
        for seed in given.seeds:
            x, y, carriers, square = planted(images, labels, pair, seed)
            _, cells, said = online(given.program, x, y, [f"seed={seed}", *given.keys])
            # Constant cells are not valued; they come last.
            rows = np.full((carriers.sum(), x.shape[1]), -np.inf)
            rows[:, x.min(0) < x.max(0)] = cells[carriers]
            areas.append(np.mean([area(np.argsort(-row, kind="stable"), square) for row in rows]))
            halves.append(said["halves"])
            seconds.append(said["seconds"])
        means.append(np.mean(areas))
        print(
            f"{pair[0]} -> {pair[1]}  {means[-1]:.3f} (least {np.min(areas):.3f}) | "
            f"{np.mean(halves):.3f} | {np.mean(seconds):.2f}"
        )
    print(f"mean    {np.mean(means):.3f}")


if __name__ == "__main__":
    main()
