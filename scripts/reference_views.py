#!/usr/bin/env python3
"""Writes reference values of the view operations, as torchvision computes them on float tensors.

The image is a formula, so that only results are stored: three planes of 6 rows and 8 columns, the
byte at channel c, row y, column x is (37 c + 29 y + 53 x + 11 x y) mod 256, divided by 255. The gray
image is its first plane.

    apt-get install python3-torch python3-torchvision
    python3 scripts/reference_views.py > crates/data/tests/torchvision.json
"""

import json

import torch
import torchvision
import torchvision.transforms.functional as F

C, H, W = 3, 6, 8
c, y, x = torch.meshgrid(torch.arange(C), torch.arange(H), torch.arange(W), indexing="ij")
IMAGE = ((37 * c + 29 * y + 53 * x + 11 * x * y) % 256).float() / 255

cases = []


def case(op: str, arguments: list, result: torch.Tensor, channels: int = 3) -> None:
    values = [round(v, 7) for v in result.flatten().tolist()]
    cases.append({"op": op, "arguments": arguments, "channels": channels, "values": values})


for rect in ([1, 2, 4, 5], [0, 0, 6, 8], [2, 3, 1, 1], [0, 1, 6, 3]):
    case("crop", rect, F.resized_crop(IMAGE, *rect, [H, W], antialias=False))
    case("crop", rect, F.resized_crop(IMAGE[:1], *rect, [H, W], antialias=False), 1)
case("horizontal_flip", [], F.hflip(IMAGE))
case("vertical_flip", [], F.vflip(IMAGE))
for factor in (0.3, 1.7):
    case("brightness", [factor], F.adjust_brightness(IMAGE, factor))
    case("contrast", [factor], F.adjust_contrast(IMAGE, factor))
    case("contrast", [factor], F.adjust_contrast(IMAGE[:1], factor), 1)
    case("saturation", [factor], F.adjust_saturation(IMAGE, factor))
    case("saturation", [factor], F.adjust_saturation(IMAGE[:1], factor), 1)
for turn in (-0.5, -0.2, 0.07, 0.3):
    case("hue", [turn], F.adjust_hue(IMAGE, turn))
case("hue", [0.3], F.adjust_hue(IMAGE[:1], 0.3), 1)
case("grayscale", [], F.rgb_to_grayscale(IMAGE, 3))
for size, sigma in ((3, 0.7), (5, 2.5), (7, 0.1)):
    case("blur", [size, sigma], F.gaussian_blur(IMAGE, [size, size], [sigma, sigma]))
case("solarize", [0.6], F.solarize(IMAGE, 0.6))
case("invert", [], F.invert(IMAGE))
case("normalize", [0.4, 0.25], F.normalize(IMAGE, [0.4] * 3, [0.25] * 3))

lines = ",\n".join(json.dumps(entry, separators=(",", ":")) for entry in cases)
print(f'{{"torchvision":"{torchvision.__version__}","cases":[\n{lines}\n]}}')
