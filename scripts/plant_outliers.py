#!/usr/bin/env python3
"""A copy of CIFAR-10 in which every tenth training image of a class is an outlier: its 4×4 blocks of pixels change places.

    python scripts/plant_outliers.py CIFAR10_DIR OUT_DIR [--every 10] [--seed 0]

The colours and the local texture of the image stay, its picture is gone: an atypical point by
construction, whose label and place in the file stay as they are. Needs numpy. `outliers.csv` lists the
planted images by the id that a run gives them without `limits` (their place in the training files).
"""
import argparse
import pathlib
import shutil

import numpy as np

IMAGE = 3073


def shuffled(image, generator):
    """The blocks of 4×4 pixels of an image [3, 32, 32] in random order."""
    blocks = image.reshape(3, 8, 4, 8, 4).transpose(1, 3, 0, 2, 4).reshape(64, 3, 4, 4)
    blocks = blocks[generator.permutation(64)]
    return blocks.reshape(8, 8, 3, 4, 4).transpose(2, 0, 3, 1, 4).reshape(3, 32, 32)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("target", type=pathlib.Path)
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    arguments.target.mkdir(parents=True)
    generator = np.random.default_rng(arguments.seed)
    seen, planted, first = [0] * 10, [], 0
    for path in sorted(arguments.source.iterdir()):
        if not path.name.startswith("data_batch"):
            shutil.copy(path, arguments.target)
            continue
        rows = np.fromfile(path, np.uint8).reshape(-1, IMAGE)
        for row, record in enumerate(rows):
            label = record[0]
            if seen[label] % arguments.every == arguments.every - 1:
                image = shuffled(record[1:].reshape(3, 32, 32), generator)
                record[1:] = image.ravel()
                planted.append((first + row, label))
            seen[label] += 1
        rows.tofile(arguments.target / path.name)
        first += len(rows)
    lines = "".join(f"{row},{label}\n" for row, label in planted)
    (arguments.target / "outliers.csv").write_text("row,label\n" + lines)
    print(f"{len(planted)} outliers among {first} images")


if __name__ == "__main__":
    main()
