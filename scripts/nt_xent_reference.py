"""Reference values of the NT-Xent loss for crates/ssl/testdata/nt_xent.json.

Written from equation 1 of SimCLR (arXiv 2002.05709) with one loop over anchors, in double
precision; gradients are central differences of the mean loss. Needs numpy only.

    python scripts/nt_xent_reference.py > crates/ssl/testdata/nt_xent.json
"""

import json
import sys

import numpy as np


def per_sample(z, temperature):
    rows = len(z)
    samples = rows // 2
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    losses = np.zeros(rows)
    for anchor in range(rows):
        partner = (anchor + samples) % rows
        others = [k for k in range(rows) if k != anchor]
        logits = np.array([unit[anchor] @ unit[k] for k in others]) / temperature
        top = logits.max()
        log_sum = top + np.log(np.exp(logits - top).sum())
        losses[anchor] = log_sum - unit[anchor] @ unit[partner] / temperature
    return 0.5 * (losses[:samples] + losses[samples:])


def gradient(z, temperature):
    out = np.zeros_like(z)
    for at in np.ndindex(*z.shape):
        h = 1e-6
        up, down = z.copy(), z.copy()
        up[at] += h
        down[at] -= h
        out[at] = (per_sample(up, temperature).mean() - per_sample(down, temperature).mean()) / (2 * h)
    return out


def case(name, z, temperature):
    z = np.asarray(z, dtype=np.float32).astype(np.float64)
    return {
        "name": name,
        "temperature": temperature,
        "samples": len(z) // 2,
        "features": z.shape[1],
        "z": z.ravel().tolist(),
        "per_sample": per_sample(z, temperature).tolist(),
        "gradient": np.round(gradient(z, temperature), 10).ravel().tolist(),
    }


def main():
    rng = np.random.default_rng(20240)
    plain = rng.normal(size=(8, 6))
    base = rng.normal(size=(4, 6))
    aligned = np.concatenate([base, base + 0.05 * rng.normal(size=(4, 6))])
    opposed = np.concatenate([base, -base + 0.05 * rng.normal(size=(4, 6))])
    duplicated = np.concatenate([np.tile(base[:1], (3, 1)), base[:1], base[1:4], base[1:2]])
    sizes = rng.normal(size=(6, 5)) * np.array([[1e-2], [1.0], [30.0], [5.0], [0.1], [3.0]])
    cases = [
        case("plain", plain, 0.5),
        case("temperature 0.1", plain, 0.1),
        case("temperature 0.01", plain, 0.01),
        case("aligned views, temperature 0.01", aligned, 0.01),
        case("opposed views, temperature 0.01", opposed, 0.01),
        case("duplicates", duplicated, 0.2),
        case("rows of many lengths", sizes, 0.5),
    ]
    json.dump(cases, sys.stdout, separators=(",", ":"))
    print()


if __name__ == "__main__":
    main()
