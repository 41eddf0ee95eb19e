"""The directory of a run as frames."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

import afterimage

from conftest import polar


def test_a_run_is_read_as_it_was_written(run_directory: Path) -> None:
    run = afterimage.load_run(run_directory)
    lines = [json.loads(line) for line in (run_directory / "metrics.jsonl").open()]
    metrics = run.metrics
    assert isinstance(metrics, pd.DataFrame)
    assert list(metrics) == ["tag", "epoch", "step", "author", "value"]
    assert len(metrics) == len(lines) > 0
    for at in (0, len(lines) // 2, len(lines) - 1):
        row = metrics.iloc[at]
        assert (row.tag, row.epoch, row.author) == tuple(lines[at][k] for k in ("tag", "epoch", "author"))
        assert row.value == float(lines[at]["value"])
    assert run.config["epochs"] == 2 and run.manifest["outcome"] == "completed"
    assert run.result is not None and run.result["exit_code"] == 0
    assert run.timings["value"].gt(0).any()
    assert isinstance(run.decisions, list)
    assert len(run.samples) > 0


def test_tables_hold_all_epochs(run_directory: Path) -> None:
    names = sorted(folder.name for folder in (run_directory / "tables").iterdir())
    for library in ("pandas", "polars"):
        run = afterimage.load_run(run_directory, library=library)  # type: ignore[arg-type]
        assert list(run.tables) == names and len(names) > 1
        for name in names:
            files = sorted((run_directory / "tables" / name).glob("*.parquet"))
            parts = [pl.read_parquet(file) for file in files]
            table = run.tables[name.replace(".", "/")]
            assert len(table) == sum(len(part) for part in parts)
            assert list(table.columns) == parts[0].columns
            ours = table if library == "polars" else polar(table)
            for column in parts[0].columns:
                theirs = pl.concat([part[column] for part in parts])
                if theirs.dtype != pl.List:
                    assert ours[column].cast(theirs.dtype).equals(theirs), (name, column)


def test_what_is_no_run_is_refused(tmp_path: Path, run_directory: Path) -> None:
    with pytest.raises(FileNotFoundError, match="this is no directory of a run"):
        afterimage.load_run(tmp_path)
    with pytest.raises(ValueError, match="^library: 'arrow' is not one of"):
        afterimage.load_run(run_directory, library="arrow")  # type: ignore[arg-type]
    run = afterimage.load_run(run_directory)
    with pytest.raises(KeyError, match="no table of this run; there are "):
        run.tables["absent"]


def test_epochs_are_in_order_however_many_digits_they_have(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("")
    folder = tmp_path / "tables" / "a.b"
    folder.mkdir(parents=True)
    for epoch in (2, 9_999, 10_000, 9, 10, 100_000):
        name = f"epoch-{epoch}.parquet" if epoch < 100 else f"epoch-{epoch:04}.parquet"
        pl.DataFrame({"epoch": [epoch]}).write_parquet(folder / name)
    table = afterimage.load_run(tmp_path).tables["a/b"]
    assert table["epoch"].tolist() == [2, 9, 10, 9_999, 10_000, 100_000]
