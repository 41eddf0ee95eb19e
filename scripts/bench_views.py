#!/usr/bin/env python3
"""Views per second of afterimage-data and of torchvision, on the same two cores in one run.

The operations are SimCLR's on 32×32 colour images, as in the preset `normal`: random resized crop,
flip, colour jitter (p 0.8), grayscale (p 0.2), normalise; then the same with Gaussian blur (p 0.5).
Parameters are drawn for each view, as in a DataLoader with two workers. torchvision runs in two
processes of one thread each, without the cost of sending batches between processes, in three
forms: PIL images, tensors of bytes, tensors of floats. The fastest of them counts. Rounds of all
contestants are interleaved.

    pip install torch torchvision     # or apt-get install python3-torchvision
    python3 scripts/bench_views.py [ROUNDS] [SECONDS]
"""

import json
import multiprocessing
import os
import pathlib
import statistics
import subprocess
import sys
import time

import numpy
import torch
import torchvision
from PIL import Image

try:
    from torchvision.transforms import v2 as T
except ImportError:
    from torchvision import transforms as T

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 3.0
THREADS, BATCH, COUNT = 2, 250, 5000


def to_float() -> list:
    """From bytes to floats in [0, 1], on tensors."""
    if hasattr(T, "ToDtype"):
        return [T.ToDtype(torch.float32, scale=True)]
    return [T.ConvertImageDtype(torch.float32)]


def transform(form: str, ops: str):
    steps = [
        T.RandomResizedCrop(32, antialias=False) if form != "pil" else T.RandomResizedCrop(32),
        T.RandomHorizontalFlip(1.0),
        T.RandomApply([T.ColorJitter(0.8, 0.8, 0.8, 0.2)], 0.8),
        T.RandomGrayscale(0.2),
    ]
    if ops == "blur":
        steps.append(T.RandomApply([T.GaussianBlur(3, (0.1, 2.0))], 0.5))
    before = to_float() if form == "float" else []
    if form == "pil":
        after = [T.PILToTensor(), *to_float()]
    else:
        after = to_float() if form == "bytes" else []
    return T.Compose(before + steps + after + [T.Normalize([0.5] * 3, [0.5] * 3)])


def work(form: str, ops: str, seconds: float, seed: int, start, results) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    pixels = numpy.random.default_rng(seed).integers(0, 256, (COUNT, 32, 32, 3), dtype=numpy.uint8)
    if form == "pil":
        images = [Image.fromarray(image) for image in pixels]
    else:
        images = list(torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous())
    augment = transform(form, ops)
    torch.stack([augment(image) for image in images[:50]])
    start.wait()
    rendered, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        order = torch.randperm(COUNT)[:BATCH].tolist()
        batch = torch.stack([augment(images[at]) for at in order])
        rendered += len(batch)
    results.put(rendered / (time.perf_counter() - begin))


def torchvision_rate(form: str, ops: str) -> float:
    context = multiprocessing.get_context("fork")
    start, results = context.Barrier(THREADS), context.Queue()
    workers = [
        context.Process(target=work, args=(form, ops, SECONDS, seed, start, results))
        for seed in range(THREADS)
    ]
    for worker in workers:
        worker.start()
    rate = sum(results.get() for _ in workers)
    for worker in workers:
        worker.join()
    return rate


def our_binary() -> str:
    command = ["cargo", "bench", "-p", "afterimage-data", "--bench", "views", "--no-run", "--message-format=json"]
    lines = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    artifacts = [json.loads(line) for line in lines.splitlines() if line.startswith("{")]
    return [a["executable"] for a in artifacts if a.get("executable")][-1]


def main() -> None:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    binary = our_binary()
    print(f"torch {torch.__version__}, torchvision {torchvision.__version__}, {THREADS} cores, {ROUNDS} rounds of {SECONDS} s")
    for ops in ("plain", "blur"):
        rates = {"afterimage": [], "pil": [], "bytes": [], "float": []}
        for _ in range(ROUNDS):
            for name, seen in rates.items():
                if name == "afterimage":
                    arguments = [binary, str(THREADS), str(SECONDS), ops]
                    output = subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True)
                    seen.append(float(output.stdout))
                else:
                    seen.append(torchvision_rate(name, ops))
        print(f"\n{'crop, flip, jitter, grayscale' + (', blur' if ops == 'blur' else '')}: views/s")
        for name, seen in rates.items():
            label = name if name == "afterimage" else f"torchvision, {name}"
            print(f"  {label:20} median {statistics.median(seen):9.0f}   min {min(seen):9.0f}   max {max(seen):9.0f}")
        rounds = [ours / max(others) for ours, *others in zip(*rates.values())]
        print(f"  ratio to torchvision's fastest form: median {statistics.median(rounds):.1f}, min {min(rounds):.1f}")


if __name__ == "__main__":
    main()
