"""Does a bank of heads on an encoder's outputs still find wrong labels that the encoder has learned?

    python scripts/online_leak.py target/release/afterimage FASHION_MNIST FOLDER --seeds 1 2

Flips 10 % of the labels of the first images of Fashion-MNIST, trains a small ResNet-9 on them with
labels (supervised) and without (SimCLR), with `oob-value` on patches and on the encoder and with
`dynamics`, and prints the area under the precision-recall curve of the flips at each epoch (chance is
0.1). Needs numpy, pandas, pyarrow and scikit-learn.
"""

import argparse
import gzip
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

CONFIG = """
name = "leak"
seed = {seed}
epochs = {epochs}
batch_size = 100
renderer = "silent"
[data]
kind = "idx"
dir = "{data}"
[limits]
held_out = 500
[views]
preset = "{views}"
[encoder]
kind = "resnet9"
width = 0.25
[objective]
kind = "{objective}"
[optimizer]
kind = "adamw"
weight_decay = 1e-4
[schedule]
peak = 3e-3
warmup_epochs = 2
[evaluation]
every = 5
[[plugins]]
kind = "oob-value"
id = "patches"
probabilities = false
[[plugins]]
kind = "oob-value"
id = "encoder"
cells = "encoder"
share = "none"
probabilities = false
average = {average}
pass = "{forward}"
[[plugins]]
kind = "dynamics"
"""


def data(folder, images, count, seed):
    """IDX files of the first `count` images with 10 % wrong labels; which are wrong."""
    folder.mkdir(parents=True, exist_ok=True)
    raw = {}
    for part in ("train", "t10k"):
        for what, skip in (("images-idx3", 16), ("labels-idx1", 8)):
            name = f"{part}-{what}-ubyte"
            content = gzip.open(images / f"{name}.gz").read()
            raw[name] = (content[:skip], np.frombuffer(content, np.uint8, offset=skip).copy())
    draw = np.random.default_rng(seed)
    head, labels = raw["train-labels-idx1-ubyte"]
    flipped = np.zeros(len(labels), bool)
    flipped[draw.choice(count, count // 10, replace=False)] = True
    labels[flipped] = (labels[flipped] + draw.integers(1, 10, flipped.sum())) % 10
    for part, keep in (("train", count), ("t10k", 2000)):
        for what, size, bytes_each in (("labels-idx1", 8, 1), ("images-idx3", 16, 784)):
            name = f"{part}-{what}-ubyte"
            head, body = raw[name]
            head = head[:4] + int(keep).to_bytes(4, "big") + head[8:]
            (folder / name).write_bytes(head + body[: keep * bytes_each].tobytes())
    return flipped[:count]


def table(run, tag, epoch):
    path = run / "tables" / tag / f"epoch-{epoch:04}.parquet"
    return pd.read_parquet(path).set_index("sample_id") if path.exists() else None


def column(run, tag, epoch, name, sign=1):
    rows = table(run, tag, epoch)
    return None if rows is None or name not in rows else sign * rows[name]


def value(run, cells, epoch):
    """Doubt after all epochs so far: the value with its sign turned."""
    return column(run, f"value.{cells}.samples", epoch, "value", -1)


def alone(run, cells, epoch):
    """Doubt in this epoch alone: mean of the scores that came since the epoch before."""
    now, before = (table(run, f"value.{cells}.samples", e) for e in (epoch, epoch - 1))
    if now is None or before is None:
        return None
    total = now["value"] * now["count"] - (before["value"] * before["count"]).fillna(0)
    return -total / (now["count"] - before["count"])


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("program")
    arguments.add_argument("images", type=Path)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--count", type=int, default=6000)
    arguments.add_argument("--epochs", type=int, default=15)
    arguments.add_argument("--views", default="weak", help="of the supervised run")
    arguments.add_argument("--average", type=float, default=0.0)
    arguments.add_argument("--pass", dest="forward", default="training", help="training or own")
    arguments.add_argument("--objectives", nargs="+", default=["supervised", "simclr"])
    arguments.add_argument("--seeds", type=int, nargs="+", default=[1])
    given = arguments.parse_args()
    for seed in given.seeds:
        flipped = data(given.folder / f"data-{given.count}-{seed}", given.images, given.count, seed)
        for objective in given.objectives:
            name = f"{objective}-{given.views}-{given.count}-{given.average}-{given.forward}-{seed}"
            run, config = given.folder / name, given.folder / f"{name}.toml"
            text = CONFIG.format(
                seed=seed,
                epochs=given.epochs,
                data=(given.folder / f"data-{given.count}-{seed}").resolve(),
                objective=objective,
                views=given.views if objective == "supervised" else "simclr",
                average=given.average,
                forward=given.forward,
            )
            config.write_text(text)
            if not run.exists():
                subprocess.run([given.program, "run", config, "--out", run], check=True, stdout=subprocess.DEVNULL)
            print(f"{objective}, seed {seed}, average {given.average}, pass {given.forward}: epoch, patches, encoder | in the epoch alone | loss, margin")
            for epoch in range(1, given.epochs + 1):
                line = []
                for scores in (
                    value(run, "patches", epoch),
                    value(run, "encoder", epoch),
                    alone(run, "patches", epoch),
                    alone(run, "encoder", epoch),
                    column(run, "dynamics.log", epoch, "loss"),
                    column(run, "dynamics.samples", epoch, "area_under_margin", -1),
                ):
                    scores = None if scores is None else scores.dropna()
                    if scores is None or not len(scores):
                        line.append("  -  ")
                        continue
                    wrong = flipped[scores.index.to_numpy()]
                    line.append(f"{average_precision_score(wrong, scores):.3f}")
                print(f"{epoch:3}  {line[0]} {line[1]} | {line[2]} {line[3]} | {line[4]} {line[5]}", flush=True)


if __name__ == "__main__":
    main()
