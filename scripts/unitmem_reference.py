"""Reference values of UnitMem and its kin, written into crates/memory/testdata.

UnitMem from equations 5 to 8 of arXiv 2409.19069 over whole columns, with exactly rounded sums; the
median form is `median(sort(values)[:-1])`. Cross-fitted UnitMem from its definition: the owner in one
half of the views, its activation in the other. ClassMem from appendix D over class means. The binomial
tail in whole numbers. Needs numpy only.

    python scripts/unitmem_reference.py
"""

import json
import math
import pathlib
from fractions import Fraction

import numpy as np

OUT = pathlib.Path(__file__).resolve().parent.parent / "crates/memory/testdata"

QUANTILES = [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0]


def mean_of_others(column):
    others = np.delete(column, np.argmax(column))
    return math.fsum(others) / len(others)


def median_of_others(column):
    return float(np.median(np.sort(column)[:-1]))


def unit_score(column, rest_of):
    """(score or None, dead)."""
    if not np.isfinite(column).all() or (column < 0).any():
        return None, False
    if column.max() == 0:
        return 0.0, True
    top, rest = column.max(), rest_of(column)
    return (top - rest) / (top + rest), False


def scores(table, rest_of):
    judged = [unit_score(table[:, unit], rest_of) for unit in range(table.shape[1])]
    values = np.array(sorted(score for score, _ in judged if score is not None))
    top = math.ceil(len(values) / 10)
    return {
        "units": [None if score is None else float(score) for score, _ in judged],
        "mean": math.fsum(values) / len(values),
        "top_decile_mean": math.fsum(values[-top:]) / top,
        "quantiles": [float(np.quantile(values, p)) for p in QUANTILES],
        "dead": sum(dead for _, dead in judged),
        "invalid": sum(score is None for score, _ in judged),
    }


def owner(column):
    """The first point with the largest activation; nobody for units without a ratio."""
    score, dead = unit_score(column, mean_of_others)
    return None if score is None or dead else int(np.argmax(column))


def case(name, table):
    single = np.asarray(table, dtype=np.float32)
    table = single.astype(np.float64)
    return {
        "name": name,
        "points": table.shape[0],
        "units": table.shape[1],
        # Nine digits name every single-precision number.
        "values": [float(f"{v:.9g}") for v in single.ravel()],
        "paper": scores(table, mean_of_others),
        "official_code": scores(table, median_of_others),
        "owners": [owner(table[:, unit]) for unit in range(table.shape[1])],
    }


def single_precision(array):
    """The array as the network would give it, and its values in nine digits, which name them all."""
    single = np.asarray(array, dtype=np.float32)
    return single.astype(np.float64), [float(f"{v:.9g}") for v in single.ravel()]


def cross_fit_case(name, views):
    """`views`: activations [points, views, units]."""
    views, values = single_precision(views)
    points, count, units = views.shape
    half = (count + 1) // 2
    folds = views[:, :half].mean(axis=1), views[:, half:].mean(axis=1)
    owners = [fold.argmax(axis=0) for fold in folds]
    scores, agreed = [], []
    for unit in range(units):
        columns = [fold[:, unit] for fold in folds]
        largest = max(column.max() for column in columns)
        if min(column.min() for column in columns) < 0:
            scores.append(None)
            agreed.append(None)
        elif largest == 0:
            scores.append(0.0)
            agreed.append(None)
        else:
            measured = columns[1][owners[0][unit]], columns[0][owners[1][unit]]
            rest = (
                np.delete(columns[1], owners[0][unit]).mean(),
                np.delete(columns[0], owners[1][unit]).mean(),
            )
            top, other = np.mean(measured), np.mean(rest)
            scores.append(float((top - other) / (top + other)))
            agreed.append(bool(owners[0][unit] == owners[1][unit]))
    return {
        "name": name,
        "points": points,
        "views": count,
        "units": units,
        "values": values,
        "cross_fitted": scores,
        "owners": [[int(k) for k in owner] for owner in owners],
        "agreed": agreed,
    }


