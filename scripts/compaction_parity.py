#!/usr/bin/env python3
"""Compaction beside Torch-Pruning: a ResNet-18 under torchvision's names at random values, half of the units of every
group taken out by both, the same ones.

    python scripts/compaction_parity.py [--program target/release/afterimage] [--share 0.5]

Needs torch, torch-pruning (1.6.1), numpy, pillow and pyarrow; downloads no weights. Prints
what experiments/pruning/README.md quotes, and ends with 1 if outputs differ by more than 1e-4 or
parameters or operations are not equal.

Torch-Pruning finds its groups by tracing the network; afterimage has them declared by the encoder. That
both end with the same shapes and outputs is a test of the declaration.
"""
import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import torch_pruning
from PIL import Image
from torch import nn

BOUND = 1e-4
SIDE = 64
COUNT, POINTS = 24, 4
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


class Block(nn.Module):
    """Two convolutions 3×3 and a shortcut."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False),
                                            nn.BatchNorm2d(outputs))

    def forward(self, x):
        skip = x if self.downsample is None else self.downsample(x)
        x = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(x + skip)


class ResNet18(nn.Module):
    """He et al., CVPR 2016, up to the mean over the last map."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        widths = [64, 64, 128, 256, 512]
        for stage in range(1, 5):
            first = Block(widths[stage - 1], widths[stage], 1 if stage == 1 else 2)
            setattr(self, f"layer{stage}", nn.Sequential(first, Block(widths[stage], widths[stage], 1)))

    def forward(self, x):
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        for stage in range(1, 5):
            x = getattr(self, f"layer{stage}")(x)
        return x.mean((2, 3))


def statistics(model):
    """Running statistics and affine values that differ from unit to unit, as after training."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
    return model.eval()


def roots(model):
    """A convolution of each group, by afterimage's name of the group."""
    named = {"encoder.layer1": model.conv1}
    for stage in range(1, 5):
        layer = getattr(model, f"layer{stage}")
        if stage > 1:
            named[f"encoder.layer{stage}"] = layer[0].conv2
        for number, block in enumerate(layer):
            named[f"encoder.layer{stage}.{number}.branch.0"] = block.conv1
    return named


def operations(model, images):
    """Multiply-accumulate operations of the convolutions for one image."""
    counted = []

    def count(module, _, output):
        positions = output.shape[2] * output.shape[3]
        counted.append(positions * module.weight.numel())
    hooks = [m.register_forward_hook(count) for m in model.modules() if isinstance(m, nn.Conv2d)]
    model(images[:1])
    for hook in hooks:
        hook.remove()
    return sum(counted)


def pictures(folder):
    (folder / "a").mkdir(parents=True)
    random = np.random.default_rng(1)
    for number in range(COUNT):
        pixels = random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "a" / f"{number:03}.png")


def tensors(folder, ids):
    """Training and held-out pictures as the reader numbers them: every sixth file is held out."""
    files = sorted((folder / "a").glob("*.png"))
    held_out = files[5::6]
    split = {"train": [f for f in files if f not in held_out], "held_out": held_out}
    pixels = [np.asarray(Image.open(split[name][number])) for name, number in ids]
    x = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float() / 255
    mean, std = [torch.tensor(v)[:, None, None] for v in (MEAN, STD)]
    return (x - mean) / std


def call(program, *arguments):
    ended = subprocess.run([str(a) for a in (program, *arguments)], capture_output=True, text=True)
    if ended.returncode:
        sys.exit(f"{' '.join(map(str, arguments))}: {ended.stderr}")
    return ended.stdout


def rows_of(out):
    import pyarrow.parquet as parquet
    table = parquet.read_table(next(Path(out).glob("tables/probe.points/*.parquet"))).to_pydict()
    return list(zip(table["split"], table["id"]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", default="target/release/afterimage")
    parser.add_argument("--share", type=float, default=0.5)
    arguments = parser.parse_args()
    torch.manual_seed(1)
    random = np.random.default_rng(2)
    model = statistics(ResNet18())
    example = torch.randn(2, 3, SIDE, SIDE)
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        torch.save(model.state_dict(), place / "w.pth")
        units = {}
        for name, conv in roots(model).items():
            all_of = conv.out_channels
            gone = random.permutation(all_of)[:round(arguments.share * all_of)]
            units[name] = sorted(int(unit) for unit in gone)
        (place / "units.json").write_text(json.dumps(units))
        graph = torch_pruning.DependencyGraph().build_dependency(model, example_inputs=example)
        for name, conv in roots(model).items():
            group = graph.get_pruning_group(conv, torch_pruning.prune_conv_out_channels, units[name])
            group.prune()

        out = call(arguments.program, "compact", place / "w.pth", "--prune", place / "units.json",
                   "--size", SIDE, "--batch", 32, "--repeats", 15, "--json", "--out", place / "small")
        report = json.loads(out.splitlines()[-1])["compact"]
        ours = report["compacted"]
        pictures(place / "pictures")
        call(arguments.program, "probe", place / "small", "--data", f"folder:{place / 'pictures'}",
             "--size", SIDE, "--points", POINTS, "--views", 1, "--features", place / "f.npy",
             "--set", "convolution=direct", "--out", place / "probe")
        found = np.load(place / "f.npy")
        images = tensors(place / "pictures", rows_of(place / "probe"))
    with torch.no_grad():
        expected = model(images).numpy()
        macs = operations(model, images)
    parameters = sum(p.numel() for p in model.parameters())
    error = np.abs(found - expected).max() / np.abs(expected).max()
    print("| | afterimage | Torch-Pruning |\n|---|---|---|")
    print(f"| parameters | {ours['parameters']:,} | {parameters:,} |")
    print(f"| operations for 64×64 | {ours['macs']:,} | {macs:,} |")
    print(f"\nlargest difference of {found.shape[1]} features over the largest feature: {error:.1e}")
    masked, small = [report[side]["milliseconds"] for side in ("masked", "compacted")]
    print(f"{report['batch']} images: {masked:.1f} ms masked, {small:.1f} ms compacted, "
          f"{masked / small:.2f} times as fast")
    equal = ours["parameters"] == parameters and ours["macs"] == macs
    sys.exit(int(not equal or error > BOUND))


if __name__ == "__main__":
    main()
