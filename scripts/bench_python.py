#!/usr/bin/env python3
"""The Python package beside apricot, pyDVL and cleanlab: the same job by each, and its seconds.

Both of a job run in this process one after the other, round after round; the table shows the medians of wall and
CPU seconds, without imports and without making the data, and what says that the work was the same. A ratio is the
peer's seconds over ours in the same round: the median of the rounds, with the least and the largest. The
wheel and its peers are installed by hand:

    pip install afterimage-*.whl 'setuptools<81' apricot-select pydvl cleanlab scikit-learn pandas
    python3 scripts/bench_python.py [--rounds 3] [--rows 2000] [--samples 4000] [--only pyDVL]
"""

import argparse
import importlib.metadata
import os
import platform
import resource
import statistics
import time
import warnings
from pathlib import Path

import numpy as np

import afterimage

LEARNERS = 500


def wrong_labels(rows, seed=1):
    """A table with two classes, and a tenth of its labels turned; which ones were."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(rows, 20)).astype(np.float32)
    truth = (x[:, :4].sum(1) + draw.normal(size=rows) * 0.5 > 0).astype(int)
    turned = draw.random(rows) < 0.1
    return x, np.where(turned, 1 - truth, truth), turned


def clusters(samples, seed=2):
    draw = np.random.default_rng(seed)
    centres = draw.normal(size=(50, 64)) * 2
    return (centres[draw.integers(0, 50, samples)] + draw.normal(size=(samples, 64))).astype(np.float32)


def area(values, turned):
    """Probability that a turned label has a lower value than one that is right."""
    ranks = np.argsort(np.argsort(values)) + 1
    low, high = turned.sum(), (~turned).sum()
    return 1 - (ranks[turned].sum() - low * (low + 1) / 2) / (low * high)


def cpu_seconds():
    """Those of this process and of the ones that it started, which joblib keeps for the next round."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = time.process_time() + ended.ru_utime + ended.ru_stime
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(fields[1]) == os.getpid():
            total += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return total


def timed(job):
    start = time.perf_counter(), cpu_seconds()
    result = job()
    return result, (time.perf_counter() - start[0], cpu_seconds() - start[1])


def apricot(x, k):
    from apricot import FacilityLocationSelection

    # apricot's own `euclidean` squares the distances; these are the similarities that ours are.
    squares = (x.astype(np.float64) ** 2).sum(1)
    far = np.sqrt(np.maximum(squares[:, None] + squares[None] - 2 * (x.astype(np.float64) @ x.T), 0))
    selector = FacilityLocationSelection(k, metric="precomputed", optimizer="lazy")
    return selector.fit(far.max() - far).ranking


def ours_apricot(x, k):
    return afterimage.FacilityLocation(n_samples=k).fit(x).ranking_


def pydvl(x, y):
    from pydvl.valuation import DataOOBValuation, Dataset
    from sklearn.ensemble import BaggingClassifier
    from sklearn.tree import DecisionTreeClassifier

    model = BaggingClassifier(DecisionTreeClassifier(), n_estimators=LEARNERS, random_state=0, n_jobs=-1)
    model.fit(x, y)
    train = Dataset(x, y)
    return DataOOBValuation(model).fit(train).values().values


def ours_pydvl(x, y):
    return afterimage.value(x, y, learners=LEARNERS, ratio=1.0, max_features="all").data_oob


def cleanlab(x, y):
    from cleanlab.rank import get_label_quality_scores
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import cross_val_predict

    forest = RandomForestClassifier(n_estimators=LEARNERS, random_state=0, n_jobs=-1)
    probabilities = cross_val_predict(forest, x, y, cv=5, method="predict_proba")
    return get_label_quality_scores(y, probabilities)


def ours_cleanlab(x, y):
    return afterimage.value(x, y, learners=LEARNERS, ratio=1.0).data_oob


def cost(x, chosen):
    """Sum over the rows of the distance to the nearest chosen one."""
    best = np.full(len(x), np.inf)
    for at in chosen:
        best = np.minimum(best, np.linalg.norm(x - x[at], axis=1))
    return best.sum()


def spread(ratios):
    found = sorted(ratios)
    return f"{statistics.median(found):.1f} ({found[0]:.1f} to {found[-1]:.1f})"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--rows", type=int, default=2000)
    arguments.add_argument("--samples", type=int, default=4000)
    arguments.add_argument("--only", nargs="*", help="names of peers")
    arguments = arguments.parse_args()
    warnings.simplefilter("ignore")
    x, y, turned = wrong_labels(arguments.rows)
    rows = clusters(arguments.samples)
    k = arguments.samples // 20
    jobs = [
        ("apricot-select", apricot, ours_apricot, (rows, k), lambda r: f"cost {cost(rows, r):.1f}"),
        ("pyDVL", pydvl, ours_pydvl, (x, y), lambda r: f"area {area(np.asarray(r), turned):.3f}"),
        ("cleanlab", cleanlab, ours_cleanlab, (x, y), lambda r: f"area {area(np.asarray(r), turned):.3f}"),
    ]
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}\n")
    print("| beside | its wall s | its CPU s | our wall s | our CPU s | wall, its / ours | CPU, its / ours "
          "| its result | ours |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, theirs, ours, given, told in jobs:
        if arguments.only and name not in arguments.only:
            continue
        seconds, results = ([], []), [None, None]
        # The first round compiles what the peer compiles at its first call, and is left out.
        for turn in range(arguments.rounds + 1):
            for at, job in enumerate((theirs, ours)):
                results[at], taken = timed(lambda: job(*given))
                if turn:
                    seconds[at].append(taken)
        shown = [f"{statistics.median(s[of] for s in who):.2f}" for who in seconds for of in (0, 1)]
        shown += [spread(a[of] / b[of] for a, b in zip(*seconds)) for of in (0, 1)]
        version = importlib.metadata.version(name)
        print(f"| {name} {version} | {' | '.join(shown)} | {' | '.join(map(told, results))} |", flush=True)


if __name__ == "__main__":
    main()
