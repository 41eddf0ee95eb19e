"""Loads the encoder that lies beside this file. Needs torch and safetensors, and nothing else."""

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

HERE = Path(__file__).parent
# ResNet-9 halves its maps behind these.
POOLED = ("prep", "layer1", "layer2", "layer3")


class Encoder(nn.Module):
    """Images [B, C, H, W] to features [B, D], whatever widths the weights have."""

    def __init__(self, folder=HERE):
        super().__init__()
        facts = json.loads((Path(folder) / "arch.json").read_text())
        self.kind, self.settings = facts["encoder"]["kind"], facts["encoder"]
        self.values = nn.ParameterDict()
        for path, value in load_file(Path(folder) / "encoder.safetensors").items():
            trained = not path.endswith(("running_mean", "running_var"))
            self.values[path.replace(".", "/")] = nn.Parameter(value, requires_grad=trained)

    def value(self, path):
        key = path.replace(".", "/")
        return self.values[key] if key in self.values else None

    def count(self, place):
        """Number of the blocks `place`.0, `place`.1 and so on."""
        start = f"{place}/"
        return len({key[len(start):].split("/")[0] for key in self.values.keys() if key.startswith(start)})

    def forward(self, x):
        return {"resnet9": self.resnet9, "resnet": self.resnet, "vit": self.vit}[self.kind](x)

    def conv(self, x, path, stride=1, rectified=True):
        weight = self.value(f"{path}.conv.weight")
        x = F.conv2d(x, weight, self.value(f"{path}.conv.bias"), stride, weight.shape[-1] // 2)
        mean, var, scale, shift = [self.value(f"{path}.norm.{name}")
                                   for name in ("running_mean", "running_var", "gamma", "beta")]
        x = F.batch_norm(x, mean, var, scale, shift, self.training, 0.1, 1e-5)
        return F.relu(x) if rectified else x

    def resnet9(self, x):
        def block(x, path):
            x = self.conv(x, path)
            return F.max_pool2d(x, 2) if path in POOLED else x

        for first, second, inner, outer in (("prep", "layer1", "res1a", "res1b"),
                                            ("layer2", "layer3", "res2a", "res2b")):
            x = block(block(x, first), second)
            x = x + block(block(x, inner), outer)
        return x.amax((2, 3))

    def resnet(self, x):
        if self.settings.get("stem", "cifar") == "imagenet":
            x = F.max_pool2d(self.conv(x, "stem", 2), 3, 2, 1)
        else:
            x = self.conv(x, "stem")
        for stage in range(1, 5):
            for block in range(self.count(f"layer{stage}")):
                x = self.residual(x, f"layer{stage}.{block}", 2 if block == 0 and stage > 1 else 1)
        return x.mean((2, 3))

    def residual(self, x, path, stride):
        skip = x
        if self.value(f"{path}.shortcut.conv.weight") is not None:
            skip = self.conv(x, f"{path}.shortcut", stride, False)
        count = self.count(f"{path}.branch".replace(".", "/"))
        for layer in range(count):
            # The stride lies on the 3x3 convolution.
            strided = layer == (1 if count == 3 else 0)
            x = self.conv(x, f"{path}.branch.{layer}", stride if strided else 1, layer + 1 < count)
        return F.relu(x + skip)

    def linear(self, x, path):
        return x @ self.value(f"{path}.weight") + self.value(f"{path}.bias")

    def norm(self, x, path):
        scale, shift = self.value(f"{path}.gamma"), self.value(f"{path}.beta")
        return F.layer_norm(x, scale.shape, scale, shift, 1e-6)

    def vit(self, x):
        weight = self.value("patch.weight")
        x = F.conv2d(x, weight, self.value("patch.bias"), weight.shape[-1])
        size, x = x.shape[2:], x.flatten(2).transpose(1, 2)
        position = self.value("position")
        side = round((position.shape[1] - 1) ** 0.5)
        if tuple(size) != (side, side):
            grid = position[:, 1:].transpose(1, 2).unflatten(2, (side, side))
            grid = F.interpolate(grid, tuple(size), mode="bicubic", align_corners=False)
            position = torch.cat([position[:, :1], grid.flatten(2).transpose(1, 2)], 1)
        x = torch.cat([self.value("class").expand(len(x), 1, -1), x], 1) + position
        for block in range(self.count("blocks")):
            path = f"blocks.{block}"
            # A head has 64 channels; heads and hidden units may have been taken out.
            qkv = self.linear(self.norm(x, f"{path}.norm1"), f"{path}.qkv")
            q, k, v = qkv.unflatten(2, (3, -1, 64)).permute(2, 0, 3, 1, 4)
            said = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
            x = x + self.linear(said, f"{path}.output")
            hidden = F.gelu(self.linear(self.norm(x, f"{path}.norm2"), f"{path}.fc1"))
            x = x + self.linear(hidden, f"{path}.fc2")
        return self.norm(x, "norm")[:, 0]


def load(folder=HERE):
    """The encoder in evaluation mode: images [B, CHANNELS, HEIGHT, WIDTH] to features [B, WIDE]."""
    return Encoder(folder).eval()