def class_case(name, labels, table):
    """`table`: activations [points, units]."""
    table, values = single_precision(table)
    labels = np.asarray(labels)
    classes = np.unique(labels)
    means = np.stack([table[labels == label].mean(axis=0) for label in classes])
    best = [owner(means[:, unit]) for unit in range(means.shape[1])]
    return {
        "name": name,
        "units": table.shape[1],
        "labels": [int(label) for label in labels],
        "values": values,
        "paper": scores(means, mean_of_others)["units"],
        "official_code": scores(means, median_of_others)["units"],
        "owners": [None if k is None else int(classes[k]) for k in best],
    }


def binomial_case(k, n):
    """Two-sided probability that k of n coins fall as far from one half."""
    low = min(k, n - k)
    tail = sum(math.comb(n, j) for j in range(low + 1))
    return {"k": k, "n": n, "p": float(min(Fraction(2 * tail, 2**n), 1))}


def write(name, cases):
    text = json.dumps(cases, separators=(",", ":"))
    (OUT / name).write_text(text + "\n")


def main():
    rng = np.random.default_rng(7)
    dense = rng.exponential(size=(30, 12))
    sparse = np.maximum(rng.normal(loc=-1.0, size=(41, 13)), 0)
    sparse[:, 4] = 0
    signed = rng.normal(loc=2.5, size=(20, 11))
    ties = rng.integers(0, 4, size=(24, 10)).astype(float)
    ties[:, 3] = 2.0
    sizes = rng.exponential(size=(25, 9)) * 10.0 ** rng.uniform(-8, 8, size=9)
    sizes[:, 0] = 10.0 ** rng.uniform(-12, 12, size=25)
    one_hot = np.zeros((15, 3))
    one_hot[[3, 0, 14], [0, 1, 2]] = [0.25, 1e-3, 1e4]
    cases = [
        case("dense", dense),
        case("sparse with a dead unit", sparse),
        case("signed", signed),
        case("ties", ties),
        case("many sizes", sizes),
        case("one-hot", one_hot),
        case("two points", rng.exponential(size=(2, 6))),
        case("three points", rng.exponential(size=(3, 6))),
    ]
    write("unitmem.json", cases)

    # A generator of its own, so that cases can be added without changing the others.
    rng = np.random.default_rng(11)
    noisy = rng.exponential(size=(13, 5, 4))
    striking = rng.exponential(size=(20, 10, 3))
    striking[7, :, 1] *= 30
    silent = np.maximum(rng.normal(loc=-1.5, size=(17, 4, 6)), 0)
    silent[:, :, 2] = 0
    signed = rng.normal(loc=1.5, size=(9, 6, 5))
    write(
        "cross_fit.json",
        [
            cross_fit_case("noise, an odd number of views", noisy),
            cross_fit_case("a striking point", striking),
            cross_fit_case("sparse with a dead unit", silent),
            cross_fit_case("signed", signed),
            cross_fit_case("two points in two views", rng.exponential(size=(2, 2, 3))),
        ],
    )

    labels = rng.integers(0, 5, size=43)
    dense = rng.exponential(size=(43, 7)) + (labels == 3)[:, None] * rng.exponential(size=7)
    dense[:, 2] = 0
    signed = rng.normal(loc=0.4, size=(29, 6))
    write(
        "class_mem.json",
        [
            class_case("five classes", labels, dense),
            class_case("signed, labels with gaps", rng.choice([2, 5, 9, 40], size=29), signed),
            class_case("two classes", [1, 0, 0, 1, 1], rng.exponential(size=(5, 4))),
        ],
    )

    tails = [(0, 1), (1, 2), (7, 10), (3, 10), (60, 100), (50, 100), (51, 100), (0, 40)]
    tails += [(700, 1120), (571, 1120), (5200, 10_000)]
    write("binomial.json", [binomial_case(k, n) for k, n in tails])


if __name__ == "__main__":
    main()
