#!/usr/bin/env python3
"""UnitMem, cross-fitted UnitMem and LayerMem of a ResNet-9 in plain PyTorch, beside ours.

The example `dump_probe` writes the weights of a run's checkpoint, the augmented views of its probe
points, and our scores. Here the network is built again from PyTorch's modules, its outputs are taken by
forward hooks, and the scores are computed from the papers' formulas in double precision. No line is
shared with the Rust code.

    afterimage run CONFIG --out RUN            # a ResNet-9; with a [pair] for LayerMem
    cargo run --release -p afterimage --example dump_probe -- RUN DUMP [POINTS] [VIEWS]
    python scripts/memorization_parity.py DUMP

Ends with exit code 1 if a score differs by more than 1e-4. Needs NumPy and PyTorch.
"""
import argparse
import json
import pathlib
import sys

import numpy as np
import torch
from torch import nn

BLOCKS = [  # name, pooled
    ("prep", True), ("layer1", True), ("res1a", False), ("res1b", False),
    ("layer2", True), ("layer3", True), ("res2a", False), ("res2b", False),
]


class Block(nn.Module):
    def __init__(self, weights, pooled):
        super().__init__()
        weight = weights["conv.weight"]
        self.conv = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
        self.norm = nn.BatchNorm2d(weight.shape[0])
        self.act = nn.ReLU()
        if pooled:
            self.pool = nn.MaxPool2d(2)
        self.load_state_dict({
            "conv.weight": weight,
            "conv.bias": weights["conv.bias"],
            "norm.weight": weights["norm.gamma"],
            "norm.bias": weights["norm.beta"],
            "norm.running_mean": weights["norm.running_mean"],
            "norm.running_var": weights["norm.running_var"],
            "norm.num_batches_tracked": torch.tensor(0),
        })

    def forward(self, x):
        x = self.act(self.norm(self.conv(x)))
        return self.pool(x) if hasattr(self, "pool") else x


class ResNet9(nn.Module):
    def __init__(self, weights):
        super().__init__()
        for name, pooled in BLOCKS:
            mine = {path[len(name) + 1:]: w for path, w in weights.items()
                    if path.startswith(name + ".")}
            setattr(self, name, Block(mine, pooled))
        # Sums are modules of their own, so that a hook sees them.
        self.res1, self.res2 = nn.Identity(), nn.Identity()

    def forward(self, x):
        a = self.layer1(self.prep(x))
        a = self.res1(self.res1b(self.res1a(a)) + a)
        b = self.layer3(self.layer2(a))
        b = self.res2(self.res2b(self.res2a(b)) + b)
        return b.amax((2, 3))


def load(folder, prefix):
    """The network whose arrays start with `prefix`; None if there are none."""
    weights = {}
    for file in sorted(folder.glob("*.npy")):
        path = file.name[: -len(".npy")]
        if path.startswith("reference.") == bool(prefix):
            array = torch.from_numpy(np.load(file))
            # The record may name the kind of encoder in front of the block.
            parts = path[len(prefix):].split(".")
            start = next(i for i, part in enumerate(parts) if part in dict(BLOCKS))
            weights[".".join(parts[start:])] = array
    return ResNet9(weights).eval() if weights else None


@torch.no_grad()
def outputs(net, images, batch):
    """The output of every leaf module and of the network, over all images, by our names."""
    seen = {}

    def hook(name):
        return lambda module, inputs, output: seen.setdefault(name, []).append(output.clone())

    handles = [
        module.register_forward_hook(hook(f"encoder.{name}"))
        for name, module in net.named_modules() if name and not list(module.children())
    ]
    for start in range(0, len(images), batch):
        seen.setdefault("embedding", []).append(net(images[start:start + batch]))
    for handle in handles:
        handle.remove()
    return {name: torch.cat(parts).double().numpy() for name, parts in seen.items()}


def index(top, rest):
    return (top - rest) / (top + rest)


