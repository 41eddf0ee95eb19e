#!/usr/bin/env python3
"""The program beside cleanlab, pyDVL, apricot and lightly: whole commands on the same files, turn by turn.

    for p in 'cleanlab' 'pyDVL' 'apricot-select scikit-learn' 'lightly scikit-learn'; do
        python3 -m venv peers/${p%% *} && peers/${p%% *}/bin/pip install $p; done
    python3 scripts/bench_compared.py target/release/afterimage peers CIFAR-10-DIR [--rounds 5] [--only labels]

Each contestant is a process that starts, reads its file, works and writes what it found. Both run once
in every round, one after the other, and each round gives ratios: the peer's seconds over ours, on the wall
and on the CPU, and, as *work*, the peer's seconds on the wall without its imports, reading and compiling
over those of our whole command. The median of the ratios stands with the least and the largest of them; the
seconds themselves hang on the machine and on what else it does. CIFAR-10-DIR has the binary version. Of the peers'
environments this program itself needs none: run it with the one that has scikit-learn and NumPy.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

TREES = 500
TURNED = 0.1
CHOSEN = 500
STEPS = 8
BATCH = 64


# What the peers do: each imports what it needs, reads its input, and gives back the work itself.

def peer_labels(table, folds=True):
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import cross_val_predict

    x, y = read_table(table)

    def work():
        forest = RandomForestClassifier(TREES, oob_score=not folds, random_state=0, n_jobs=-1)
        if folds:
            probabilities = cross_val_predict(forest, x, y, cv=5, method="predict_proba")
        else:
            probabilities = forest.fit(x, y).oob_decision_function_
        flags = find_label_issues(y, probabilities)
        scores = get_label_quality_scores(y, probabilities)
        return {"flagged": flags.nonzero()[0].tolist(), "scores": scores.tolist()}

    return work


def peer_labels_oob(table):
    """The same from one forest, whose trees judge the rows that they have not seen."""
    return peer_labels(table, folds=False)


def peer_values(table):
    from pydvl.valuation import DataOOBValuation, Dataset
    from sklearn.ensemble import BaggingClassifier
    from sklearn.tree import DecisionTreeClassifier

    x, y = read_table(table)

    def work():
        model = BaggingClassifier(DecisionTreeClassifier(), n_estimators=TREES, random_state=0, n_jobs=-1)
        return {"scores": DataOOBValuation(model.fit(x, y)).fit(Dataset(x, y)).values().values.tolist()}

    return work


def peer_subset(matrix):
    import numpy as np
    from apricot import FacilityLocationSelection

    def choose(x, k):
        # Its own `euclidean` squares the distances; these are the similarities that ours are.
        x = x.astype(np.float64)
        squares = (x ** 2).sum(1)
        far = np.sqrt(np.maximum(squares[:, None] + squares[None] - 2 * (x @ x.T), 0))
        selector = FacilityLocationSelection(k, metric="precomputed", optimizer="lazy")
        return {"chosen": selector.fit(far.max() - far).ranking.tolist()}

    x = np.load(matrix)
    choose(x[:100], 10)  # Compiles what is compiled at its first call.
    return lambda: choose(x, CHOSEN)


def peer_simclr(folder):
    import numpy as np
    import torch
    from lightly.loss import NTXentLoss
    from lightly.models import ResNetGenerator
    from lightly.models.modules import SimCLRProjectionHead
    from lightly.transforms import SimCLRTransform
    from PIL import Image

    raw = np.fromfile(Path(folder) / "data_batch_1.bin", np.uint8).reshape(-1, 3073)[:, 1:]
    pictures = [Image.fromarray(one.reshape(3, 32, 32).transpose(1, 2, 0)) for one in raw]
    views = SimCLRTransform(input_size=32, gaussian_blur=0.0)

    class Pictures(torch.utils.data.Dataset):
        def __len__(self):
            return len(pictures)

        def __getitem__(self, at):
            return views(pictures[at])

    loader = torch.utils.data.DataLoader(Pictures(), BATCH, shuffle=True, drop_last=True, num_workers=2)
    # lightly's own ResNet has the stem for small pictures; its last child is the classifier.
    encoder = torch.nn.Sequential(*list(ResNetGenerator("resnet-18").children())[:-1], torch.nn.AdaptiveAvgPool2d(1))
    head, loss_of = SimCLRProjectionHead(512, 512, 128), NTXentLoss(0.5)
    parameters = [*encoder.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, 1e-3)

    def work():
        losses = []
        for one, two in loader:
            a, b = (head(encoder(view).flatten(1)) for view in (one, two))
            loss = loss_of(a, b)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return {"steps": len(losses), "loss": statistics.mean(losses)}

    return work


def read_table(path):
    import numpy as np

    rows = np.loadtxt(path, delimiter=",", skiprows=1)
    return rows[:, :-1], rows[:, -1].astype(int)


# What we do: a command, and what is read from what it wrote.

def our_labels(program, table, out):
    return [program, "value", table, "--label", "y", "--learners", str(TREES), "--out", out]


def our_values(program, table, out):
    same = ["--ratio", "1", "--max-features", "all"]
    return [*our_labels(program, table, out), *same]


def our_subset(program, matrix, out):
    return [program, "select", matrix, "--count", str(CHOSEN), "--out", out]


CONFIG = """
name = "compared"
epochs = 1
batch_size = {batch}
renderer = "silent"
[data]
kind = "cifar10"
dir = "{folder}"
[limits]
train = {images}
held_out = 100
[views]
preset = "normal"
[encoder]
kind = "resnet"
depth = 18
[projection]
hidden = 512
output = 128
[objective]
kind = "simclr"
temperature = 0.5
[optimizer]
kind = "adamw"
[schedule]
peak = 1e-3
warmup_epochs = 0
[evaluation]
every = 0
linear_probe = false
"""


def our_simclr(program, folder, out):
    config = Path(f"{out}.toml")
    config.write_text(CONFIG.format(batch=BATCH, folder=folder, images=BATCH * STEPS))
    return [program, "run", str(config), "--out", out]


def read_rows(out):
    with open(Path(out) / "rows.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return {"flagged": [at for at, row in enumerate(rows) if row["suggested"]],
            "scores": [float(row["data_oob"]) for row in rows]}


def read_chosen(out):
    with open(Path(out) / "coreset.csv", newline="") as file:
        return {"chosen": [int(row["index"]) for row in csv.DictReader(file)]}


def read_losses(out):
    result = json.loads((Path(out) / "result.json").read_text())
    return {"steps": result["steps"], "loss": result["metrics"]["loss/train"]}


# Inputs and judgement.

def digits(folder):
    """scikit-learn's 1797 pictures of digits with a tenth of the labels turned; the table and which ones."""
    import numpy as np
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    draw = np.random.default_rng(1)
    turned = draw.random(len(y)) < TURNED
    y = np.where(turned, (y + draw.integers(1, 10, len(y))) % 10, y)
    table = f"{folder}/digits.csv"
    header = ",".join([f"x{j}" for j in range(x.shape[1])] + ["y"])
    np.savetxt(table, np.column_stack([x, y]), delimiter=",", header=header, comments="", fmt="%d")
    return table, turned


