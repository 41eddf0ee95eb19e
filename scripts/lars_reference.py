"""Reference values of the LARS optimizer for crates/ssl/testdata/lars.json.

Written from algorithm 1 of arXiv 1708.03888 in double precision. Needs numpy only.

    python scripts/lars_reference.py > crates/ssl/testdata/lars.json
"""

import json
import sys

import numpy as np

RATES = [0.1, 4.8, 2.0, 2.0, 0.5, 0.01]


def single(values):
    return np.asarray(values, dtype=np.float32).astype(np.float64)


def local_rate(w, g, trust, decay, epsilon):
    w_norm, g_norm = np.sqrt((w**2).sum()), np.sqrt((g**2).sum())
    if w_norm == 0 or g_norm == 0:
        return 1.0
    return trust * w_norm / (g_norm + decay * w_norm + epsilon)


def case(name, initial, gradients, rates=RATES, **settings):
    config = {
        "momentum": 0.9,
        "weight_decay": 1e-6,
        "trust_coefficient": 0.001,
        "epsilon": 1e-8,
        "exclude_bias_and_norm": True,
    } | settings
    w = single(initial)
    velocity = np.zeros_like(w)
    steps = []
    for rate, g in zip(rates, gradients):
        g = single(g)
        if w.ndim <= 1 and config["exclude_bias_and_norm"]:
            direction = g
        else:
            decay = config["weight_decay"]
            local = local_rate(w, g, config["trust_coefficient"], decay, config["epsilon"])
            direction = local * (g + decay * w)
        velocity = config["momentum"] * velocity + rate * direction
        w = w - velocity
        steps.append(
            {"learning_rate": rate, "gradient": g.ravel().tolist(), "parameter": w.ravel().tolist()}
        )
    return {
        "name": name,
        "config": config,
        "shape": list(w.shape),
        "initial": single(initial).ravel().tolist(),
        "steps": steps,
    }


def main():
    rng = np.random.default_rng(48)
    matrix, kernel, bias = rng.normal(size=(3, 4)), rng.normal(size=(2, 3, 2, 2)), rng.normal(size=4)
    over_matrix = 0.3 * rng.normal(size=(6, 3, 4))
    over_kernel = 0.1 * rng.normal(size=(6, 2, 3, 2, 2))
    over_bias = 0.02 * rng.normal(size=(6, 4))
    quiet = over_matrix.copy()
    quiet[2] = 0.0
    gentle = [0.1, 0.3, 0.2, 0.2, 0.1, 0.05]
    cases = [
        case("matrix", matrix, over_matrix),
        case("kernel, heavy decay", kernel, over_kernel, weight_decay=0.1, trust_coefficient=0.02),
        case("bias, excluded", bias, over_bias, rates=gentle, weight_decay=0.5),
        case("bias, included", bias, over_bias, weight_decay=0.1, exclude_bias_and_norm=False),
        case("matrix of zeros", np.zeros((3, 4)), 0.1 * over_matrix, rates=gentle, weight_decay=0.01),
        case("a step without gradient", matrix, quiet, rates=gentle, weight_decay=0.1),
        case("no momentum", matrix, over_matrix, momentum=0.0, trust_coefficient=0.02),
    ]
    json.dump(cases, sys.stdout, separators=(",", ":"))
    print()


if __name__ == "__main__":
    main()
