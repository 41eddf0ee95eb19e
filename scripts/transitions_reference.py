"""Reference for the gate's transitions between classes: the same likelihood and priors, by scipy.

    python scripts/transitions_reference.py > crates/coreset/testdata/transitions.json

Needs numpy and scipy. Derivatives are taken by scipy itself, so that nothing is shared with the
implementation but the formula: the docstring of `by_transitions` and the constants of likelihood.rs.
"""

import json

import numpy as np
from scipy.optimize import minimize
from scipy.special import softmax

SHRINK, STEADY, SYMMETRIC, VOLUME, SHARES, LEAST = 0.01, 0.1, 0.1, 0.03, 1.0, 1e-6
START, ROUNDS, SETTLED = 0.6, 12, 2e-3


def symmetric(classes, right):
    return np.where(np.eye(classes, dtype=bool), right, (1 - right) / (classes - 1))


def fit(scores, labels, balanced, atypicality):
    classes = scores.shape[1]
    # Each score is about the others, who have one sample less of its own label.
    rows = scores + np.eye(classes)[labels] / (len(labels) - 1)
    rows -= rows.mean(0)
    rows /= np.sqrt((rows**2).mean())
    cells = classes * classes

    def parts(at):
        scale = at[0] ** 2 * np.exp(at[1] * (atypicality - atypicality.mean())[:, None])
        corrections = at[2 : 2 + cells].reshape(classes, classes)
        offsets = at[2 + cells : 2 + cells + classes]
        return scale, corrections, offsets, softmax(at[2 + cells + classes :].reshape(classes, classes), 1)

    def truth(at):
        scale, corrections, offsets, _ = parts(at)
        return softmax(scale * rows + rows @ corrections + offsets, 1)

    def value(at, drawn_to):
        transitions, p = parts(at)[3], truth(at)
        total = -np.log((p * transitions[:, labels].T).sum(1)).mean()
        total += 0.5 * SHRINK * (parts(at)[1] ** 2).sum() + 0.5 * STEADY * (at[0] ** 2 - 1) ** 2
        if balanced:
            total -= SHARES * np.log(p.mean(0)).mean()
        total -= SYMMETRIC / classes * (drawn_to * np.log(transitions)).sum()
        square = transitions.T @ transitions + LEAST * np.eye(classes)
        return total + VOLUME / classes * 0.5 * np.linalg.slogdet(square)[1]

    at = np.concatenate([[1.0], np.zeros(1 + cells + classes), np.log(symmetric(classes, START)).ravel()])
    for _ in range(ROUNDS):
        right = np.diag(parts(at)[3]).mean()
        drawn_to = symmetric(classes, np.clip(right, 1 / classes, 0.99))
        at = minimize(value, at, args=(drawn_to,), method="BFGS", options={"gtol": 1e-7}).x
        if abs(np.diag(parts(at)[3]).mean() - right) < SETTLED:
            break
    transitions = parts(at)[3]
    joint = truth(at) * transitions[:, labels].T
    return joint[np.arange(len(labels)), labels] / joint.sum(1), transitions


def main():
    draws = np.random.default_rng(4)
    classes, count = 3, 360
    true = np.arange(count) % classes
    labels = true.copy()
    labels[(true == 0) & (draws.random(count) < 0.4)] = 1
    labels[(true == 2) & (draws.random(count) < 0.1)] = 0
    atypicality = draws.random(count).round(4)
    scores = np.eye(classes)[true] * 0.6
    scores += draws.normal(0, 0.3, (count, classes)) * (0.5 + atypicality)[:, None]
    scores = scores.astype(np.float32).round(4)
    found = {"scores": [float(f"{x:.4f}") for x in scores.ravel()], "labels": labels.tolist(),
             "right": (labels == true).tolist()}
    found["atypicality"] = atypicality.tolist()
    for name, balanced, u in (("free", False, 0 * atypicality), ("balanced", True, 0 * atypicality),
                              ("fading", True, atypicality)):
        clean, transitions = fit(scores.astype(float), labels, balanced, u)
        found[name] = {"clean": clean.round(5).tolist(), "transitions": transitions.ravel().round(5).tolist()}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
