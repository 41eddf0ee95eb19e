#!/usr/bin/env python3
"""What UnitMem of a ResNet-9 costs: here, batched in PyTorch, and the way of the official code.

    cargo bench --no-run --workspace --bench probe
    python scripts/bench_unitmem.py --bench target/release/deps/probe-… [--rounds 3] [--threads 2]

All three look at the same number of points and views (3×32×32, ready in memory, so that no
augmentation is timed), on the same threads, taking turns in each round:

- ours: all units of the eight blocks in one pass, with scores, owners, folds and top points
  (`probe` of the bench), and its bare forwards;
- batched: a well-written PyTorch version: inference mode, norms folded into convolutions, one pass
  with a forward hook on each block that averages over space at once, a running maximum, owner and sum;
  the fastest of several batch sizes and both memory formats, chosen before the rounds;
- official: batch of one, one block at a time, the network run again for each (up to that block, as
  torchvision's IntermediateLayerGetter does), numpy buffer of points × units, median of the others.
  It is measured over `--official-points` points and scaled to all: its cost is linear in them.

Quote medians and ratios: absolute times depend on the machine and on what else it does.
"""
import argparse
import copy
import itertools
import re
import statistics
import subprocess
import time

import numpy as np
import torch
from torch import nn

WIDTHS = [32, 64, 64, 64, 128, 256, 256, 256]


def block(inputs, outputs, pool):
    layers = [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, *([nn.MaxPool2d(2)] if pool else []))


class ResNet9(nn.Module):
    def __init__(self):
        super().__init__()
        w = WIDTHS
        self.blocks = nn.ModuleList([
            block(3, w[0], True), block(w[0], w[1], True), block(w[1], w[2], False),
            block(w[2], w[3], False), block(w[3], w[4], True), block(w[4], w[5], True),
            block(w[5], w[6], False), block(w[6], w[7], False),
        ])

    def forward(self, x):
        b = self.blocks
        a = b[1](b[0](x))
        a = b[3](b[2](a)) + a
        c = b[5](b[4](a))
        c = b[7](b[6](c)) + c
        return c.amax((2, 3))


@torch.inference_mode()
def batched(net, images, views, batch):
    """Scores of all units; `batch` points at a time."""
    state = [(torch.full((w,), -torch.inf), torch.zeros(w, dtype=torch.int64), torch.zeros(w, dtype=torch.float64))
             for w in WIDTHS]
    seen = {}
    # The rectified map, before pooling, as our sites `….act`.
    handles = [b[2].register_forward_hook(lambda _m, _i, out, at=at: seen.__setitem__(at, out.mean((2, 3))))
               for at, b in enumerate(net.blocks)]
    points = len(images) // views
    for start in range(0, points, batch):
        net(images[start * views:(start + batch) * views])
        for at, (highest, owner, total) in enumerate(state):
            means = seen[at].view(-1, views, WIDTHS[at]).mean(1)
            top, where = means.max(0)
            better = top > highest
            torch.where(better, top, highest, out=highest)
            torch.where(better, where + start, owner, out=owner)
            total += means.sum(0, dtype=torch.float64)
    for handle in handles:
        handle.remove()
    scores = []
    for highest, owner, total in state:
        top = highest.double()
        scores.append((points * top - total) / ((points - 2) * top + total))
    return scores


@torch.inference_mode()
def official(net, images, views, points):
    """One block at a time, one view at a time."""
    for last in range(len(WIDTHS)):
        chain = nn.Sequential(*list(net.blocks)[:last + 1])
        buffer = np.zeros((points, WIDTHS[last]))
        for point in range(points):
            for view in range(views):
                row = point * views + view
                out = chain(images[row:row + 1])
                buffer[point] += out.mean((2, 3)).numpy()[0] / views
        ordered = np.sort(buffer, axis=0)
        top, rest = ordered[-1], np.median(ordered[:-1], axis=0)
        with np.errstate(invalid="ignore"):
            (top - rest) / (top + rest)


def folded(net):
    """A copy of the network without norms."""
    net = copy.deepcopy(net)
    for block in net.blocks:
        block[0] = nn.utils.fusion.fuse_conv_bn_eval(block[0], block[1])
        block[1] = nn.Identity()
    return net


def timed(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def ours(args):
    """Seconds of the bare forwards and of the probe."""
    out = subprocess.run(
        [args.bench, str(args.points), "1", str(args.batch)],
        capture_output=True, text=True, check=True, env={"RAYON_NUM_THREADS": str(args.threads)},
    ).stdout
    line = re.search(rf"^\s*{args.batch}\s+([\d.]+)\s+([\d.]+)", out, re.M)
    per_image, ratio = float(line[1]), float(line[2])
    bare = per_image / 1e3 * args.points * args.views
    return bare, bare * ratio


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bench", required=True, help="the compiled benchmark `probe`")
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--official-points", type=int, default=20)
    parser.add_argument("--batch", type=int, default=16, help="points in a forward pass of ours")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    args.views = 10  # as in the bench
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    net = ResNet9().eval()
    images = torch.randn(args.points * args.views, 3, 32, 32)

    sizes = [1, 4, 16, 32]
    formats = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}
    few = images[:64 * args.views]
    best = None
    for name, size in itertools.product(formats, sizes):
        shaped = folded(net).to(memory_format=formats[name])
        trial = few.to(memory_format=formats[name])
        batched(shaped, trial, args.views, size)
        seconds = min(timed(lambda: batched(shaped, trial, args.views, size)) for _ in range(2))
        if best is None or seconds < best[0]:
            best = seconds, name, size
    _, name, size = best
    print(f"PyTorch {torch.__version__}, {args.threads} threads; batched: {size} points a pass, {name}")
    fast = folded(net).to(memory_format=formats[name])
    laid_out = images.to(memory_format=formats[name])
    plain = batched(net, few, args.views, 16)
    fused = batched(fast, few.to(memory_format=formats[name]), args.views, size)
    assert all(torch.allclose(a, b, atol=1e-4, equal_nan=True) for a, b in zip(plain, fused))

    rows = []
    for _ in range(args.rounds):
        bare, probe = ours(args)
        batch_time = timed(lambda: batched(fast, laid_out, args.views, size))
        slow = timed(lambda: official(net, images, args.views, args.official_points))
        rows.append((bare, probe, batch_time, slow * args.points / args.official_points))
    print(f"{args.points} points × {args.views} views, {args.rounds} rounds, "
          f"official measured on {args.official_points} points and scaled")
    names = ["ours, bare forwards", "ours, probe", "PyTorch, batched", "official way, scaled"]
    for at, label in enumerate(names):
        column = [row[at] for row in rows]
        ratio = statistics.median(row[at] / row[1] for row in rows)
        print(f"{label:22} {min(column):8.2f} {statistics.median(column):8.2f} {max(column):8.2f} s, "
              f"{ratio:7.2f} × the probe")


if __name__ == "__main__":
    main()
