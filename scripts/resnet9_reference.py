"""Reference values for the ResNet-9 tests: the forward pass in float64 numpy.

Writes crates/model/tests/data/resnet9.json. Weights and images are formulas that the test
repeats, so that only results are stored. Needs numpy alone:

    python scripts/resnet9_reference.py

The running variance follows burn, which blends in the biased variance of the batch
(PyTorch blends in the unbiased one).
"""

import json
import pathlib

import numpy as np

EPS, MOMENTUM = 1e-5, 0.1
# name, output channels at width 1/16, pooled
BLOCKS = [
    ("prep", 2, True),
    ("layer1", 4, True),
    ("res1a", 4, False),
    ("res1b", 4, False),
    ("layer2", 8, True),
    ("layer3", 16, True),
    ("res2a", 16, False),
    ("res2b", 16, False),
]


def chirp(count, phase):
    """sin of a phase that grows faster than the index, so that no two axes look alike."""
    i = np.arange(count, dtype=np.float64)
    return np.sin(0.7 * i + 0.013 * i * i + phase)


def parameters(channels):
    blocks, inputs = {}, channels
    for k, (name, out, _) in enumerate(BLOCKS):
        fan_in = inputs * 9
        blocks[name] = {
            "weight": (np.sqrt(3.0 / fan_in) * chirp(out * fan_in, k)).reshape(out, inputs, 3, 3),
            "bias": 0.1 * chirp(out, k + 0.1),
            "gamma": 1.0 + 0.3 * chirp(out, k + 0.2),
            "beta": 0.2 * chirp(out, k + 0.3),
            "mean": 0.1 * chirp(out, k + 0.4),
            "var": 1.0 + 0.5 * chirp(out, k + 0.5),
        }
        inputs = out
    return blocks


def conv3x3(x, weight, bias):
    height, width = x.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    y = np.zeros((x.shape[0], weight.shape[0], height, width)) + bias[None, :, None, None]
    for dy in range(3):
        for dx in range(3):
            window = padded[:, :, dy : dy + height, dx : dx + width]
            y += np.einsum("bihw,oi->bohw", window, weight[:, :, dy, dx])
    return y


def max_pool2(x):
    height, width = x.shape[2] // 2, x.shape[3] // 2
    x = x[:, :, : 2 * height, : 2 * width]
    return x.reshape(*x.shape[:2], height, 2, width, 2).max(axis=(3, 5))


def run(images, blocks, training):
    seen = {}

    def site(name, x):
        seen[name] = x.mean(axis=(2, 3))
        return x

    def block(name, x):
        p = blocks[name]
        x = site(f"{name}.conv", conv3x3(x, p["weight"], p["bias"]))
        mean, var = p["mean"], p["var"]
        if training:
            mean, var = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))
            p["mean"] = (1 - MOMENTUM) * p["mean"] + MOMENTUM * mean
            p["var"] = (1 - MOMENTUM) * p["var"] + MOMENTUM * var
        per_channel = (None, slice(None), None, None)
        x = (x - mean[per_channel]) / np.sqrt(var[per_channel] + EPS)
        x = site(f"{name}.norm", x * p["gamma"][per_channel] + p["beta"][per_channel])
        x = site(f"{name}.act", np.maximum(x, 0.0))
        if dict((n, pooled) for n, _, pooled in BLOCKS)[name]:
            x = site(f"{name}.pool", max_pool2(x))
        return x

    a = block("layer1", block("prep", images))
    x = site("res1", block("res1b", block("res1a", a)) + a)
    b = block("layer3", block("layer2", x))
    x = site("res2", block("res2b", block("res2a", b)) + b)
    return x.max(axis=(2, 3)), seen


def rounded(x):
    return [[float(f"{v:.8g}") for v in row] for row in np.atleast_2d(x)]


def main():
    cases = []
    for channels, side in [(3, 32), (1, 28)]:
        images = chirp(3 * channels * side * side, 0.0).reshape(3, channels, side, side)
        blocks = parameters(channels)
        case = {"channels": channels, "side": side}
        for mode in ("eval", "train"):  # eval first: training moves the statistics
            embeddings, seen = run(images, blocks, mode == "train")
            case[mode] = {
                "embeddings": rounded(embeddings),
                "sites": {f"encoder.{name}": rounded(value) for name, value in seen.items()},
            }
        case["running"] = {
            f"{name}.norm.running_{key}": rounded(p[key])[0]
            for name, p in blocks.items()
            for key in ("mean", "var")
        }
        cases.append(case)
    root = pathlib.Path(__file__).resolve().parent.parent
    path = root / "crates/model/tests/data/resnet9.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(cases, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
