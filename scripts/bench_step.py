#!/usr/bin/env python3
"""A training step and inference of ResNet-9, ResNet-18 and ViT-Tiny: PyTorch, burn's flex, and flex with this project's
kernels, interleaved in one run on the same threads.

    cargo bench --no-run --workspace --bench step
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


class Basic(nn.Module):
    """A residual block of ResNet-18."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False),
                                          nn.BatchNorm2d(outputs))

    def forward(self, x):
        branch = self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x)))))
        return torch.relu(branch + self.shortcut(x))


class ResNet18(nn.Module):
    """With the stem for small images."""

    def __init__(self):
        super().__init__()
        layers = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
        inputs = 64
        for stage, width in enumerate([64, 128, 256, 512]):
            layers += [Basic(inputs, width, 1 if stage == 0 else 2), Basic(width, width, 1)]
            inputs = width
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x).mean((2, 3))


class Attention(nn.Module):
    """A block of ViT-Tiny, with PyTorch's fused attention."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dim, 1e-6), nn.LayerNorm(dim, 1e-6)
        self.qkv, self.output = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.fc1, self.fc2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        heads = nn.functional.scaled_dot_product_attention(q, k, v)
        x = x + self.output(heads.transpose(1, 2).reshape(b, t, c))
        return x + self.fc2(nn.functional.gelu(self.fc1(self.norm2(x))))


class ViTTiny(nn.Module):
    """With patches of 4 pixels for images of 32."""

    def __init__(self, dim=192, patch=4, side=32):
        super().__init__()
        self.patch = nn.Conv2d(3, dim, patch, patch)
        self.cls = nn.Parameter(torch.randn(1, 1, dim) * 0.02)
        self.position = nn.Parameter(torch.randn(1, 1 + (side // patch) ** 2, dim) * 0.02)
        self.blocks = nn.Sequential(*(Attention(dim, 3) for _ in range(12)))
        self.norm = nn.LayerNorm(dim, 1e-6)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(len(x), -1, -1), x], 1) + self.position
        return self.norm(self.blocks(x))[:, 0]


NETS = {"resnet9": ResNet9, "resnet18": ResNet18, "vit-tiny": ViTTiny}


class Torch:
    """The same step in PyTorch, contiguous or channels last."""

    def __init__(self, encoder, mode, batch, side, layout):
        self.training = mode == "train"
        torch.manual_seed(0)
        self.net = NETS[encoder]().train(self.training).to(memory_format=layout)
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


def compare(encoder, mode, batch, args, ask):
    """Prints the arms of one step, with the ratios to PyTorch's default and to its better layout."""
    peers = {
        name: Torch(encoder, mode, batch, args.side, layout)
        for name, layout in [("PyTorch", torch.contiguous_format),
                             ("PyTorch channels last", torch.channels_last)]
        # Tokens have one layout.
        if layout == torch.contiguous_format or encoder != "vit-tiny"
    }
    arms = [arm for arm in ARMS if arm != "direct" or encoder != "vit-tiny"]
    seconds = {name: [] for name in [*peers, *arms]}
    for round in range(args.rounds + 2):
        for name in seconds:
            if name in peers:
                taken = peers[name].step()
            else:
                taken = ask(f"{encoder} {name} {mode} {batch} {args.side}")
            if round >= 2:  # the first ones warm up
                seconds[name].append(taken)
    best = [min(pair) for pair in zip(*(seconds[name] for name in peers))]
    for name, values in seconds.items():
        label = f"{encoder} {mode} {batch}"
        name = "ours" if encoder == "vit-tiny" and name == "winograd" else name
        ratios = [statistics.median(other / value for other, value in zip(others, values))
                  for others in (seconds["PyTorch"], best)]
        print(f"{label:22}{name:22}{statistics.median(values):10.4f}{min(values):9.4f}"
              f"{ratios[0]:15.2f}{ratios[1]:12.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary")
    parser.add_argument("--encoders", nargs="+", default=list(NETS), choices=list(NETS))
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
    print(f"{'':22}{'arm':22}{'median s':>10}{'min s':>9}{'PyTorch / arm':>15}{'best / arm':>12}")
    for encoder in args.encoders:
        for mode in args.modes:
            for batch in args.batches:
                compare(encoder, mode, batch, args, ask)
    ours.stdin.close()


if __name__ == "__main__":
    main()
