#!/usr/bin/env python3
"""Features of imported encoders beside PyTorch's: the real networks of torchvision, timm and lightly at
random values, saved as .pt and .safetensors, embedded by `afterimage probe --features`.

    python scripts/import_parity.py [--program target/release/afterimage] [--only NAME]

Needs torch, torchvision, timm, lightly, safetensors, numpy and pillow; downloads no weights. Prints the
table of experiments/localizing/import.md and ends with 1 if an error is above 1e-4.

The error is the largest difference of a feature over the largest feature. Images are random PNG files of
the network's own size, so that no scaling lies between the two.
"""
import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import timm
import torch
import torchvision
from lightly.models import ResNetGenerator
from lightly.models.modules import SimCLRProjectionHead
from PIL import Image
from safetensors.torch import save_file
from torch import nn

BOUND = 1e-4
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
# Every sixth picture is held out: four training and four held-out points.
COUNT, POINTS = 24, 4


class Backbone(nn.Module):
    """An encoder under the name of a field, beside a head, as in a training program."""

    def __init__(self, backbone, width):
        super().__init__()
        self.backbone = backbone
        self.projection_head = SimCLRProjectionHead(width, 64, 32)


def statistics(model):
    """Running statistics and affine values that differ from unit to unit, as after training."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
        elif isinstance(module, nn.LayerNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
    return model.eval()


def torchvision_resnet(depth):
    model = statistics(getattr(torchvision.models, f"resnet{depth}")())
    state = {f"module.{key}": tensor for key, tensor in model.state_dict().items()}

    def features(x):
        body = nn.Sequential(*list(model.children())[:-1])
        return body(x).flatten(1)
    return state, {"state_dict": state, "epoch": 7}, features, 224


def timm_resnet(depth):
    model = statistics(timm.create_model(f"resnet{depth}"))
    state = model.state_dict()
    return state, state, lambda x: model.forward_head(model.forward_features(x), pre_logits=True), 224


def lightly_sequence(network, side):
    body = nn.Sequential(*list(network.children())[:-1], nn.AdaptiveAvgPool2d(1))
    width = body(torch.zeros(2, 3, 64, 64)).shape[1]
    model = statistics(Backbone(body, width))
    state = model.state_dict()
    return state, {"state_dict": state}, lambda x: model.backbone(x).flatten(1), side


def timm_vit(name):
    model = statistics(timm.create_model(name))
    state = model.state_dict()
    side = model.patch_embed.img_size[0]
    return state, {"model": state}, lambda x: model.forward_features(x)[:, 0], side


def dino():
    """A checkpoint as DINO's program writes one: student and teacher, each with a head."""
    student, teacher = [statistics(timm.create_model("vit_small_patch16_224", num_classes=0))
                        for _ in range(2)]

    def named(prefix, model):
        head = {f"{prefix}head.mlp.0.weight": torch.zeros(8, 384)}
        return {f"{prefix}backbone.{key}": value for key, value in model.state_dict().items()} | head
    table = {"student": named("module.", student), "teacher": named("", teacher), "epoch": 3}
    flat = {f"{part}.{key}": value for part in ["student", "teacher"]
            for key, value in table[part].items()}
    return flat, table, lambda x: teacher.forward_features(x)[:, 0], 224


def mae():
    """lightly's masked autoencoder on timm's transformer, with its decoder."""
    from lightly.models.modules import MAEDecoderTIMM, MaskedVisionTransformerTIMM
    vit = timm.create_model("vit_base_patch16_224")
    model = nn.Module()
    model.backbone = MaskedVisionTransformerTIMM(vit=vit)
    model.decoder = MAEDecoderTIMM(num_patches=196, patch_size=16, embed_dim=768, decoder_embed_dim=64,
                                   decoder_depth=1, decoder_num_heads=4)
    statistics(model)
    return (model.state_dict(), {"state_dict": model.state_dict()}, lambda x: model.backbone(x), 224)


