"""The study of experiments/crust: self-supervised signals, the grid of arms, and its tables.

    python scripts/crust.py signals --program afterimage --data CIFAR10_DIR --out OUT
    python scripts/crust.py grid    --program afterimage --data CIFAR10_DIR --out OUT --jobs 2
    python scripts/crust.py subsets --program afterimage --data CIFAR10_DIR --out OUT --seeds 1
    python scripts/crust.py tables  --out OUT > tables.md

`--data-set fashion-mnist` does the same on Fashion-MNIST, DIR holding its four IDX files (`apt-get install
dataset-fashion-mnist` puts them into /usr/share/datasets/fashion-mnist); give each data set an OUT of its
own. `grid` goes on where it was stopped: runs that are complete are left alone, others are resumed.
`--only` and `--seeds` narrow it; `--plan` prints the runs and starts none. `--size full` is the size of
the papers: all images, full width, 120 epochs of batches of 128; give it a device.
Needs numpy, pandas and pyarrow.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

HERE = pathlib.Path(__file__).resolve().parent.parent / "experiments" / "crust"

# `pairs` is the map of asymmetric noise; `train` and `held_out` are all images, for `--size full`.
DATA_SETS = {
    "cifar10": {
        "kind": "cifar10", "dir": "data/cifar-10-batches-bin", "out": "runs/crust",
        "pairs": "cifar10-pairs", "train": 50000, "held_out": 10000,
    },
    "fashion-mnist": {
        "kind": "idx", "dir": "/usr/share/datasets/fashion-mnist", "out": "runs/crust-fashion-mnist",
        "pairs": "fashion-mnist-pairs", "train": 60000, "held_out": 10000,
    },
}
NOISES = {
    "sym80": ("symmetric", 0.8),
    "asym40": ("pairs", 0.4),
    "sym50": ("symmetric", 0.5),
    "sym20": ("symmetric", 0.2),
    "clean": ("symmetric", 0.0),
}
# The arms that carry the claim, at the noises that carry it, in the order of what they are worth.
MAIN = [
    "random", "crust-released", "gate-fl", "gate-fl-memory", "gate-fl-classifier",
    "gate-fl-classifier-memory", "gate-fl-classifier-only", "gate-fl-transitions",
    "gate-fl-transitions-memory", "oracle",
]
REST = [
    "uniform", "full", "small-loss", "crust-paper", "gate", "gate-fl-layermem", "gate-fl-unitmem",
    "gate-fl-permuted", "gate-fl-knn", "gate-fl-own", "gate-fl-oob", "gate-fl-all",
    "gate-fl-transitions-losses", "gate-fl-transitions-free", "gate-fl-transitions-permuted",
]
FULL = {
    "epochs": 120, "batch_size": 128, "encoder.width": 1.0, "schedule.peak": 0.1, "loader.threads": 8,
}


def flags(settings):
    return [flag for key, value in settings.items() for flag in ("--set", f"{key}={value}")]


def wanted(arguments, name):
    return not arguments.only or any(word in name for word in arguments.only)


def plan(arguments):
    """Runs as (name, config file, settings), the most important first."""
    seeds = range(1, arguments.seeds + 1)
    cells = [(noise, arm, seed) for seed in seeds for noise in ("sym80", "asym40") for arm in MAIN]
    cells += [(noise, arm, 1) for noise in ("sym80", "asym40") for arm in REST]
    cells += [("asym40", arm, seed) for seed in seeds for arm in ("uniform", "gate-fl-transitions-free")]
    cells += [("clean", arm, seed) for seed in seeds
              for arm in ("random", "full", "gate-fl", "gate-fl-classifier", "gate-fl-transitions")]
    cells += [(noise, arm, 1) for noise in ("sym50", "sym20") for arm in MAIN + ["full"]]
    cells += [("clean", arm, 1) for arm in ("full", "crust-released", "gate-fl-memory")]
    seen = set()
    for noise, arm, seed in cells:
        name = f"{noise}/{arm}/{seed}"
        if name in seen or not wanted(arguments, name):
            continue
        seen.add(name)
        kind, fraction = NOISES[noise]
        kind = DATA_SETS[arguments.data_set]["pairs"] if kind == "pairs" else kind
        settings = {"seed": seed, "label_noise.kind": kind, "label_noise.fraction": fraction}
        if arm == "small-loss":
            # Told the share of right labels of most classes.
            settings["plugins.coreset.fraction"] = round(1 - fraction, 3) if fraction else 1.0
        yield name, HERE / "arms" / f"{arm}.toml", settings


SUBSETS = ["full", "random", "sas", "sas-released", "prototypes", "prototypes-easy", "facility-location",
           "memorization", "memorization-typical"]


def subsets(arguments):
    """SimCLR on subsets that no label had a part in."""
    runs = [(f"ssl/{arm}/{seed}", HERE / "ssl-arms" / f"{arm}.toml", {"seed": seed})
            for seed in range(1, arguments.seeds + 1) for arm in SUBSETS]
    runs = [each for each in runs if wanted(arguments, each[0])]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        done = list(pool.map(lambda each: run(arguments, *each), runs))
    print(f"{sum(done)} of {len(runs)} runs are complete")


def run(arguments, directory, config, settings):
    """Runs, or resumes, one config; whether it is complete. The working directory is OUT, where
    `signals/` lies."""
    out = pathlib.Path(arguments.out).resolve()
    directory = out / "runs" / directory
    manifest = directory / "manifest.json"
    if manifest.exists() and json.loads(manifest.read_text())["outcome"] == "completed":
        return True
    data = DATA_SETS[arguments.data_set]
    extra = {"data.kind": data["kind"], "data.dir": pathlib.Path(arguments.data).resolve(),
             "renderer": "silent"}
    if arguments.size == "full":
        extra |= FULL | {"limits.train": data["train"], "limits.held_out": data["held_out"]}
    if arguments.device:
        extra["device"] = arguments.device
    program = shutil.which(arguments.program) or str(pathlib.Path(arguments.program).resolve())
    command = [program, "run", str(config), "--out", str(directory), *flags(settings | extra)]
    if manifest.exists():
        command = [program, "resume", str(directory)]
    directory.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(command, cwd=out, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{directory}: exit code {done.returncode}\n{done.stderr.strip()}", file=sys.stderr)
    return done.returncode == 0


def last_table(run, name):
    files = (run / "tables" / name).glob("epoch-*.parquet")
    return max(files, key=lambda file: (len(file.name), file.name))


def signals(arguments):
    """Trains the self-supervised encoders and writes OUT/signals, one row a training image."""
    out = pathlib.Path(arguments.out)
    for name in ("ssl", "ssl-pair"):
        if not run(arguments, name, HERE / f"{name}.toml", {}):
            raise SystemExit(f"{name} did not complete")
    target = out / "signals"
    target.mkdir(exist_ok=True)
    ssl, pair = (out / "runs" / name for name in ("ssl", "ssl-pair"))
    embeddings = last_table(ssl, "embeddings")
    shutil.copy(embeddings, target / "embeddings.parquet")
    images = len(pd.read_parquet(embeddings))
    owned = pd.read_parquet(last_table(ssl, "unitmem.points")).set_index("point")["units"]
    unitmem = owned.reindex(range(images), fill_value=0).to_numpy(float)
    np.save(target / "unitmem.npy", unitmem)
    points = pd.read_parquet(last_table(pair, "layermem.points"))
    points = points[points["layer"] == points["layer"].iloc[-1]]
    # What the studied encoder saw and its reference did not, and the other way round; an image that
    # both saw has none, and stands in the middle.
    layermem = pd.concat([
        points[points["set"] == "candidates"].set_index("point")["score"],
        -points[points["set"] == "independent"].set_index("point")["score"],
    ])
    layermem = layermem.reindex(range(images)).fillna(layermem.median()).to_numpy(float)
    np.save(target / "layermem.npy", layermem)
    ranks = np.corrcoef(pd.Series(layermem).rank(), pd.Series(unitmem).rank())[0, 1]
    print(f"{images} images; rank correlation of LayerMem and UnitMem {ranks:.3f}; units owned by "
          f"{(unitmem > 0).mean():.1%} of the images")


def claim(arguments):
    """Refuses an OUT that holds runs of another data set: their tables would mix."""
    out = pathlib.Path(arguments.out)
    mark = out / "data-set"
    unmarked = "cifar10" if (out / "runs").exists() else arguments.data_set
    held = mark.read_text().strip() if mark.exists() else unmarked
    if held != arguments.data_set:
        raise SystemExit(f"{arguments.out} holds runs on {held}; choose another --out")
    mark.write_text(f"{held}\n")


def grid(arguments):
    runs = list(plan(arguments))
    if arguments.plan:
        print("\n".join(name for name, _, _ in runs))
        print(f"{len(runs)} runs")
        return
    with ThreadPoolExecutor(arguments.jobs) as pool:
        done = list(pool.map(lambda each: run(arguments, *each), runs))
    print(f"{sum(done)} of {len(runs)} runs are complete")
    if not all(done):
        raise SystemExit(1)


def scalars(run):
    series = {}
    for line in (run / "metrics.jsonl").read_text().splitlines():
        record = json.loads(line)
        if isinstance(record.get("value"), (int, float)):
            series.setdefault(record["tag"], []).append(record["value"])
    return series


def seconds(run):
    series = {}
    for line in (run / "timings.jsonl").read_text().splitlines():
        record = json.loads(line)
        series.setdefault(record["tag"], []).append(record["value"])
    return sum(sum(series.get(f"time/coreset/{part}", [])) for part in ("sweep", "select"))


def collect(out):
    rows = []
    for manifest in sorted((pathlib.Path(out) / "runs").glob("*/*/*/manifest.json")):
        run = manifest.parent
        if json.loads(manifest.read_text())["outcome"] != "completed":
            continue
        noise, arm, seed = run.parts[-3:]
        found = scalars(run)
        if noise == "ssl":
            continue
        row = {"noise": noise, "arm": arm, "seed": int(seed)}
        # The mean of the last five epochs, never the best.
        row["accuracy"] = 100 * float(np.mean(found["eval/accuracy"][-5:]))
        for name in ("clean", "clean_weighted", "recall", "recall_hard", "prior_auroc",
                     "prior_calibration_error", "size", "expected_clean", "overlap", "cost_clean"):
            row[name] = found.get(f"coreset/{name}", [float("nan")])[-1]
        row["seconds"] = seconds(run)
        row["steps"] = int(len(found["loss/step"]))
        rows.append(row)
    if not rows:
        raise SystemExit(f"no complete run below {out}/runs")
    return pd.DataFrame(rows)


def interval(differences, draws=10_000):
    """95 % bootstrap interval of the mean of paired differences, over seeds."""
    values = np.asarray(differences, float)
    if len(values) < 2:
        return "–"
    chosen = np.random.default_rng(0).integers(0, len(values), (draws, len(values)))
    low, high = np.percentile(values[chosen].mean(1), [2.5, 97.5])
    return f"{low:+.1f} … {high:+.1f}"


def number(values, form):
    values = [value for value in values if np.isfinite(value)]
    return form.format(np.mean(values)) if values else "–"


def tables(arguments):
    probes = {}
    for metrics in sorted((pathlib.Path(arguments.out) / "runs" / "ssl").glob("*/*/metrics.jsonl")):
        found = scalars(metrics.parent)
        if "eval/linear_probe" in found:
            probes.setdefault(metrics.parts[-3], []).append(100 * found["eval/linear_probe"][-1])
    if probes:
        print("| SimCLR on | seeds | linear probe |\n|---|---|---|")
        for arm in (arm for arm in SUBSETS if arm in probes):
            print(f"| {arm} | {len(probes[arm])} | {np.mean(probes[arm]):.1f} |")
        print()
    rows = collect(arguments.out)
    steps = rows["steps"].unique()
    print(f"{len(rows)} runs, of {', '.join(map(str, sorted(steps)))} steps each.")
    order = {arm: place for place, arm in enumerate(MAIN + REST)}
    for noise in NOISES:
        of_noise = rows[rows["noise"] == noise]
        if of_noise.empty:
            continue
        print(f"\n### {noise}\n")
        print("| arm | seeds | accuracy, last 5 epochs | less CRUST released | 95 % | less random | "
              "95 % | clean | recall | hardest tenth | AUROC | ECE | size | selection s |")
        print("|" + "---|" * 14)
        base = {arm: of_noise[of_noise["arm"] == arm].set_index("seed")["accuracy"]
                for arm in ("crust-released", "random")}
        for arm in sorted(of_noise["arm"].unique(), key=lambda arm: order.get(arm, 99)):
            own = of_noise[of_noise["arm"] == arm].set_index("seed")
            spread = f" ± {own['accuracy'].std(ddof=1):.1f}" if len(own) > 1 else ""
            cells = [arm, str(len(own)), f"{own['accuracy'].mean():.1f}{spread}"]
            for other in ("crust-released", "random"):
                pairs = (own["accuracy"] - base[other]).dropna()
                cells += [number(pairs, "{:+.1f}"), interval(pairs)]
            cells += [number(own[name], "{:.3f}") for name in
                      ("clean", "recall", "recall_hard", "prior_auroc", "prior_calibration_error")]
            cells += [number(own["size"], "{:.0f}"), number(own["seconds"], "{:.1f}")]
            print("| " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("command", choices=["signals", "grid", "subsets", "tables"])
    parser.add_argument("--program", default="afterimage")
    parser.add_argument("--data-set", choices=list(DATA_SETS), default="cifar10")
    parser.add_argument("--data", metavar="DIR", help="where the files of the data set are")
    parser.add_argument("--out", help="default: runs/crust, or runs/crust-fashion-mnist")
    parser.add_argument("--device")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", nargs="*", metavar="PART", help="parts of names, as sym80/random")
    parser.add_argument("--plan", action="store_true")
    parser.add_argument("--size", choices=["small", "full"], default="small")
    arguments = parser.parse_args()
    arguments.data = arguments.data or DATA_SETS[arguments.data_set]["dir"]
    arguments.out = arguments.out or DATA_SETS[arguments.data_set]["out"]
    pathlib.Path(arguments.out).mkdir(parents=True, exist_ok=True)
    if arguments.command != "tables" and not arguments.plan:
        claim(arguments)
    {"signals": signals, "grid": grid, "subsets": subsets, "tables": tables}[arguments.command](arguments)


if __name__ == "__main__":
    main()
