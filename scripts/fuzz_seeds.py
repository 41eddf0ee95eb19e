#!/usr/bin/env python3
"""Writes the seeds of `tests/tests/fuzz` that other programs write: pictures, Parquet, npy, .pt.

    pip install pillow pyarrow pandas numpy && scripts/fuzz_seeds.py

Each is as small as its format allows. The .pt files have the archive and the pickle that torch.save writes,
without torch: tensors by `torch._utils._rebuild_tensor_v2` over storages that are named persistently.
"""

import argparse
import gzip
import io
import json
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

FOLDER = Path(__file__).resolve().parent.parent / "tests/tests/fuzz/seeds"


def pictures():
    ramp = np.arange(9 * 7 * 3, dtype=np.uint8).reshape(9, 7, 3)
    colour = Image.fromarray(ramp)
    for end in ["png", "jpg", "gif", "bmp", "tif", "webp", "ppm", "tga", "ico"]:
        # Pictures in icons have transparency.
        picture = colour.convert("RGBA").resize((16, 16)) if end == "ico" else colour
        picture.save(FOLDER / f"colour.{end}")
    colour.convert("RGBA").save(FOLDER / "alpha.png")
    colour.convert("P").save(FOLDER / "palette.png")
    Image.fromarray((ramp[..., 0].astype(np.uint16) * 200)).save(FOLDER / "deep.png")
    colour.save(FOLDER / "packed.tif", compression="tiff_lzw")
    colour.save(FOLDER / "lossless.webp", lossless=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    colour.save(FOLDER / "turned.jpg", exif=exif)
    # QOI, which Pillow does not write: runs and whole pixels.
    body = b"".join(b"\xfe" + bytes(pixel) for pixel in ramp[:2].reshape(-1, 3)) + b"\xc5" * 5
    (FOLDER / "colour.qoi").write_bytes(b"qoif" + struct.pack(">IIBB", 7, 6, 3, 0) + body + b"\0" * 7 + b"\1")


def tables():
    frame = pd.DataFrame({
        "id": range(12), "a": np.linspace(0, 1, 12), "b": [i % 5 for i in range(12)],
        "kind": ["red", "green", None] * 4, "when": pd.date_range("2024-01-01", periods=12), "y": ["no", "yes"] * 6,
    })
    frame.to_parquet(FOLDER / "frame.parquet")
    frame.set_index("id").to_parquet(FOLDER / "index.parquet", compression="zstd")
    numbers = frame[["a", "b"]].astype(np.float32)
    pq.write_table(pa.Table.from_pandas(numbers, preserve_index=False), FOLDER / "v2.parquet",
                   data_page_version="2.0", use_dictionary=False,
                   column_encoding={"a": "BYTE_STREAM_SPLIT", "b": "PLAIN"}, compression="gzip")
    whole = pa.table({"a": pa.array(range(12), pa.int64()), "b": pa.array(range(12), pa.int32())})
    pq.write_table(whole, FOLDER / "delta.parquet", use_dictionary=False, compression="none",
                   column_encoding={"a": "DELTA_BINARY_PACKED", "b": "DELTA_BINARY_PACKED"})
    lists = pa.table({"e": pa.array([[float(i), 1.0] for i in range(6)], pa.list_(pa.float32()))})
    pq.write_table(lists, FOLDER / "lists.parquet")
    for name, array in [
        ("f4", np.arange(12, dtype="<f4").reshape(6, 2)), ("f2", np.arange(6, dtype="<f2")),
        ("i8", np.arange(12).reshape(6, 2)), ("order", np.asfortranarray(np.arange(12.0).reshape(6, 2))),
    ]:
        np.save(FOLDER / f"{name}.npy", array)


class Global:
    def __init__(self, module, name):
        self.module, self.name = module, name


class Tensor:
    def __init__(self, key, shape):
        self.key, self.shape = key, shape


class Pickler(pickle._Pickler):
    """Writes globals that cannot be imported here by their names."""

    def save(self, what, save_persistent_id=True):
        if isinstance(what, Global):
            self.write(b"c" + f"{what.module}\n{what.name}\n".encode())
        elif isinstance(what, Tensor):
            count = int(np.prod(what.shape))
            strides = tuple(int(np.prod(what.shape[at + 1:])) for at in range(len(what.shape)))
            self.save(Global("torch._utils", "_rebuild_tensor_v2"))
            self.write(b"(")
            self.save(("storage", Global("torch", "FloatStorage"), what.key, "cpu", count), False)
            self.write(b"Q")
            for part in (0, tuple(what.shape), strides, False):
                self.save(part)
            self.save(Global("collections", "OrderedDict"))
            self.write(b")RtR")
        else:
            super().save(what, save_persistent_id)


def weights():
    shapes = {"conv1.weight": (2, 3, 1, 1), "bn1.bias": (2,), "fc.weight": (2, 2)}
    tensors = {name: Tensor(str(at), shape) for at, (name, shape) in enumerate(shapes.items())}
    for name, state in [("flat", tensors), ("nested", {"epoch": 3, "state_dict": tensors, "loss": 0.5})]:
        out = io.BytesIO()
        Pickler(out, 2).dump(state)
        with zipfile.ZipFile(FOLDER / f"{name}.pt", "w", zipfile.ZIP_STORED) as archive:
            archive.writestr("archive/data.pkl", out.getvalue())
            for at, shape in enumerate(shapes.values()):
                archive.writestr(f"archive/data/{at}", np.arange(np.prod(shape), dtype="<f4").tobytes())
            archive.writestr("archive/version", b"3\n")
    header, data = {}, b""
    for name, shape in shapes.items():
        part = np.arange(np.prod(shape), dtype="<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(part)]}
        data += part
    text = json.dumps(header).encode()
    (FOLDER / "flat.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)


def images():
    pixels = bytes(range(2 * 4 * 4))
    plain = struct.pack(">IIII", 0x803, 2, 4, 4) + pixels
    (FOLDER / "images.idx").write_bytes(plain)
    (FOLDER / "images.idx.gz").write_bytes(gzip.compress(plain, mtime=0))
    numbers = np.arange(8 * 4 * 4, dtype=np.uint8).reshape(8, 4, 4)
    arrays = {"x_train": numbers[:6], "y_train": np.arange(6) % 2, "x_test": numbers[6:], "y_test": np.arange(2)}
    np.savez(FOLDER / "stored.npz", **arrays)
    np.savez_compressed(FOLDER / "deflated.npz", **arrays)
    (FOLDER / "ids.txt").write_text("1.png\n4\n")
    (FOLDER / "ids.csv").write_text("id,why\n1.png,dark\n4,\n")
    pq.write_table(pa.table({"id": ["1.png", "4"]}), FOLDER / "ids.parquet")
    (FOLDER / "labels.idx").write_bytes(struct.pack(">II", 0x801, 2) + b"\0\1")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    pictures()
    tables()
    weights()
    images()
    print(sum(path.stat().st_size for path in FOLDER.iterdir()), "bytes in", FOLDER)
