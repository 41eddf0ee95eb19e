#!/usr/bin/env python3
"""Embeddings of ResNet-18, ResNet-50 and a vision transformer by PyTorch, with parameters that are
formulas of their paths: writes crates/model/tests/data/encoders.json.

    python scripts/encoders_reference.py

Needs PyTorch. The forward passes are written with torch.nn.functional in double precision,
independently of this project's modules; only parameter paths are shared.
"""
import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F

OUT = Path(__file__).resolve().parent.parent / "crates/model/tests/data/encoders.json"


def chirp(count, phase):
    i = torch.arange(count, dtype=torch.float64)
    return torch.sin(0.7 * i + 0.013 * i * i + phase)


def parameter(path, *shape):
    """Offset + scale · chirp, with a phase from the letters of the path."""
    phase = sum(path.encode()) % 97 * 0.1
    name = path.split(".")[-1]
    if name == "weight":
        fan_in = shape[0] if len(shape) == 2 else math.prod(shape[1:])
        offset, scale = 0.0, math.sqrt(3 / fan_in)
    else:
        offset, scale = {"bias": (0, 0.1), "gamma": (1, 0.3), "beta": (0, 0.2),
                         "running_mean": (0, 0.1), "running_var": (1, 0.5),
                         "class": (0, 1), "position": (0, 0.5)}[name]
    return offset + scale * chirp(math.prod(shape), phase).reshape(shape)


def conv_block(x, path, outputs, kernel, stride, rectified=True):
    weight = parameter(f"{path}.conv.weight", outputs, x.shape[1], kernel, kernel)
    x = F.conv2d(x, weight, None, stride, kernel // 2)
    of = [parameter(f"{path}.norm.{name}", outputs)
          for name in ["running_mean", "running_var", "gamma", "beta"]]
    x = F.batch_norm(x, *of, training=False, eps=1e-5)
    return F.relu(x) if rectified else x


def resnet(x, depth, stem, width):
    counts, bottleneck = {18: ([2, 2, 2, 2], False), 50: ([3, 4, 6, 3], True)}[depth]
    widths = [round(w * width) for w in [64, 128, 256, 512]]
    if stem == "imagenet":
        x = F.max_pool2d(conv_block(x, "stem", widths[0], 7, 2), 3, 2, 1)
    else:
        x = conv_block(x, "stem", widths[0], 3, 1)
    for stage, (count, inner) in enumerate(zip(counts, widths)):
        outputs = 4 * inner if bottleneck else inner
        for block in range(count):
            path, stride = f"layer{stage + 1}.{block}", 2 if block == 0 and stage else 1
            skip = x
            if stride != 1 or x.shape[1] != outputs:
                skip = conv_block(x, f"{path}.shortcut", outputs, 1, stride, False)
            if bottleneck:
                y = conv_block(x, f"{path}.branch.0", inner, 1, 1)
                y = conv_block(y, f"{path}.branch.1", inner, 3, stride)
                y = conv_block(y, f"{path}.branch.2", outputs, 1, 1, False)
            else:
                y = conv_block(x, f"{path}.branch.0", inner, 3, stride)
                y = conv_block(y, f"{path}.branch.1", outputs, 3, 1, False)
            x = F.relu(y + skip)
    return x.mean((2, 3))


def linear(x, path, outputs):
    weight = parameter(f"{path}.weight", x.shape[-1], outputs)
    return x @ weight + parameter(f"{path}.bias", outputs)


def norm(x, path):
    c = x.shape[-1]
    return F.layer_norm(x, [c], parameter(f"{path}.gamma", c), parameter(f"{path}.beta", c), 1e-6)


def vit(x, dim, heads, patch, depth, learned_side):
    """For images of `learned_side` pixels, positions are used as learned, else interpolated."""
    weight = parameter("patch.weight", dim, 3, patch, patch)
    x = F.conv2d(x, weight, parameter("patch.bias", dim), patch)
    height, width = x.shape[2:]
    side = learned_side // patch
    position = parameter("position", 1, 1 + side * side, dim)
    if (height, width) != (side, side):
        grid = position[:, 1:].transpose(1, 2).reshape(1, dim, side, side)
        grid = F.interpolate(grid, (height, width), mode="bicubic", align_corners=False)
        position = torch.cat([position[:, :1], grid.flatten(2).transpose(1, 2)], 1)
    x = x.flatten(2).transpose(1, 2)
    x = torch.cat([parameter("class", 1, 1, dim).expand(len(x), 1, dim), x], 1) + position
    b, t, _ = x.shape
    for block in range(depth):
        path = f"blocks.{block}"
        qkv = linear(norm(x, f"{path}.norm1"), f"{path}.qkv", 3 * dim)
        q, k, v = qkv.reshape(b, t, 3, heads, dim // heads).permute(2, 0, 3, 1, 4)
        weights = torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(dim // heads), -1)
        x = x + linear((weights @ v).transpose(1, 2).reshape(b, t, dim), f"{path}.output", dim)
        hidden = F.gelu(linear(norm(x, f"{path}.norm2"), f"{path}.fc1", 4 * dim))
        x = x + linear(hidden, f"{path}.fc2", dim)
    return norm(x, "norm")[:, 0]


def main():
    images = {side: chirp(2 * 3 * side * side, 0.0).reshape(2, 3, side, side)
              for side in [16, 24, 32, 64]}
    cases = {
        "resnet18-cifar": resnet(images[32], 18, "cifar", 0.125),
        "resnet18-imagenet": resnet(images[64], 18, "imagenet", 0.125),
        "resnet50-cifar": resnet(images[32], 50, "cifar", 0.125),
        "vit-tiny": vit(images[16], 192, 3, 8, 2, 16),
        "vit-tiny-interpolated": vit(images[24], 192, 3, 8, 2, 16),
    }
    text = {name: [[float(f"{v:.8g}") for v in row] for row in rows.tolist()]
            for name, rows in cases.items()}
    OUT.write_text(json.dumps(text) + "\n")


if __name__ == "__main__":
    main()