def unitmem(means):
    """Equations 5 to 8; `means` [points, units]. None for units without a ratio, 0 for dead ones."""
    scores, owners = [], []
    for column in means.T:
        owner = int(column.argmax())
        if column.min() < 0:
            scores.append(None)
        elif column.max() == 0:
            scores.append(0.0)
        else:
            scores.append(index(column[owner], np.delete(column, owner).mean()))
        owners.append(owner)
    return scores, owners


def crossfit(first, second):
    scores = []
    for a, b in zip(first.T, second.T):
        if min(a.min(), b.min()) < 0:
            scores.append(None)
        elif max(a.max(), b.max()) == 0:
            scores.append(0.0)
        else:
            i, j = a.argmax(), b.argmax()
            top = (b[i] + a[j]) / 2
            rest = (np.delete(b, i).mean() + np.delete(a, j).mean()) / 2
            scores.append(index(top, rest))
    return scores


def distances(output, points, views):
    """Mean L2 distance of the normalised outputs over all pairs of a point's views."""
    flat = output.reshape(points, views, -1)
    flat = flat / np.maximum(np.linalg.norm(flat, axis=2, keepdims=True), 1e-12)
    first, second = np.triu_indices(views, 1)
    return np.stack([np.linalg.norm(p[first] - p[second], axis=1).mean() for p in flat])


def difference(ours, theirs):
    """The largest difference, and in how many places only one has a value."""
    pairs = list(zip(ours, theirs))
    odd = sum((a is None) != (b is None) for a, b in pairs)
    both = [abs(a - b) for a, b in pairs if a is not None and b is not None]
    return max(both, default=0.0), odd


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dump", type=pathlib.Path)
    parser.add_argument("--batch", type=int, default=200)
    parser.add_argument("--tolerance", type=float, default=1e-4)
    args = parser.parse_args()
    ours = json.loads((args.dump / "probe.json").read_text())
    images = torch.from_numpy(np.load(args.dump / "views.npy"))
    points, views = ours["points"], ours["views"]
    n = len(points)
    studied = outputs(load(args.dump / "weights", ""), images, args.batch)
    worst, wrong = {"unitmem": 0.0, "crossfit": 0.0, "layermem": 0.0}, 0
    units = owners_apart = 0
    for site, mine in ours["unitmem"].items():
        activations = studied[site].mean(axis=(2, 3)).reshape(n, views, -1)
        scores, owners = unitmem(activations.mean(axis=1))
        half = (views + 1) // 2
        folded = crossfit(activations[:, :half].mean(axis=1), activations[:, half:].mean(axis=1))
        for name, theirs in [("unitmem", scores), ("crossfit", folded)]:
            largest, odd = difference(mine[name], theirs)
            worst[name], wrong = max(worst[name], largest), wrong + odd
        units += len(scores)
        named = [None if owner is None else points.index(owner) for owner in mine["owner"]]
        owners_apart += sum(a is not None and a != b for a, b in zip(named, owners))
    print(f"{n} points, {views} views, {units} units at {len(ours['unitmem'])} sites")
    print(f"UnitMem: largest difference {worst['unitmem']:.2e}; other owner in {owners_apart} units")
    print(f"cross-fitted UnitMem: largest difference {worst['crossfit']:.2e}")
    if ours["layermem"]:
        reference = outputs(load(args.dump / "weights", "reference."), images, args.batch)
        means = 0.0
        for layer, mine in ours["layermem"].items():
            f, g = (distances(o[layer], n, views) for o in (studied, reference))
            theirs = (g - f) / (g + f)
            largest, _ = difference(mine, list(theirs))
            worst["layermem"] = max(worst["layermem"], largest)
            means = max(means, abs(np.mean(mine) - theirs.mean()))
        print(f"LayerMem: largest difference of a point's score {worst['layermem']:.2e}, "
              f"of a layer's mean {means:.2e}, {len(ours['layermem'])} layers")
    else:
        print("LayerMem: the run has no reference encoder")
    if wrong:
        print(f"{wrong} units have a score on one side only")
    if wrong or max(worst.values()) > args.tolerance:
        sys.exit(f"more than {args.tolerance} apart")


if __name__ == "__main__":
    main()
