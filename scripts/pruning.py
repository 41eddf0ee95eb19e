"""Runs and tabulates experiments/pruning: the paper's Table 6, and pruning during training.

    python scripts/pruning.py run --data CIFAR10_DIR [--program afterimage] [--seeds 5] [--part table6]
    python scripts/pruning.py tables > experiments/pruning/tables.md

A run that is complete is not run again, one that was stopped goes on. Needs SciPy for the tables.
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys
from collections import defaultdict

CONFIGS = pathlib.Path("experiments/pruning")
RUNS = pathlib.Path("runs/pruning")

# Name of the arm, score, direction, whether units are random ones in the numbers of the score.
CRITERIA = [
    ("unitmem-top", "unitmem", "highest", False),
    ("unitmem-random", "unitmem", "highest", True),
    ("unitmem-low", "unitmem", "lowest", False),
    ("excess-top", "unitmem-excess", "highest", False),
    ("excess-low", "unitmem-excess", "lowest", False),
    ("magnitude-low", "magnitude", "lowest", False),
    ("taylor-low", "taylor", "lowest", False),
    ("activation-low", "activation-mean", "lowest", False),
    ("gamma-low", "bn-gamma", "lowest", False),
]
SHARES = [("layer-10", "site", 0.1), ("layer-20", "site", 0.2), ("total-10", "global", 0.1)]
FRACTIONS = [0.3, 0.5, 0.7]
DURING = ["unitmem-top", "unitmem-random", "unitmem-low", "excess-low", "magnitude-low", "taylor-low"]


def prune(score, direction, random_units, fraction, scope="site"):
    return {
        "plugins.prune.score": score,
        "plugins.prune.direction": direction,
        "plugins.prune.random_units": str(random_units).lower(),
        "plugins.prune.fraction": fraction,
        "plugins.prune.scope": scope,
    }


def arms(part, seed):
    """(name, config, settings) of each run of a seed, in an order in which each finds what it needs."""
    trained = RUNS / f"train-{seed}"
    if part in ("table6", "all"):
        yield f"train-{seed}", "train.toml", {}
        for share, scope, fraction in SHARES:
            for name, *how in CRITERIA:
                settings = prune(*how, fraction, scope) | {"fine_tune.from": trained}
                yield f"table6-{share}-{name}-{seed}", "table6.toml", settings
    if part in ("during", "all"):
        for fraction in FRACTIONS:
            for name, *how in CRITERIA:
                if name in DURING:
                    for kind in ("during", "after"):
                        arm = f"{kind}-{round(100 * fraction)}-{name}-{seed}"
                        yield arm, f"{kind}.toml", prune(*how, fraction)


def outcome(run):
    manifest = run / "manifest.json"
    return json.loads(manifest.read_text())["outcome"] if manifest.exists() else None


def run(arguments):
    for seed in range(1, arguments.seeds + 1):
        for name, config, settings in arms(arguments.part, seed):
            out = RUNS / name
            if outcome(out) == "completed":
                continue
            if (out / "config.toml").exists():
                command = [arguments.program, "resume", out]
            else:
                settings = settings | {"seed": seed, "data.dir": arguments.data}
                sets = [f"--set={key}={value}" for key, value in settings.items()]
                sets += [f"--set={text}" for text in arguments.set]
                command = [arguments.program, "run", CONFIGS / config, "--out", out, *sets]
            print(name, flush=True)
            ended = subprocess.run(list(map(str, command)), stdout=subprocess.DEVNULL)
            if ended.returncode:
                sys.exit(f"{name}: exit code {ended.returncode}; see {out}/log.txt")


def read(path):
    """First and last value of each scalar: before and after the pruning, where both are of one step."""
    first, last = {}, {}
    for line in (path / "metrics.jsonl").read_text().splitlines():
        record = json.loads(line)
        first.setdefault((record["tag"], record["step"]), record["value"])
        last[record["tag"]] = (record["step"], record["value"])
    before = {tag: first[tag, step] for tag, (step, _) in last.items()}
    return before, {tag: value for tag, (_, value) in last.items()}


def interval(values):
    """Mean and half of the 95 % t-interval over seeds."""
    from scipy import stats
    mean = sum(values) / len(values)
    if len(values) < 2:
        return f"{100 * mean:.2f}"
    spread = math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))
    half = stats.t.ppf(0.975, len(values) - 1) * spread / math.sqrt(len(values))
    return f"{100 * mean:.2f} ± {100 * half:.2f}"


def table(header, rows):
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def tables(_):
    found = defaultdict(dict)
    for path in sorted(RUNS.iterdir()):
        if outcome(path) == "completed":
            arm, seed = path.name.rsplit("-", 1)
            found[arm][seed] = read(path)
    probes = lambda arm: [after["eval/linear_probe"] for _, after in found[arm].values()]
    cell = lambda arm: interval(probes(arm)) if arm in found else "–"

    def paired(arm, other):
        """What `arm` has more than `other`, seed by seed."""
        both = [seed for seed in found.get(arm, {}) if seed in found.get(other, {})]
        value = lambda name, seed: found[name][seed][1]["eval/linear_probe"]
        return interval([value(arm, seed) - value(other, seed) for seed in both]) if both else "–"

    seeds = max((len(runs) for runs in found.values()), default=0)
    print(f"Linear probe on held-out images in %, mean ± half of a 95 % interval over {seeds} seeds.\n")
    if any(arm.startswith("table6") for arm in found):
        print("## Table 6\n")
        base = [before["eval/linear_probe"] for before, _ in
                found[f"table6-{SHARES[0][0]}-{CRITERIA[0][0]}"].values()]
        print(f"Nothing pruned: {interval(base) if base else '–'}\n")
        rows = [[name] + [cell(f"table6-{share}-{name}") for share, _, _ in SHARES]
                for name, *_ in CRITERIA]
        table(["units pruned"] + [share for share, _, _ in SHARES], rows)
        print("Less random units in the same numbers, paired by seed\n")
        rows = [[name] + [paired(f"table6-{share}-{name}", f"table6-{share}-unitmem-random")
                          for share, _, _ in SHARES]
                for name, *_ in CRITERIA if name != "unitmem-random"]
        table(["units pruned"] + [share for share, _, _ in SHARES], rows)
    if any(arm.startswith(("during", "after")) for arm in found):
        print("## Pruning during training, and at its end\n")
        rows = []
        for name in DURING:
            row = [name]
            for fraction in FRACTIONS:
                for kind in ("during", "after"):
                    row.append(cell(f"{kind}-{round(100 * fraction)}-{name}"))
            rows.append(row)
        table(["units pruned"] + [f"{round(100 * f)} % {kind}" for f in FRACTIONS
                                  for kind in ("during", "at the end")], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    runner = commands.add_parser("run")
    runner.add_argument("--data", required=True)
    runner.add_argument("--program", default="target/release/afterimage")
    runner.add_argument("--seeds", type=int, default=5)
    runner.add_argument("--part", choices=["table6", "during", "all"], default="all")
    runner.add_argument("--set", action="append", default=[], help="a key for every run")
    runner.set_defaults(act=run)
    commands.add_parser("tables").set_defaults(act=tables)
    arguments = parser.parse_args()
    arguments.act(arguments)


if __name__ == "__main__":
    main()
