"""Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

from conftest import COMMAND, ROOT

LONG = """
import numpy as np, afterimage
draw = np.random.default_rng(0)
x, y = draw.normal(size=(20_000, 40)), draw.integers(0, 5, 20_000)
print("begun", flush=True)
try:
    afterimage.value(x, y, learners=100_000)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_ends_a_valuation() -> None:
    process = subprocess.Popen([sys.executable, "-c", LONG], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=60)
    assert (told, process.returncode) == ("interrupted\n", 0)


def test_ctrl_c_ends_a_run_after_a_checkpoint(tmp_path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "run"
    words = [COMMAND, "run", ROOT / "configs" / "quickstart.toml", "--out", out]
    process = subprocess.Popen([*map(str, words), "--set", "encoder.width=0.125"], stderr=subprocess.PIPE)
    while not (out / "metrics.jsonl").exists() or not (out / "metrics.jsonl").stat().st_size:
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert b"afterimage resume" in told and any((out / "checkpoints").iterdir())
