"""Reference values of UnitMem for crates/memory/testdata/unitmem.json.

Written from equations 5 to 8 of arXiv 2409.19069 over whole columns, with exactly rounded sums; the
median form is `median(sort(values)[:-1])`. Needs numpy only.

    python scripts/unitmem_reference.py > crates/memory/testdata/unitmem.json
"""

import json
import math
import sys

import numpy as np

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
    json.dump(cases, sys.stdout, separators=(",", ":"))
    print()


if __name__ == "__main__":
    main()
