"""What several tests need: the command of the wheel, tables, and a short run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

COMMAND = Path(sys.executable).parent / "afterimage"
# The tests may be run from a copy, so that nothing but the wheel is imported.
ROOT = Path(os.environ.get("AFTERIMAGE_CHECKOUT", f"{__file__}/../../../..")).resolve()


def call(*words: object, expected: int = 0) -> subprocess.CompletedProcess[str]:
    """Runs the command, which must end with `expected`."""
    done = subprocess.run(
        [str(COMMAND), *map(str, words)], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == expected, done.stderr
    return done


def polar(frame: pd.DataFrame) -> pl.DataFrame:
    """The same columns in polars, without the index."""
    columns = {}
    for name in frame:
        cells = frame[name]
        listed = cells.dtype.kind not in "biufM"
        columns[name] = [None if c != c else c for c in cells] if listed else cells.to_numpy()
    return pl.DataFrame(columns)


@pytest.fixture(scope="session")
def table() -> pd.DataFrame:
    """300 rows with numbers, whole numbers with gaps, truths, texts, dates and ids; some labels wrong."""
    draw = np.random.default_rng(5)
    n = 300
    x = draw.normal(size=n)
    frame = pd.DataFrame(
        {
            "key": [f"row {i}" for i in range(n)],
            "x": x,
            "single": draw.normal(size=n).astype(np.float32),
            "whole": draw.integers(0, 9, size=n),
            "gaps": np.where(draw.random(n) < 0.1, np.nan, draw.integers(0, 5, size=n)),
            "truth": draw.random(n) < 0.5,
            "town": draw.choice(["Ulm", "Köln", "Bern"], size=n),
            "day": pd.Timestamp("2024-03-01") + pd.to_timedelta(draw.integers(0, 99, n), unit="D"),
            "label": np.where((x > 0) ^ (draw.random(n) < 0.1), "high", "low"),
        },
        index=pd.Index(draw.permutation(n) + 1000, name="number"),
    )
    frame.loc[frame.index[7], "town"] = None
    return frame


@pytest.fixture(scope="session")
def run_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs, made by the command of the wheel."""
    out = tmp_path_factory.mktemp("run") / "run"
    sets = [
        "epochs=2",
        "limits.train=200",
        "limits.held_out=100",
        "encoder.width=0.125",
        "evaluation.bank=100",
    ]
    flags = [word for pair in sets for word in ("--set", pair)]
    call("run", ROOT / "configs" / "quickstart.toml", "--out", out, *flags)
    return out

