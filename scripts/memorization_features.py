#!/usr/bin/env python3
"""The alignment gap, its area and the déjà-vu test of a probe, computed again from stored features.

    pip install numpy pyarrow
    afterimage probe CHECKPOINT --out DIR --deja-vu …
    scripts/memorization_features.py DIR

From `deja_vu/views.npy`: the mean Euclidean distance between all views of a point, each scaled to length 1; of these
the gap (H - T) / (H + T), its standard error by the delta method, the area (share of pairs of a training and
a held-out point in which the training point's views lie closer, ties counted half) and its error (DeLong et al.
1988). From `parts.npy`, `whole.npy` and `public.npy`: cosine similarities in 64 bits, a vote of the k nearest
public images, of equally many votes the class with the larger sum of similarities, and whether the whole
image lies nearer than all public ones. Ends with 1 where a number differs from the probe's own by more than 1e-6.
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def unit(x):
    x = x.astype(np.float64)
    norm = np.linalg.norm(x, axis=-1, keepdims=True)
    return x / np.where(norm > 0, norm, 1.0)


def area(first, second):
    wins = (first[:, None] > second[None, :]) + 0.5 * (first[:, None] == second[None, :])
    return wins.mean(), np.hypot(se(wins.mean(1)), se(wins.mean(0)))


def se(x):
    return np.std(x, ddof=1) / np.sqrt(len(x))


def gap_figures(folder):
    points = rows(folder / "views.csv")
    views = unit(np.load(folder / "views.npy"))
    views = views.reshape(len(points), -1, views.shape[1])
    first, second = np.triu_indices(views.shape[1], 1)
    distances = np.linalg.norm(views[:, first] - views[:, second], axis=-1).mean(1)
    trained = np.array([point["split"] == "train" for point in points])
    t, h = distances[trained], distances[~trained]
    total = (h.mean() + t.mean()) ** 2
    figures = {
        "alignment/gap/embedding": (h.mean() - t.mean()) / (h.mean() + t.mean()),
        "alignment/se/embedding": np.hypot(2 * t.mean() / total * se(h), 2 * h.mean() / total * se(t)),
    }
    for tag, pair in {"area": (-t, -h), "area_null": (-h[0::2], -h[1::2])}.items():
        value, error = area(*pair)
        figures[f"alignment/{tag}/embedding"], figures[f"alignment/{tag}_se/embedding"] = value, error
    return figures


def deja_vu_figures(folder):
    points, public = rows(folder / "points.csv"), rows(folder / "public.csv")
    k = json.load(open(folder / "result.json"))["k"]
    parts, whole, bank = (unit(np.load(folder / f"{name}.npy")) for name in ["parts", "whole", "public"])
    labels = np.array([int(row["label"]) for row in public])
    truth = np.array([int(row["label"]) for row in points])
    classes = max(labels.max(), truth.max()) + 1
    similar = parts @ bank.T
    near = np.argsort(-similar, axis=1, kind="stable")[:, :k]
    guesses, own = [], []
    for row, chosen in enumerate(near):
        votes = np.bincount(labels[chosen], minlength=classes)
        sums = np.bincount(labels[chosen], weights=similar[row, chosen], minlength=classes)
        guesses.append(max(range(classes), key=lambda c: (votes[c], sums[c] if votes[c] else 0.0, -c)))
        own.append(votes[truth[row]] / len(chosen))
    own, right = np.array(own), np.array(guesses) == truth
    found = (parts * whole).sum(1) > similar.max(1)
    trained = np.array([point["split"] == "train" for point in points])
    figures = {"deja_vu/chance": np.bincount(labels).max() / len(labels)}
    for name, is_so in {"class": right, "found": found}.items():
        t, h = is_so[trained].astype(float), is_so[~trained].astype(float)
        even, odd = h[0::2], h[1::2]
        figures |= {
            f"deja_vu/{name}/trained": t.mean(),
            f"deja_vu/{name}/held_out": h.mean(),
            f"deja_vu/{name}/memorized": t.mean() - h.mean(),
            f"deja_vu/{name}/se": np.hypot(se(t), se(h)),
            f"deja_vu/{name}/null": even.mean() - odd.mean(),
            f"deja_vu/{name}/null_se": np.hypot(se(even), se(odd)),
        }
    h = own[~trained]
    for tag, pair in {"area": (own[trained], h), "area_null": (h[0::2], h[1::2])}.items():
        figures[f"deja_vu/{tag}"], figures[f"deja_vu/{tag}_se"] = area(*pair)
    return figures


def main():
    probe = Path(sys.argv[1])
    with open(probe / "metrics.jsonl") as file:
        told = {line["tag"]: line["value"] for line in map(json.loads, file)}  # the last one counts
    folder = probe / "deja_vu"
    worst, missing = 0.0, []
    figures = gap_figures(folder) | deja_vu_figures(folder)
    for tag, value in figures.items():
        if tag not in told:
            missing.append(tag)
            continue
        worst = max(worst, abs(told[tag] - value))
        print(f"{tag:40} {told[tag]:.9f} {value:.9f}")
    print(f"{len(figures)} figures, worst difference {worst:.1e}; not told by the probe: {missing or 'none'}")
    sys.exit(bool(missing) or worst > 1e-6)


if __name__ == "__main__":
    main()
