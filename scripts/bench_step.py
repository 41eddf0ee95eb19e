#!/usr/bin/env python3
"""A training step and inference of ResNet-9: PyTorch, burn's flex, and flex with this project's
kernels, interleaved in one run on the same threads.

    cargo bench --no-run -p afterimage-model --bench step
    python scripts/bench_step.py target/release/deps/step-HASH [--rounds 9] [--threads 2]

Needs PyTorch. Quote medians of the ratios within a round: absolute times depend on the machine and
on what else it does.
"""
import argparse
import os
import statistics
import subprocess
import time

import torch
from torch import nn

ARMS = ["plain", "direct", "winograd"]


class Block(nn.Module):
    def __init__(self, inputs, outputs, pooled):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm = nn.BatchNorm2d(outputs)
        self.pool = nn.MaxPool2d(2) if pooled else nn.Identity()

    def forward(self, x):
        return self.pool(torch.relu(self.norm(self.conv(x))))


class ResNet9(nn.Module):
    def __init__(self):
        super().__init__()
        self.prep, self.layer1 = Block(3, 32, True), Block(32, 64, True)
        self.res1 = nn.Sequential(Block(64, 64, False), Block(64, 64, False))
        self.layer2, self.layer3 = Block(64, 128, True), Block(128, 256, True)
        self.res2 = nn.Sequential(Block(256, 256, False), Block(256, 256, False))

    def forward(self, x):
        a = self.layer1(self.prep(x))
        b = self.layer3(self.layer2(self.res1(a) + a))
        return (self.res2(b) + b).amax((2, 3))


class Torch:
    """The same step in PyTorch, contiguous or channels last."""

    def __init__(self, mode, batch, side, layout):
        self.training = mode == "train"
        torch.manual_seed(0)
        self.net = ResNet9().train(self.training).to(memory_format=layout)
        self.optimizer = torch.optim.SGD(self.net.parameters(), 1e-4, momentum=0.9)
        self.images = torch.randn(batch, 3, side, side).to(memory_format=layout)

    def step(self):
        start = time.perf_counter()
        if self.training:
            self.optimizer.zero_grad()
            self.net(self.images).pow(2).mean().backward()
            self.optimizer.step()
        else:
            with torch.inference_mode():
                self.net(self.images)
        return time.perf_counter() - start


def sgemm_rate(size=1024, repeats=10):
    """GFLOP/s of PyTorch's product of two square matrices."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    best = min(timed(lambda: a @ b) for _ in range(repeats))
    return 2 * size**3 / best / 1e9


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 250])
    parser.add_argument("--modes", nargs="+", default=["train", "infer"])
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    environment = dict(os.environ, RAYON_NUM_THREADS=str(args.threads))
    ours = subprocess.Popen([args.binary, "--bench"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            text=True, env=environment)

    def ask(line):
        ours.stdin.write(line + "\n")
        ours.stdin.flush()
        return float(ours.stdout.readline())

    print(f"{args.threads} threads; PyTorch {torch.__version__}, sgemm {sgemm_rate():.0f} GFLOP/s")
    print(f"{'':16}{'arm':22}{'median s':>10}{'min s':>9}{'PyTorch / arm':>15}")
    for mode in args.modes:
        for batch in args.batches:
            peers = {
                "PyTorch": Torch(mode, batch, args.side, torch.contiguous_format),
                "PyTorch channels last": Torch(mode, batch, args.side, torch.channels_last),
            }
            seconds = {name: [] for name in [*peers, *ARMS]}
            for round in range(args.rounds + 2):
                for name in seconds:
                    if name in peers:
                        taken = peers[name].step()
                    else:
                        taken = ask(f"resnet9 {name} {mode} {batch} {args.side}")
                    if round >= 2:  # the first ones warm up
                        seconds[name].append(taken)
            best = [min(pair) for pair in zip(*(seconds[name] for name in peers))]
            for name, values in seconds.items():
                ratio = statistics.median(b / v for b, v in zip(best, values))
                print(f"{mode + ' ' + str(batch):16}{name:22}{statistics.median(values):10.4f}"
                      f"{min(values):9.4f}{ratio:15.2f}", flush=True)
    ours.stdin.close()


if __name__ == "__main__":
    main()
