#!/usr/bin/env python3
"""Areas under the curve of a run's LayerMem, computed again from its table of points.

    pip install numpy pyarrow
    scripts/memorization_areas.py RUN_DIR

For each epoch and layer: the share of pairs of a candidate and a held-out point in which the candidate has the
higher LayerMem, ties counted half, from the whole matrix of pairs; its standard error by the covariance of
the matrix's row and column means (DeLong et al. 1988). Ends with 1 where one differs from the run's own
`layermem/layers` by more than 1e-9.
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq


def area(first, second):
    wins = (first[:, None] > second[None, :]) + 0.5 * (first[:, None] == second[None, :])
    error = np.sqrt(np.var(wins.mean(1), ddof=1) / len(first) + np.var(wins.mean(0), ddof=1) / len(second))
    return wins.mean(), error


def main():
    tables = Path(sys.argv[1]) / "tables"
    worst, compared = 0.0, 0
    for path in sorted(tables.glob("layermem.layers/*.parquet")):
        layers = pq.read_table(path).to_pydict()
        points = pq.read_table(tables / "layermem.points" / path.name).to_pydict()
        names, sets, scores = (np.array(points[key]) for key in ["layer", "set", "score"])
        for row, layer in enumerate(layers["layer"]):
            of = {kind: scores[(names == layer) & (sets == kind)] for kind in ["candidates", "external", "independent"]}
            held_out = of["external"]
            expected = {
                "area": area(of["candidates"], held_out),
                "area_independent": area(of["candidates"], of["independent"]),
                "area_null": area(held_out[0::2], held_out[1::2]),
            }
            for key, (value, error) in expected.items():
                worst = max(worst, abs(layers[key][row] - value), abs(layers[f"{key}_se"][row] - error))
                compared += 1
    print(f"{compared} areas, worst difference {worst:.1e}")
    sys.exit(compared == 0 or worst > 1e-9)


if __name__ == "__main__":
    main()