CASES = {
    "torchvision resnet18": lambda: torchvision_resnet(18),
    "torchvision resnet34": lambda: torchvision_resnet(34),
    "torchvision resnet50": lambda: torchvision_resnet(50),
    "timm resnet18": lambda: timm_resnet(18),
    "timm resnet50": lambda: timm_resnet(50),
    "lightly backbone, torchvision resnet18": lambda: lightly_sequence(torchvision.models.resnet18(), 224),
    "lightly backbone, torchvision resnet50": lambda: lightly_sequence(torchvision.models.resnet50(), 224),
    "lightly backbone, own resnet-18": lambda: lightly_sequence(ResNetGenerator("resnet-18"), 32),
    "lightly backbone, own resnet-50": lambda: lightly_sequence(ResNetGenerator("resnet-50"), 32),
    "timm vit_tiny_patch16_224": lambda: timm_vit("vit_tiny_patch16_224"),
    "timm vit_small_patch16_224": lambda: timm_vit("vit_small_patch16_224"),
    "timm vit_base_patch16_224": lambda: timm_vit("vit_base_patch16_224"),
    "DINO vit_small_patch16, teacher": dino,
    "MAE vit_base_patch16 with decoder (lightly)": mae,
}


def pictures(folder, side):
    generator = np.random.default_rng(side)
    (folder / "a").mkdir(parents=True)
    for index in range(COUNT):
        pixels = generator.integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "a" / f"{index:02}.png")


def tensors(folder, ids):
    """Training and held-out pictures as the reader numbers them: every sixth file is held out."""
    files = sorted((folder / "a").glob("*.png"))
    held_out = files[5::6]
    split = {"train": [f for f in files if f not in held_out], "held_out": held_out}
    pixels = [np.asarray(Image.open(split[name][number])) for name, number in ids]
    x = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).double() / 255
    mean, std = [torch.tensor(v, dtype=torch.float64)[:, None, None] for v in (MEAN, STD)]
    return (x - mean) / std


def probe(program, weights, folder, out, side, winograd):
    command = [program, "probe", weights, "--data", f"folder:{folder}", "--size", str(side),
               "--points", str(POINTS), "--views", "1", "--features", f"{out}.npy", "--out", out]
    if winograd:
        command += ["--set", "convolution=winograd"]
    start = time.monotonic()
    ended = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if ended.returncode:
        sys.exit(f"{weights}: {ended.stderr}")
    return np.load(f"{out}.npy"), time.monotonic() - start


def rows_of(out):
    """Split and id of each row of the embeddings."""
    import pyarrow.parquet as parquet
    table = parquet.read_table(next(Path(out).glob("tables/probe.points/*.parquet"))).to_pydict()
    return list(zip(table["split"], table["id"]))


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", default="target/release/afterimage")
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    print("| network | features | .pt | .safetensors | with Winograd | PyTorch, 32 bits |")
    print("|---|---|---|---|---|---|")
    worst = 0.0
    for name, build in CASES.items():
        if arguments.only not in name:
            continue
        torch.manual_seed(1)
        with tempfile.TemporaryDirectory() as place:
            place = Path(place)
            flat, table, features, side = build()
            pictures(place / "pictures", side)
            torch.save(table, place / "w.pt")
            save_file({key: tensor.contiguous() for key, tensor in flat.items()},
                      place / "w.safetensors")
            runs = {"pt": ("w.pt", False), "safe": ("w.safetensors", False),
                    "winograd": ("w.pt", True)}
            found = {run: probe(arguments.program, place / file, place / "pictures",
                                place / run, side, winograd)[0]
                     for run, (file, winograd) in runs.items()}
            images = tensors(place / "pictures", rows_of(place / "pt"))
            single = features(images.float()).numpy()
            for closure in features.__closure__:
                if isinstance(closure.cell_contents, nn.Module):
                    closure.cell_contents.double()
            expected = features(images).numpy()
        largest = np.abs(expected).max()
        error = {run: np.abs(rows - expected).max() / largest for run, rows in found.items()}
        torch32 = np.abs(single - expected).max() / largest
        worst = max(worst, error["pt"], error["safe"])
        print(f"| {name} | {expected.shape[1]} | {error['pt']:.1e} | {error['safe']:.1e} "
              f"| {error['winograd']:.1e} | {torch32:.1e} |", flush=True)
    sys.exit(int(worst > BOUND))


if __name__ == "__main__":
    main()
