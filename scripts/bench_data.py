#!/usr/bin/env python3
"""Pictures decoded per second from a folder and from tar shards, beside PyTorch's DataLoader.

Writes COUNT small JPEG pictures as a folder of class folders and as shards of WebDataset, decodes all of
them with `afterimage data check` (index and start of the program included) and with a DataLoader of as
many worker processes, in turn, and prints the medians with the peak memory of `afterimage`. Pictures are
scaled to SIZE and cut to the middle square by both. Where PyTorch is not installed, Pillow in a pool of
processes stands in its place.

    pip install torch pillow numpy
    python3 scripts/bench_data.py target/release/afterimage [COUNT] [THREADS] [ROUNDS]
"""

import argparse
import io
import json
import multiprocessing
import os
import pathlib
import statistics
import subprocess
import tarfile
import tempfile
import time

import numpy
import PIL
from PIL import Image

try:
    import torch
    from torch.utils.data import DataLoader, Dataset
except ImportError:
    torch, Dataset = None, object

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("program", type=pathlib.Path)
for name, default in [("count", 10_000), ("threads", 2), ("rounds", 3)]:
    parser.add_argument(name, type=int, nargs="?", default=default)
arguments = parser.parse_args()
PROGRAM = arguments.program.resolve()
COUNT, THREADS, ROUNDS = arguments.count, arguments.threads, arguments.rounds
SIZE, CLASSES, SHARD, BATCH = 64, 10, 1000, 256


def write(place: pathlib.Path) -> None:
    """The pictures, as `folder/CLASS/NUMBER.jpg` and in `tar/NUMBER.tar`."""
    random = numpy.random.default_rng(0)
    base = [random.integers(0, 256, (12, 12, 3), dtype=numpy.uint8) for _ in range(64)]
    (place / "tar").mkdir()
    for label in range(CLASSES):
        (place / "folder" / str(label)).mkdir(parents=True)
    shard = None
    for number in range(COUNT):
        label = number * CLASSES // COUNT
        sides = tuple(int(side) for side in random.integers(80, 112, 2))
        picture = Image.fromarray(base[number % 64]).resize(sides, Image.BICUBIC)
        content = io.BytesIO()
        picture.save(content, "JPEG", quality=90)
        content = content.getvalue()
        name = f"{number:07}"
        (place / "folder" / str(label) / f"{name}.jpg").write_bytes(content)
        if number % SHARD == 0:
            if shard:
                shard.close()
            shard = tarfile.open(place / "tar" / f"{number // SHARD:05}.tar", "w")
        for kind, data in (("cls", str(label).encode()), ("jpg", content)):
            about = tarfile.TarInfo(f"{name}.{kind}")
            about.size = len(data)
            shard.addfile(about, io.BytesIO(data))
    shard.close()


def ours(place: pathlib.Path, kind: str) -> tuple[float, float]:
    """Seconds, and peak memory in MiB."""
    config = place / f"{kind}.toml"
    lazy = "lazy = true" if kind == "folder" else ""
    config.write_text(
        f"""name = "bench"
epochs = 1
batch_size = 64
[data]
kind = "{kind}"
train = "{place / kind}"
size = {SIZE}
{lazy}
[encoder]
kind = "resnet9"
[projection]
hidden = 32
output = 16
[objective]
kind = "simclr"
[optimizer]
kind = "sgd"
[schedule]
peak = 0.1
"""
    )
    environment = dict(os.environ, RAYON_NUM_THREADS=str(THREADS))
    start = time.perf_counter()
    command = [str(PROGRAM), "data", "check", str(config)]
    child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    # What wait4 tells would begin with the memory of this process, from which the child was forked.
    peak = 0
    while child.poll() is None:
        lines = pathlib.Path(f"/proc/{child.pid}/status").read_text().splitlines()
        told = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
        peak = max([peak, *told])
        time.sleep(0.01)
    seconds = time.perf_counter() - start
    out, err = child.communicate()
    assert child.returncode == 0 and b"; 0 of them" in out, (out, err)
    return seconds, peak / 1024


def prepared(content) -> numpy.ndarray:
    """As torchvision's Resize and CenterCrop, planes of bytes."""
    picture = Image.open(content).convert("RGB")
    scale = SIZE / min(picture.size)
    sides = [max(SIZE, round(side * scale)) for side in picture.size]
    picture = picture.resize(sides, Image.BILINEAR)
    left, top = (sides[0] - SIZE) // 2, (sides[1] - SIZE) // 2
    picture = picture.crop((left, top, left + SIZE, top + SIZE))
    return numpy.asarray(picture).transpose(2, 0, 1).copy()


class Pictures(Dataset):
    """Files, or members of tar files by offset and size."""

    def __init__(self, places):
        self.places = places

    def __len__(self):
        return len(self.places)

    def __getitem__(self, at):
        path, offset, size = self.places[at]
        with open(path, "rb") as file:
            file.seek(offset)
            return prepared(io.BytesIO(file.read(size)))


def listed(place: pathlib.Path, kind: str) -> list:
    if kind == "folder":
        return [(path, 0, -1) for path in sorted((place / kind).glob("*/*.jpg"))]
    places = []
    for path in sorted((place / kind).glob("*.tar")):
        with tarfile.open(path) as shard:
            members = (m for m in shard if m.name.endswith(".jpg"))
            places += [(path, m.offset_data, m.size) for m in members]
    return places


def theirs(place: pathlib.Path, kind: str) -> float:
    start = time.perf_counter()
    data = Pictures(listed(place, kind))
    if torch:
        seen = sum(len(batch) for batch in DataLoader(data, BATCH, num_workers=THREADS))
    else:
        with multiprocessing.Pool(THREADS) as pool:
            seen = sum(1 for _ in pool.imap(data.__getitem__, range(len(data)), BATCH))
    assert seen == COUNT
    return time.perf_counter() - start


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        write(place)
        rows = {}
        for _ in range(ROUNDS):
            for kind in ("folder", "tar"):
                row = rows.setdefault(kind, {"ours": [], "memory": [], "theirs": []})
                seconds, memory = ours(place, kind)
                row["ours"].append(seconds)
                row["memory"].append(memory)
                row["theirs"].append(theirs(place, kind))
    peer = f"torch {torch.__version__}" if torch else f"Pillow {PIL.__version__} in a pool"
    print(json.dumps({"pictures": COUNT, "threads": THREADS, "cores": os.cpu_count(), "peer": peer}))
    for kind, row in rows.items():
        rate = {who: COUNT / statistics.median(row[who]) for who in ("ours", "theirs")}
        memory = max(row["memory"])
        print(
            f"{kind}: {rate['ours']:.0f} pictures/s, peer {rate['theirs']:.0f}, "
            f"ratio {rate['ours'] / rate['theirs']:.2f}, peak memory {memory:.0f} MiB"
        )


if __name__ == "__main__":
    main()
