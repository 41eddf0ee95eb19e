#!/usr/bin/env python3
"""Features of small networks by torchvision, timm and lightly, with values that are formulas of their
keys: writes crates/model/tests/data/import.json (keys, shapes, features) and sequence.pt.

    python scripts/import_reference.py

Needs torch, torchvision, timm and lightly. The tests write the same formulas under the same keys and
compare features; sequence.pt is a file as torch.save writes it.
"""
import json
import math
from pathlib import Path

import timm
import torch
import torchvision
from lightly.models import ResNetGenerator
from torch import nn

DATA = Path(__file__).resolve().parent.parent / "crates/model/tests/data"


def chirp(count, phase):
    i = torch.arange(count, dtype=torch.float64)
    return torch.sin(0.7 * i + 0.013 * i * i + phase)


def value(key, shape):
    """Offset + scale · chirp, with a phase from the letters of the key."""
    phase = sum(key.encode()) % 97 * 0.1
    name = key.split(".")[-1]
    if len(shape) > 1 and name == "weight":
        offset, scale = 0.0, math.sqrt(3 / math.prod(shape[1:]))
    else:
        offset, scale = {"weight": (1, 0.3), "bias": (0, 0.2), "running_mean": (0, 0.1),
                         "running_var": (1, 0.5), "cls_token": (0, 1), "pos_embed": (0, 0.5),
                         "mask_token": (0, 1), "decoder_pos_embed": (0, 1)}[name]
    return offset + scale * chirp(math.prod(shape), phase).reshape(shape)


def fill(module, prefix=""):
    """Values by the keys that the state dict will have in its file."""
    state = {key: tensor if tensor.dtype == torch.int64 else value(prefix + key, tensor.shape)
             for key, tensor in module.state_dict().items()}
    module.double().load_state_dict(state)
    return module.eval()


def narrow(module, factor):
    """The same network with every width but that of its images divided by `factor`."""
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d):
            inputs = child.in_channels if child.in_channels == 3 else child.in_channels // factor
            child = nn.Conv2d(inputs, child.out_channels // factor, child.kernel_size, child.stride,
                              child.padding, bias=False)
        elif isinstance(child, nn.BatchNorm2d):
            child = nn.BatchNorm2d(child.num_features // factor)
        elif isinstance(child, nn.Linear):
            child = nn.Linear(child.in_features // factor, 5)
        else:
            narrow(child, factor)
        setattr(module, name, child)
    return module


def images(side):
    return chirp(2 * 3 * side * side, 0.0).reshape(2, 3, side, side)


def pooled(model, x):
    """What torchvision's classifier is given."""
    model.fc = nn.Identity()
    return model(x)


def case(state, features):
    keys = {key: list(tensor.shape) for key, tensor in state.items()
            if tensor.dtype != torch.int64}
    rows = [[float(f"{v:.8g}") for v in row] for row in features.tolist()]
    return {"keys": keys, "features": rows}


@torch.no_grad()
def main():
    cases = {}
    for name, build in [("resnet18", torchvision.models.resnet18),
                        ("resnet50", torchvision.models.resnet50)]:
        model = fill(narrow(build(), 16), "module.")
        state = {f"module.{key}": tensor for key, tensor in model.state_dict().items()}
        cases[name] = case(state, pooled(model, images(64)))

    network = ResNetGenerator("resnet-18", width=1 / 32, num_classes=5)
    backbone = nn.Sequential(*list(network.children())[:-1], nn.AdaptiveAvgPool2d(1))
    fill(backbone, "backbone.")
    state = {f"backbone.{key}": tensor for key, tensor in backbone.state_dict().items()}
    heads = [f"projection_head.layers.{i}.weight" for i in range(2)]
    head = {key: value(key, (4, 4)) for key in heads}
    cases["sequence"] = case(state | head, backbone(images(32)).flatten(1))
    single = {key: tensor.float() if tensor.dtype == torch.float64 else tensor
              for key, tensor in (state | head).items()}
    torch.save({"epoch": 3, "state_dict": single}, DATA / "sequence.pt")

    def vit():
        return timm.create_model("vit_tiny_patch16_224", img_size=16, patch_size=8, depth=2,
                                 num_classes=5)

    model = fill(vit(), "teacher.backbone.")
    features = model.forward_features(images(16))[:, 0]
    state = {f"teacher.backbone.{key}": tensor for key, tensor in model.state_dict().items()}
    student = {f"student.backbone.{key}": tensor for key, tensor in vit().state_dict().items()}
    cases["dino"] = case(student | state, features)

    # The encoder of a masked autoencoder beside its decoder, as in the authors' files.
    model = fill(vit())
    features = model.forward_features(images(16))[:, 0]
    state = {key: tensor for key, tensor in model.state_dict().items()
             if not key.startswith("head")}
    decoder = {"mask_token": (1, 1, 8), "decoder_pos_embed": (1, 5, 8),
               "decoder_embed.weight": (8, 192), "decoder_embed.bias": (8,),
               "decoder_blocks.0.attn.qkv.weight": (24, 8), "decoder_norm.weight": (8,),
               "decoder_pred.weight": (192, 8)}
    state |= {key: value(key, shape) for key, shape in decoder.items()}
    cases["mae"] = case(state, features)
    (DATA / "import.json").write_text(json.dumps(cases) + "\n")


if __name__ == "__main__":
    main()
