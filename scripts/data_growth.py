#!/usr/bin/env python3
"""What sources of images in files cost, and whether they are the same images.

`kinds`: one epoch, with memorization measured, over the same pictures as a lazy folder, as tar shards and as
Parquet, beside the folder in memory. Says whether all end with the same records, and which samples they name.
PICTURES is any folder of class folders.

`growth`: runs of two epochs with the plugins unitmem, dynamics and coreset over tar shards of COUNT small
JPEG pictures, with seconds and the highest resident memory of each.

    pip install pillow pyarrow
    python3 scripts/data_growth.py target/release/afterimage kinds PICTURES
    python3 scripts/data_growth.py target/release/afterimage growth 10000 100000
"""

import argparse
import io
import pathlib
import random
import subprocess
import tarfile
import tempfile
import time

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("program", type=pathlib.Path)
parts = parser.add_subparsers(dest="part", required=True)
kinds = parts.add_parser("kinds")
kinds.add_argument("pictures", type=pathlib.Path)
kinds.add_argument("--epochs", type=int, default=1)
growth = parts.add_parser("growth")
growth.add_argument("counts", type=int, nargs="+")
arguments = parser.parse_args()

CLASSES, SHARD = 10, 10_000
ENCODER = """
[encoder]
kind = "resnet9"
width = 0.125
[projection]
hidden = 32
output = 16
[optimizer]
kind = "adamw"
weight_decay = 1e-4
[schedule]
peak = 2e-3
"""


def run(place: pathlib.Path, name: str, config: str) -> tuple[float, float]:
    """Seconds, and peak memory in MiB."""
    path = place / f"{name}.toml"
    path.write_text(config)
    command = [arguments.program.resolve(), "run", path, "--out", place / "runs" / name]
    start = time.perf_counter()
    # Into a file: a pipe that nobody reads would hold the program up.
    with open(place / f"{name}.txt", "wb") as told:
        child = subprocess.Popen(command, stdout=told, stderr=subprocess.STDOUT)
        peak = 0
        while child.poll() is None:
            lines = pathlib.Path(f"/proc/{child.pid}/status").read_text().splitlines()
            peak = max([peak, *(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))])
            time.sleep(0.02)
    seconds = time.perf_counter() - start
    assert child.returncode == 0, (place / f"{name}.txt").read_text()
    return seconds, peak / 1024


def add(shard: tarfile.TarFile, name: str, content: bytes) -> None:
    about = tarfile.TarInfo(name)
    about.size = len(content)
    shard.addfile(about, io.BytesIO(content))


def as_shards(folder: pathlib.Path, place: pathlib.Path) -> None:
    """The pictures of a folder, in its order, in two tar files and in two of Parquet."""
    rows = []
    classes = sorted(entry for entry in folder.iterdir() if entry.is_dir())
    for label, entry in enumerate(classes):
        rows += [(path, label) for path in sorted(entry.iterdir())]
    (place / "tar").mkdir()
    (place / "parquet").mkdir()
    half = len(rows) // 2
    for number, part in enumerate([rows[:half], rows[half:]]):
        with tarfile.open(place / "tar" / f"{number}.tar", "w") as shard:
            for at, (path, label) in enumerate(part):
                add(shard, f"{at:07}.cls", str(label).encode())
                add(shard, f"{at:07}{path.suffix}", path.read_bytes())
        image = [{"bytes": path.read_bytes(), "path": path.name} for path, _ in part]
        table = pa.table({"image": image, "label": [label for _, label in part]})
        pq.write_table(table, place / "parquet" / f"{number}.parquet", row_group_size=100)


def compare(pictures: pathlib.Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        as_shards(pictures, place)
        kept = {}
        for name, kind, at, more in [
            ("memory", "folder", pictures, ""),
            ("lazy", "folder", pictures, "lazy = true"),
            ("tar", "tar", place / "tar", ""),
            ("parquet", "parquet", place / "parquet", ""),
        ]:
            seconds, peak = run(place, name, f"""name = "{name}"
epochs = {arguments.epochs}
batch_size = 32
renderer = "silent"
[data]
kind = "{kind}"
train = "{at.resolve()}"
size = 64
{more}
[objective]
kind = "simclr"
{ENCODER}
[[plugins]]
kind = "unitmem"
""")
            table = pq.read_table(place / "runs" / name / "samples.parquet").to_pydict()
            kept[name] = (
                (place / "runs" / name / "metrics.jsonl").read_bytes(),
                list(zip(table["split"], table["id"], table["label"])),
            )
            count = {split: table["split"].count(split) for split in ("train", "held_out")}
            print(f"{name}: {seconds:.1f} s, peak memory {peak:.0f} MiB, {count}")
        metrics, samples = kept["memory"]
        lines = metrics.count(b"\n")
        for name, (other, named) in kept.items():
            same = f"{lines} lines of metrics.jsonl {'the same' if other == metrics else 'OTHERS'}"
            print(f"{name}: {same}; ids and labels {'the same' if named == samples else 'OTHERS'}")


def grow(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        draw = random.Random(0)
        (place / "tar").mkdir()
        shard, size = None, 0
        for number in range(count):
            if number % SHARD == 0:
                if shard:
                    shard.close()
                shard = tarfile.open(place / "tar" / f"{number // SHARD:05}.tar", "w")
            seed = Image.frombytes("RGB", (4, 4), draw.randbytes(48))
            content = io.BytesIO()
            seed.resize((32, 32), Image.BILINEAR).save(content, "JPEG", quality=85)
            add(shard, f"{number:07}.cls", str(number % CLASSES).encode())
            add(shard, f"{number:07}.jpg", content.getvalue())
            size += len(content.getvalue())
        shard.close()
        seconds, peak = run(place, "run", f"""name = "growth"
epochs = 2
batch_size = 128
renderer = "silent"
[data]
kind = "tar"
train = "{place / 'tar'}"
size = 32
[objective]
kind = "supervised"
{ENCODER.replace('[projection]', '').replace('hidden = 32', '').replace('output = 16', '')}
[[plugins]]
kind = "unitmem"
points = 200
[[plugins]]
kind = "dynamics"
[[plugins]]
kind = "coreset"
warmup = 1
fraction = 0.5
""")
        written = sum(path.stat().st_size for path in (place / "runs").rglob("*") if path.is_file())
        print(
            f"{count} pictures of {size / count:.0f} bytes: {seconds:.0f} s, peak memory {peak:.0f} MiB, "
            f"{written / 2**20:.1f} MiB written",
            flush=True,
        )


if __name__ == "__main__":
    if arguments.part == "kinds":
        compare(arguments.pictures)
    else:
        for count in arguments.counts:
            grow(count)