def pictures(folder, cifar):
    """The first 5,000 pictures of CIFAR-10, each a row of means over 4 × 4 pixels, 192 numbers."""
    import numpy as np

    raw = np.fromfile(Path(cifar) / "data_batch_1.bin", np.uint8).reshape(-1, 3073)[:5000, 1:]
    x = raw.reshape(-1, 3, 8, 4, 8, 4).mean((3, 5)).reshape(5000, -1).astype(np.float32)
    matrix = f"{folder}/pictures.npy"
    np.save(matrix, x)
    return matrix, x


def told_labels(found, turned):
    import numpy as np

    low = np.argsort(np.argsort(found["scores"])) + 1
    many, few = (~turned).sum(), turned.sum()
    area = 1 - (low[turned].sum() - few * (few + 1) / 2) / (many * few)
    text = f"area {area:.3f}"
    if "flagged" in found:
        hits = turned[found["flagged"]].sum()
        text = f"{len(found['flagged'])} flagged, {hits} of {few} turned ones, {text}"
    return text


def told_chosen(found, x):
    import numpy as np

    near = np.full(len(x), np.inf)
    for at in found["chosen"]:
        near = np.minimum(near, np.linalg.norm(x - x[at], axis=1))
    return f"cost {near.sum():.0f}, first {found['chosen'][:3]}"


