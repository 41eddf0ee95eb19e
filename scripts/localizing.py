"""Tables of experiments/localizing from finished runs: one row a layer, mean ± spread over seeds.

    python scripts/localizing.py RUN_DIR... [--planted DIR] > tables.md

Runs of one `name` in their config are seeds of one arm. `--planted DIR` is what plant_outliers.py wrote:
the runs, which read it, then have a table of its outliers. Needs numpy, pandas and pyarrow.
"""

import argparse
import json
import pathlib
import tomllib
from collections import defaultdict

import numpy as np
import pandas as pd

TOP = 50


def read(run):
    config = tomllib.loads((run / "config.toml").read_text())
    scalars = {}
    for line in (run / "metrics.jsonl").read_text().splitlines():
        record = json.loads(line)
        if isinstance(record.get("value"), (int, float)):
            scalars.setdefault(record["tag"], {})[record["epoch"]] = record["value"]
    tables = {}
    for folder in (run / "tables").iterdir() if (run / "tables").exists() else []:
        files = sorted(folder.glob("epoch-*.parquet"), key=lambda file: (len(file.name), file.name))
        if files:
            tables[folder.name] = pd.read_parquet(files[-1])
    return {
        "name": config["name"], "seed": config["seed"], "limit": config["limits"]["train"],
        "scalars": scalars, "tables": tables,
    }


def spread(values):
    """Mean and standard deviation over seeds; one seed has no spread."""
    series = pd.Series([v for v in values if v is not None], dtype=float)
    if series.empty:
        return "–"
    if len(series) == 1:
        return f"{series.iloc[0]:.3f}"
    return f"{series.mean():.3f} ± {series.std(ddof=1):.3f}"


def last(run, tag):
    points = run["scalars"].get(tag)
    return points[max(points)] if points else None


def layers_of(runs, prefix):
    seen = []
    for run in runs:
        for tag in run["scalars"]:
            if tag.startswith(prefix) and tag[len(prefix):] not in seen:
                seen.append(tag[len(prefix):])
    return seen


def table(header, rows):
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def accuracy(runs):
    tags = ["eval/knn", "eval/linear_probe", "eval/accuracy", "eval/reference_knn", "loss/train"]
    rows = [[tag, spread([last(run, tag) for run in runs])] for tag in tags]
    print(f"Seeds: {', '.join(str(run['seed']) for run in runs)}\n")
    table(["at the end", "mean ± sd over seeds"], [row for row in rows if row[1] != "–"])


def layermem(runs):
    layers = layers_of(runs, "layermem/mean/candidates/")
    if not layers:
        return
    columns = [
        ("candidates", "mean/candidates"),
        ("Δ", "delta"),
        ("calibrated", "calibrated"),
        ("se of it", "se/calibrated"),
        ("independent", "mean/independent"),
        ("shared", "mean/shared"),
        ("held-out", "mean/external"),
    ]
    print("LayerMem at the last probe\n")
    rows = [
        [layer] + [spread([last(run, f"layermem/{tag}/{layer}") for run in runs]) for _, tag in columns]
        for layer in layers
    ]
    table(["layer"] + [name for name, _ in columns], rows)
    extremes(runs, layers)


def extremes(runs, layers):
    """LayerMem of the candidates that the embedding remembers most and least, and of as many shared
    points chosen in the same way: choosing by a score raises it in both."""
    rows = []
    for layer in layers:
        cells = []
        for group in ["candidates", "shared"]:
            for ascending in [False, True]:
                values = []
                for run in runs:
                    points = run["tables"].get("layermem.points")
                    if points is None:
                        continue
                    points = points[points["set"] == group]
                    rank = points[points["layer"] == "embedding"].sort_values("score", ascending=ascending)
                    chosen = set(rank["point"].head(TOP))
                    here = points[(points["layer"] == layer) & points["point"].isin(chosen)]
                    values.append(here["score"].mean())
                cells.append(spread(values))
        rows.append([layer] + cells)
    print(f"LayerMem of the {TOP} points with the highest and lowest score of the embedding\n")
    table(["layer", "candidates, top", "candidates, bottom", "shared, top", "shared, bottom"], rows)


