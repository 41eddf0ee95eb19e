#!/usr/bin/env python3
"""Makes the embedded data set of crates/data: a class-balanced part of Fashion-MNIST.

Takes the first 600 training and the first 100 test images of each of the ten classes, in file
order, and writes them as IDX files, gzip level 9 with no clock and no name in the header, so that
two runs write the same bytes. The result stays plain IDX, because prediction filters (PNG's Paeth
was the best of six tried) save only 8 % and would need a format of their own.

    apt-get install dataset-fashion-mnist
    python3 scripts/embed_fashion_mnist.py [FOLDER WITH THE FOUR .gz FILES]
"""

import gzip
import pathlib
import struct
import sys

SOURCE = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "/usr/share/datasets/fashion-mnist")
TARGET = pathlib.Path(__file__).resolve().parent.parent / "crates/data/assets/fashion-mnist"
PER_CLASS = {"train": 600, "t10k": 100}
CLASSES, SIDE = 10, 28


def read(name: str, header: int) -> bytes:
    with gzip.open(SOURCE / f"{name}.gz") as file:
        return file.read()[header:]


def write(name: str, content: bytes) -> None:
    path = TARGET / f"{name}.gz"
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:
        file.write(content)
    print(f"{path.name}: {path.stat().st_size} bytes")


def main() -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    for split, per_class in PER_CLASS.items():
        images, labels = read(f"{split}-images-idx3-ubyte", 16), read(f"{split}-labels-idx1-ubyte", 8)
        taken, chosen = [0] * CLASSES, []
        for at, label in enumerate(labels):
            if taken[label] < per_class:
                taken[label] += 1
                chosen.append(at)
        assert taken == [per_class] * CLASSES, taken
        size = SIDE * SIDE
        pixels = b"".join(images[at * size : (at + 1) * size] for at in chosen)
        write(f"{split}-images-idx3-ubyte", struct.pack(">IIII", 0x803, len(chosen), SIDE, SIDE) + pixels)
        write(f"{split}-labels-idx1-ubyte", struct.pack(">II", 0x801, len(chosen)) + bytes(labels[at] for at in chosen))


if __name__ == "__main__":
    main()