def measured(command, environment=None):
    """Runs a command; its output, and its seconds on the wall and on the CPU, with those of its children."""
    start = perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    out, err = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)}: failed\n{err[-2000:]}")
    return out, (perf_counter() - start, usage.ru_utime + usage.ru_stime)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("peers", type=Path)
    parser.add_argument("cifar")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=["labels", "labels_oob", "values", "subset", "simclr"])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table, turned = digits(folder)
        matrix, x = pictures(folder, given.cifar)
        part = Path(folder) / "cifar"
        part.mkdir()
        raw = (Path(given.cifar) / "data_batch_1.bin").read_bytes()
        (part / "data_batch_1.bin").write_bytes(raw[: BATCH * STEPS * 3073])
        (part / "test_batch.bin").write_bytes((Path(given.cifar) / "test_batch.bin").read_bytes())
        jobs = {
            "labels": ("cleanlab", our_labels, read_rows, table, lambda found: told_labels(found, turned)),
            "labels_oob": ("cleanlab", our_labels, read_rows, table, lambda found: told_labels(found, turned)),
            "values": ("pyDVL", our_values, read_rows, table,
                       lambda found: told_labels({"scores": found["scores"]}, turned)),
            "subset": ("apricot-select", our_subset, read_chosen, matrix, lambda found: told_chosen(found, x)),
            "simclr": ("lightly", our_simclr, read_losses, str(part), str),
        }
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {given.rounds} rounds\n", flush=True)
        for name in given.only:
            contest(name, jobs[name], given, folder)


def contest(name, job, given, folder):
    peer, ours, read, data, told = job
    python = str(given.peers / peer / "bin" / "python")
    version = subprocess.run([python, "-c", f"import importlib.metadata as m; print(m.version({peer!r}))"],
                             capture_output=True, text=True, check=True).stdout.strip()
    theirs = [python, str(Path(__file__).resolve()), "--peer", name, data]
    measured(theirs)  # Reads its libraries from the disk, as ours is read once.
    measured(ours(given.program, data, f"{folder}/{name}-first"))
    ratios, ours_took = [], []
    for turn in range(given.rounds):
        out = f"{folder}/{name}-{turn}"
        said, their_seconds = measured(theirs)
        _, our_seconds = measured(ours(given.program, data, out))
        found = json.loads(said)
        worked = (*their_seconds, found.pop("work"))
        ratios.append([a / b for a, b in zip(worked, (*our_seconds, our_seconds[0]))])
        ours_took.append(our_seconds)
    columns = [sorted(column) for column in zip(*ratios)]
    shown = [f"{statistics.median(one):.1f} ({one[0]:.1f} to {one[-1]:.1f})" for one in columns]
    print(f"{name}: {peer} {version} / ours, wall {shown[0]}, CPU {shown[1]}, work {shown[2]}; "
          f"ours {statistics.median(one[0] for one in ours_took):.2f} s\n  its: {told(found)}\n"
          f"  ours: {told(read(out))}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "--peer":
        job = globals()[f"peer_{sys.argv[2]}"](sys.argv[3])
        start = perf_counter()
        print(json.dumps({**job(), "work": perf_counter() - start}))
    else:
        main()