def outliers_of(directory, limit):
    """Ids, in a run over the first `limit` training images by class, of the planted outliers."""
    batches = [np.fromfile(path, np.uint8) for path in sorted(directory.glob("data_batch_*.bin"))]
    labels = np.concatenate([batch.reshape(-1, 3073)[:, 0] for batch in batches])
    place = pd.Series(labels).groupby(labels).cumcount().to_numpy()
    kept = np.flatnonzero(place < limit // 10)
    planted = pd.read_csv(directory / "outliers.csv")["row"]
    return np.flatnonzero(np.isin(kept, planted))


def planted(runs, directory):
    """LayerMem of planted outliers and of all other points, with its two controls: points that both
    encoders saw, and the calibrated difference of the points that one of them saw."""
    outliers = {limit: outliers_of(directory, limit) for limit in {run["limit"] for run in runs}}
    rows = []
    for layer in layers_of(runs, "layermem/mean/candidates/"):
        cells = defaultdict(list)
        for run in runs:
            points = run["tables"]["layermem.points"]
            points = points[points["layer"] == layer]
            outlier = points["point"].isin(outliers[run["limit"]])
            mean = {
                (group, which): points[(points["set"] == group) & (outlier == which)]["score"].mean()
                for group in ["candidates", "independent", "shared"] for which in [True, False]
            }
            for which in [True, False]:
                cells["candidates", which].append(mean["candidates", which])
                cells["shared", which].append(mean["shared", which])
                calibrated = (mean["candidates", which] - mean["independent", which]) / 2
                cells["calibrated", which].append(calibrated)
        order = [(group, which) for group in ["candidates", "shared", "calibrated"] for which in [True, False]]
        rows.append([layer] + [spread(cells[key]) for key in order])
    print("LayerMem of planted outliers and of the other points\n")
    table(["layer"] + [f"{group}, {who}" for group in ["candidates", "shared", "calibrated"]
                       for who in ["outliers", "others"]], rows)


def gap(runs):
    layers = layers_of(runs, "alignment/gap/")
    if layers:
        print("Alignment gap of one encoder (held-out less training points)\n")
        rows = [
            [layer, spread([last(run, f"alignment/gap/{layer}") for run in runs]),
             spread([last(run, f"alignment/excess/{layer}") for run in runs])]
            for layer in layers
        ]
        table(["layer", "gap", "gap less that at init"], rows)


def unitmem(runs):
    layers = layers_of(runs, "unitmem/mean/train/")
    if not layers:
        return
    columns = [
        ("train", "unitmem/mean/train"),
        ("held-out", "unitmem/mean/held_out"),
        ("at init", "unitmem/mean/initial"),
        ("train − held-out", "unitmem/excess/held_out"),
        ("cross-fitted", "unitmem/crossfit/train"),
        ("owned by training points", "unitmem/ownership"),
        ("ClassMem", "classmem/mean/train"),
        ("ClassMem, labels permuted", "classmem/mean/permuted"),
        ("units above ClassMem", "classmem/unit_above_class/raw"),
        ("the same, less the nulls", "classmem/unit_above_class/corrected"),
    ]
    present = [(n, t) for n, t in columns if any(last(r, f"{t}/{layers[0]}") is not None for r in runs)]
    print("UnitMem at the last probe\n")
    rows = [[layer] + [spread([last(run, f"{tag}/{layer}") for run in runs]) for _, tag in present]
            for layer in layers]
    table(["layer"] + [name for name, _ in present], rows)
    epochs = sorted({epoch for run in runs for epoch in run["scalars"].get("unitmem/mean/train/all", {})})
    print("UnitMem of all units over epochs\n")
    rows = []
    for name, tag in present[:4]:
        points = [[run["scalars"].get(f"{tag}/all", {}).get(epoch) for run in runs] for epoch in epochs]
        rows.append([name] + [spread(values) for values in points])
    table(["epoch"] + [str(epoch) for epoch in epochs], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=pathlib.Path)
    parser.add_argument("--planted", type=pathlib.Path, metavar="DIR")
    arguments = parser.parse_args()
    arms = defaultdict(list)
    for path in arguments.runs:
        run = read(path)
        arms[run["name"]].append(run)
    for name, runs in arms.items():
        runs.sort(key=lambda run: run["seed"])
        print(f"## {name}\n")
        accuracy(runs)
        layermem(runs)
        if arguments.planted:
            planted(runs, arguments.planted)
        gap(runs)
        unitmem(runs)


if __name__ == "__main__":
    main()
