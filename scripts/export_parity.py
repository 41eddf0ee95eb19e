#!/usr/bin/env python3
"""Exported encoders in PyTorch: short runs of each encoder, exported for torchvision, timm and as plain
safetensors, loaded by the loader that lies beside the weights, and embedded again from the pictures.

    python scripts/export_parity.py [--program target/release/afterimage] [--only NAME]

Needs torch, torchvision, timm, safetensors, numpy, pillow and pyarrow; downloads no weights. Prints the
table of docs/export.md and ends with 1 if an error is above 1e-4.

The error is the largest difference of a feature over the largest feature, over all training and held-out
pictures; which picture a row is comes from the names in samples.parquet. The weights are read strictly: a
key too many or too few is an error of PyTorch.
"""
import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import torch
from PIL import Image

BOUND = 1e-4
SIDE = 32
# Every sixth picture of a class is held out: twenty training and four held-out pictures.
COUNT = 24

# Encoder, colour channels, side of the views, layouts.
CASES = {
    "ResNet-18": ("kind = 'resnet'\ndepth = 18", 3, 32, ["torchvision", "timm", "safetensors"]),
    "ResNet-34": ("kind = 'resnet'\ndepth = 34", 3, 32, ["torchvision", "timm", "safetensors"]),
    "ResNet-50": ("kind = 'resnet'\ndepth = 50", 3, 32, ["torchvision", "timm", "safetensors"]),
    "ResNet-18, stem for large images, 64×64": (
        "kind = 'resnet'\ndepth = 18\nstem = 'imagenet'", 3, 64, ["torchvision", "timm", "safetensors"]),
    "ResNet-18, gray": ("kind = 'resnet'\ndepth = 18", 1, 32, ["torchvision", "timm", "safetensors"]),
    "ViT-Tiny, patches of 4": ("kind = 'vit'\npatch = 4", 3, 32, ["timm", "safetensors"]),
    "ViT-Small, patches of 8, 6 blocks, gray": (
        "kind = 'vit'\nsize = 'small'\npatch = 8\ndepth = 6", 1, 32, ["timm", "safetensors"]),
    "ResNet-9": ("kind = 'resnet9'", 3, 32, ["safetensors"]),
    "ResNet-18 of an eighth of the width": (
        "kind = 'resnet'\ndepth = 18\nwidth = 0.125", 3, 32, ["safetensors"]),
}
# Taken out of a run by `afterimage compact`, and then exported.
COMPACTED = {
    "ResNet-18, compacted": ("ResNet-18", {"encoder.layer1": list(range(0, 64, 3)),
                                           "encoder.layer3.0.branch.0": list(range(0, 256, 2))}),
    "ViT-Tiny, compacted": ("ViT-Tiny, patches of 4", {"encoder.blocks.0.heads": [1],
                                                       "encoder.blocks.3.fc1": list(range(0, 768, 2))}),
}


def pictures(folder):
    generator = np.random.default_rng(1)
    (folder / "a b").mkdir(parents=True)
    for index in range(COUNT):
        pixels = generator.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "a b" / f"{index:02}.png")


def config(place, encoder, channels, side):
    text = f"""name = "parity"
seed = 3
epochs = 1
batch_size = 8
renderer = "silent"
[data]
kind = "folder"
train = "{place / 'pictures'}"
size = {SIDE}
channels = {channels}
[views]
size = {side}
[encoder]
{encoder}
[projection]
hidden = 32
output = 16
[objective]
kind = "simclr"
[optimizer]
kind = "adamw"
[schedule]
peak = 1e-3
[evaluation]
every = 0
"""
    path = place / "config.toml"
    path.write_text(text)
    return path


def call(*command):
    ended = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if ended.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {ended.stderr}")


def loaded(folder):
    spec = importlib.util.spec_from_file_location("load", folder / "load.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def images(place, samples, channels):
    """The pictures of the rows, as 8-bit tensors [N, C, H, W]."""
    arrays = []
    for name in samples["file"]:
        with Image.open(place / "pictures" / name) as picture:
            array = np.asarray(picture.convert("RGB"))
        if channels == 1:
            # Pillow's gray differs from this by one in some pixels.
            weighted = array.astype(np.uint32) @ np.array([299, 587, 114], np.uint32)
            array = ((weighted + 500) // 1000).astype(np.uint8)[..., None]
        arrays.append(array.transpose(2, 0, 1))
    return torch.from_numpy(np.stack(arrays))


@torch.no_grad()
def error(folder, place, channels):
    ours = np.load(folder / "embeddings.npy")
    samples = parquet.read_table(folder / "samples.parquet").to_pydict()
    assert len(samples["file"]) == COUNT == len(ours), (len(samples["file"]), len(ours))
    module = loaded(folder)
    pixels = images(place, samples, channels)
    theirs = module.load()(module.preprocess(pixels)).numpy()
    assert theirs.shape == ours.shape, (theirs.shape, ours.shape)
    return np.abs(theirs - ours).max() / np.abs(theirs).max(), ours.shape[1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", default="target/release/afterimage")
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    print("| encoder | layout | features | largest error |")
    print("|---|---|---|---|")
    worst = 0.0
    for name, (encoder, channels, side, layouts) in CASES.items():
        compacted = {key: units for key, (of, units) in COMPACTED.items() if of == name}
        wanted = [key for key in [name, *compacted] if arguments.only in key]
        if not wanted:
            continue
        with tempfile.TemporaryDirectory() as place:
            place = Path(place)
            pictures(place / "pictures")
            run = place / "run"
            call(arguments.program, "run", config(place, encoder, channels, side), "--out", run)
            jobs = [(name, run, layout) for layout in layouts]
            for key, units in compacted.items():
                (place / "units.json").write_text(json.dumps(units))
                small = place / f"compacted {len(jobs)}"
                call(arguments.program, "compact", run, "--prune", place / "units.json", "--out", small,
                     "--repeats", 1, "--batch", 2)
                jobs.append((key, small, "safetensors"))
            for number, (key, source, layout) in enumerate(jobs):
                if arguments.only not in key:
                    continue
                out = place / f"export {number}"
                call(arguments.program, "export", source, "--layout", layout, "--embeddings", "npy",
                     "--out", out)
                found, width = error(out, place, channels)
                worst = max(worst, found)
                print(f"| {key} | {layout} | {width} | {found:.1e} |", flush=True)
    sys.exit(int(not worst <= BOUND))


if __name__ == "__main__":
    main()
