#!/usr/bin/env python3
"""Reference values for crates/coreset: selections in plain NumPy, every distance and gain in f64.

    pip install numpy
    python3 scripts/coreset_reference.py > crates/coreset/testdata/reference.json
"""

import json

import numpy as np

rng = np.random.default_rng(6)
N, D, C, K = 48, 5, 4, 9

points = np.round(rng.normal(size=(N, D)) + 2.0 * rng.normal(size=(6, D))[rng.integers(0, 6, N)], 3)
points = points.astype(np.float32).astype(np.float64)
labels = rng.integers(0, 3, N)
logits = np.round(rng.normal(size=(N, C)), 3).astype(np.float32).astype(np.float64)
classes = rng.integers(0, C, N)


def distances(x):
    return np.sqrt(((x[:, None] - x[None]) ** 2).sum(-1))


def facility_location(d, k):
    chosen = [int(d.sum(0).argmin())]
    while len(chosen) < k:
        near = d[chosen].min(0)
        gains = np.maximum(near[:, None] - d, 0).sum(0)
        gains[chosen] = -1
        chosen.append(int(gains.argmax()))
    return chosen


def k_centre(d, k):
    chosen = [int(d.sum(0).argmin())]
    while len(chosen) < k:
        near = d[chosen].min(0)
        near[chosen] = -1
        chosen.append(int(near.argmax()))
    return chosen


def herding(x, k):
    mean, ahead, chosen = x.mean(0), x.mean(0), []
    while len(chosen) < k:
        scores = x @ ahead
        scores[chosen] = -np.inf
        chosen.append(int(scores.argmax()))
        ahead = ahead + mean - x[chosen[-1]]
    return chosen


def graph_cut(d, k):
    s, chosen = d.max() - d, []
    while len(chosen) < k:
        gains = 2 * s.sum(0) - np.diag(s) - 2 * s[chosen].sum(0)
        gains[chosen] = -np.inf
        chosen.append(int(gains.argmax()))
    return chosen


def cost(d, chosen):
    return float(d[chosen].min(0).sum())


d = distances(points)
greedy = facility_location(d, K)
by_label = []
for label in range(3):
    ids = np.flatnonzero(labels == label)
    by_label += [int(ids[i]) for i in facility_location(d[np.ix_(ids, ids)], 3)]

powers = np.exp(logits - logits.max(1, keepdims=True))
residuals = powers / powers.sum(1, keepdims=True) - np.eye(C)[classes]
gradients = (residuals[:, :, None] * np.c_[points, np.ones(N)][:, None]).reshape(N, -1)

print(json.dumps({
    "points": points.ravel().tolist(),
    "columns": D,
    "labels": labels.tolist(),
    "logits": logits.ravel().tolist(),
    "classes": classes.tolist(),
    "facility_location": greedy,
    "sizes": np.bincount(d[greedy].argmin(0), minlength=K).tolist(),
    "cost": cost(d, greedy),
    "objective": float(N * d.max() - cost(d, greedy)),
    "by_label": by_label,
    "centrality": np.argsort(d.sum(0), kind="stable")[:K].tolist(),
    "k_centre": k_centre(d, K),
    "herding": herding(points, K),
    "graph_cut": graph_cut(d, K),
    "residuals": residuals.ravel().tolist(),
    "el2n": np.argsort(-np.linalg.norm(residuals, axis=1), kind="stable")[:K].tolist(),
    "grand": np.argsort(-np.linalg.norm(gradients, axis=1), kind="stable")[:K].tolist(),
    "last_layer": facility_location(distances(gradients), K),
    "last_layer_distance": float(np.linalg.norm(gradients[3] - gradients[17])),
}))
