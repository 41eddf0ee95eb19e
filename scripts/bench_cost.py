#!/usr/bin/env python3
"""What measuring costs: epoch time without plugins, with streaming and with probe UnitMem, and the
same training step in PyTorch, interleaved in one run on the same threads.

    python scripts/bench_cost.py [--rounds 5] [--binary target/release/afterimage]

PyTorch is left out where it is not installed. Quote medians and ratios: absolute times depend on
the machine and on what else it does.
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time

ARMS = {
    "no plugins": [],
    "streaming UnitMem": [("unitmem-streaming", {})],
    "probe UnitMem": [("unitmem", {"points": 200, "views": 10})],
}


def config(arm, batch, epochs, images, width):
    lines = [
        'name = "cost"', f"epochs = {epochs}", f"batch_size = {batch}", 'renderer = "silent"',
        "[data]", 'kind = "embedded"', "[limits]", f"train = {images}", "held_out = 200",
        "[views]", 'preset = "simclr"', "[encoder]", 'kind = "resnet9"', f"width = {width}",
        "[objective]", 'kind = "simclr"', "[optimizer]", 'kind = "sgd"',
        "[schedule]", "peak = 0.01", "[evaluation]", "every = 0",
        "[checkpoints]", f"every = {epochs}",
    ]
    for kind, keys in ARMS[arm]:
        lines += ["[[plugins]]", f'kind = "{kind}"']
        lines += [f"{key} = {value}" for key, value in keys.items()]
    return "\n".join(lines)


def ours(binary, arm, args):
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(work, "config.toml")
        with open(path, "w") as file:
            file.write(config(arm, args.batch, args.epochs, args.images, args.width))
        out = subprocess.run(
            [binary, "run", path, "--out", os.path.join(work, "run"), "--json"],
            capture_output=True, text=True,
        )
        if out.returncode:
            raise SystemExit(f"{arm}: exit code {out.returncode}\n{out.stderr}")
        result = json.loads(out.stdout.strip().splitlines()[-1])
        return result["seconds"], result["steps"]


def torch_step(args):
    """Seconds of one SimCLR step of the same network, without data loading; None without PyTorch."""
    try:
        import torch
        from torch import nn
    except ImportError:
        return None
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)

    class Block(nn.Sequential):
        def __init__(self, i, o, pool):
            layers = [nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU()]
            super().__init__(*layers, *([nn.MaxPool2d(2)] if pool else []))

    w = [max(round(c * args.width), 1) for c in (32, 64, 64, 64, 128, 256, 256, 256)]

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.prep, self.l1 = Block(1, w[0], True), Block(w[0], w[1], True)
            self.r1 = nn.Sequential(Block(w[1], w[2], False), Block(w[2], w[3], False))
            self.l2, self.l3 = Block(w[3], w[4], True), Block(w[4], w[5], True)
            self.r2 = nn.Sequential(Block(w[5], w[6], False), Block(w[6], w[7], False))
            self.head = nn.Sequential(
                nn.Linear(w[7], 256, bias=False), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 128))

        def forward(self, x):
            a = self.l1(self.prep(x))
            b = self.l3(self.l2(self.r1(a) + a))
            return self.head((self.r2(b) + b).amax((2, 3)))

    net = Net()
    optimizer = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9)
    x = torch.randn(2 * args.batch, 1, 28, 28)
    targets = torch.arange(2 * args.batch).roll(args.batch)

    def step():
        z = nn.functional.normalize(net(x))
        logits = (z @ z.T / 0.5).fill_diagonal_(-1e9)
        optimizer.zero_grad()
        nn.functional.cross_entropy(logits, targets).backward()
        optimizer.step()

    step()
    start = time.perf_counter()
    for _ in range(args.torch_steps):
        step()
    return (time.perf_counter() - start) / args.torch_steps


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default="target/release/afterimage")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--torch-steps", type=int, default=5)
    args = parser.parse_args()

    seconds = {arm: [] for arm in ARMS}
    torch_seconds, steps = [], 1
    for _ in range(args.rounds):
        for arm in ARMS:
            taken, steps = ours(args.binary, arm, args)
            seconds[arm].append(taken / args.epochs)
        taken = torch_step(args)
        torch_seconds += [taken] if taken is not None else []

    base = seconds["no plugins"]
    print(f"{args.rounds} interleaved rounds; ResNet-9 width {args.width}, batch {args.batch}, "
          f"{args.images} images, {args.epochs} epochs")
    print(f"{'arm':20} {'s/epoch min':>12} {'median':>8} {'max':>8} {'ratio to no plugins':>20}")
    for arm, values in seconds.items():
        ratio = statistics.median(v / b for v, b in zip(values, base))
        print(f"{arm:20} {min(values):12.2f} {statistics.median(values):8.2f} "
              f"{max(values):8.2f} {ratio:20.3f}")
    if torch_seconds:
        own = [b * args.epochs / steps for b in base]
        ratio = statistics.median(o / t for o, t in zip(own, torch_seconds))
        print(f"step: ours {statistics.median(own):.3f} s (views and loop included), PyTorch "
              f"{statistics.median(torch_seconds):.3f} s (network alone); ours / PyTorch {ratio:.2f}")


if __name__ == "__main__":
    main()
