"""Values: the same numbers as the command's, to the bit, and errors that name arguments."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import afterimage

from conftest import call, polar


def pandas_of(file: Path) -> pd.DataFrame:
    columns = pl.read_parquet(file).to_dict()
    return pd.DataFrame({name: cells.to_numpy() for name, cells in columns.items()})


def written(table: Path, out: Path, *flags: object) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows and cells that the command writes of a table."""
    call("value", table, "--learners", 60, "--out", out, *flags)
    return tuple(pandas_of(out / f"{name}.parquet") for name in ("rows", "cells"))


def assert_same_rows(values: afterimage.Values, rows: pd.DataFrame) -> None:
    """Labels that look wrong, shares and near duplicates are the command's."""
    if "suggested" in rows:
        assert values.predicted.tolist() == rows["predicted"].tolist()
        suggested = np.where(values.suspect, values.predicted, "")
        assert suggested.tolist() == rows["suggested"].tolist()
        np.testing.assert_array_equal(values.predicted_share, rows["predicted:share"])
        np.testing.assert_array_equal(values.label_share, rows["label:share"])
    else:
        np.testing.assert_array_equal(values.predicted, rows["predicted"])
        assert not values.suspect.any() and np.isnan(values.label_share).all()
    assert (values.duplicates == rows["duplicates"]).all()
    assert (values.duplicates_labels == rows["duplicates:labels"]).all()
    np.testing.assert_array_equal(values.nearest_distance, rows["nearest:distance"])
    if rows["nearest"].dtype.kind == "i":
        assert (values.nearest + 1 == rows["nearest"]).all()


def assert_same(values: afterimage.Values, rows: pd.DataFrame, cells: pd.DataFrame) -> None:
    for name, ours in {
        "data_oob": values.data_oob,
        "data_oob:se": values.data_oob_se,
        "marginal": values.marginal,
    }.items():
        assert ours.tobytes() == rows[name].to_numpy().tobytes(), name
    assert (values.data_oob_count == rows["data_oob:count"]).all()
    assert_same_rows(values, rows)
    for end, matrix in {
        "": values.cells,
        ":se": values.cells_se,
        ":contrast": values.contrast,
        ":z": values.z,
    }.items():
        theirs = cells[[name + end for name in values.columns]].to_numpy()
        np.testing.assert_array_equal(matrix.astype(np.float32), theirs)
    counts = cells[[f"{name}:count" for name in values.columns]]
    assert (values.cells_count == counts.to_numpy()).all()
    assert np.isfinite(values.data_oob).all() and np.isfinite(values.cells).any()


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_frames_and_files_have_the_same_values(
    table: pd.DataFrame, tmp_path: Path, library: str, ending: str
) -> None:
    frame = polar(table) if library == "polars" else table
    file = tmp_path / f"table.{ending}"
    if ending == "csv":
        table.to_csv(file, index=False)
    else:
        polar(table).write_parquet(file)
    rows, cells = written(file, tmp_path / "out", "--label", "label", "--id", "key")
    values = afterimage.value(frame, label="label", id="key", learners=60)
    assert values.columns == ["x", "single", "whole", "gaps", "truth", "town", "day"]
    assert_same(values, rows, cells)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_labels_and_categories_have_the_texts_that_files_give_them(
    table: pd.DataFrame, tmp_path: Path, library: str
) -> None:
    rows = len(table)
    frame = pd.DataFrame({
        "x": table["x"],
        "truth": np.arange(rows) % 3 == 0,
        "single": (np.arange(rows) % 4 / 10).astype(np.float32),
        # Ids draw what is random by their texts.
        "day": pd.Timestamp("2020-09-18") + pd.to_timedelta(np.arange(rows), unit="D"),
    })
    polar(frame).write_parquet(tmp_path / "t.parquet")
    frame = polar(frame) if library == "polars" else frame
    flags = ["--task", "classification", "--categorical", "single", "--id", "day"]
    of_file = written(tmp_path / "t.parquet", tmp_path / "out", "--label", "truth", *flags)
    values = afterimage.value(
        frame, label="truth", task="classification", categorical=["single"], id="day", learners=60
    )
    assert_same(values, *of_file)


def test_frames_keep_index_ids_and_labels(table: pd.DataFrame) -> None:
    values = afterimage.value(table, label="label", id="key", learners=20)
    rows = values.rows()
    assert rows.index.equals(table.index)
    assert list(rows) == [
        "id",
        "label",
        "data_oob",
        "data_oob:count",
        "data_oob:se",
        "marginal",
        "predicted",
        "predicted:share",
        "suggested",
        "label:share",
        "duplicates",
        "duplicates:labels",
        "nearest",
        "nearest:distance",
    ]
    assert (rows["id"] == table["key"]).all() and (rows["label"] == table["label"]).all()
    cells = values.cells_frame("z")
    assert cells.index.equals(table.index) and list(cells) == ["id", *values.columns]
    lowest = values.lowest(3)
    assert rows["data_oob"].iloc[lowest[0]] == rows["data_oob"].min()

    other = afterimage.value(polar(table), label="label", id="key", learners=20)
    frame = other.rows()
    assert isinstance(frame, pl.DataFrame) and frame["id"].to_list() == table["key"].to_list()
    assert other.rows("pandas")["data_oob"].tolist() == rows["data_oob"].tolist()


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int16", "uint8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_and_npy_files_have_the_same_values(tmp_path: Path, dtype: str, order: str) -> None:
    draw = np.random.default_rng(1)
    x = np.asarray(draw.integers(0, 200, size=(120, 4)), dtype=dtype, order=order)  # type: ignore[call-overload]
    y = (x[:, 0] > 100).astype(int)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    files = written(tmp_path / "x.npy", tmp_path / "out", "--label-file", tmp_path / "y.npy")
    assert_same(afterimage.value(x, y, learners=60), *files)
    assert_same(afterimage.value(x[:, :], list(y), learners=60), *files)


@pytest.mark.parametrize(
    ("flags", "arguments"),
    [
        (["--score", "soft", "--seed", 3, "--ratio", 0.7], {"score": "soft", "seed": 3, "ratio": 0.7}),
        (["--learner", "linear", "--penalty", 2], {"learner": "linear", "penalty": 2}),
        (["--max-depth", 2, "--max-features", "all"], {"max_depth": 2, "max_features": "all"}),
        (["--categorical", "whole", "--ignore", "x"], {"categorical": "whole", "ignore": ["x"]}),
        (["--learner", "mlp", "--hidden", 3, "--epochs", 2], {"learner": "mlp", "hidden": 3, "epochs": 2}),
    ],
)
def test_settings_are_those_of_the_command(
    table: pd.DataFrame, tmp_path: Path, flags: list[object], arguments: dict[str, object]
) -> None:
    polar(table).write_parquet(tmp_path / "t.parquet")
    files = written(tmp_path / "t.parquet", tmp_path / "out", "--label", "label", "--id", "key", *flags)
    values = afterimage.value(table, label="label", id="key", learners=60, **arguments)  # type: ignore[arg-type]
    assert_same(values, *files)


def test_regression_has_the_same_values(table: pd.DataFrame, tmp_path: Path) -> None:
    table = table.drop(columns=["key", "label"])
    polar(table).write_parquet(tmp_path / "t.parquet")
    files = written(tmp_path / "t.parquet", tmp_path / "out", "--label", "x")
    assert_same(afterimage.value(table, label="x", learners=60), *files)


def test_types_say_what_is_a_category(table: pd.DataFrame) -> None:
    told = afterimage.value(
        table.astype({"whole": "category"}), label="label", id="key", learners=20
    )
    named = afterimage.value(table, label="label", id="key", categorical="whole", learners=20)
    assert told.cells.tobytes() == named.cells.tobytes()


def test_columns_that_are_left_out_are_told(table: pd.DataFrame) -> None:
    with pytest.warns(UserWarning, match="column `key` is left out: 300 of its 300 texts"):
        values = afterimage.value(table, label="label", learners=10)
    assert "key" not in values.columns
    assert values.notes[-1].startswith("the labels are 2 classes: high, low")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"label": "label", "learners": 0}, "^learners is 0; give at least 1"),
        ({"label": "label", "learners": -1}, "^learners: -1 is not from 0"),
        ({"label": "label", "ratio": 1.5}, "^ratio is 1.5"),
        ({"label": "label", "max_depth": 0}, "^max_depth is 0"),
        ({"label": "label", "score": "best"}, "^score: \"best\" is not one of"),
        ({"label": "label", "learner": "svm"}, "^learner: \"svm\""),
        ({"label": "label", "memory": "much"}, "^memory: \"much\" is no size"),
        ({"label": "absent"}, r"^the frame: there is no column `absent` \(label\)"),
        ({"label": "label", "task": "regression"}, "task=regression needs numbers"),
        ({"label": "day", "task": "odd"}, "^task: \"odd\""),
        ({}, "^label: give either"),
        ({"labels": [1, 2, 3]}, "^labels: 3 for 300 rows"),
        ({"label": "town", "id": "key"}, "the frame, column `town`: row 8: the label is missing"),
    ],
)
def test_errors_name_arguments(table: pd.DataFrame, arguments: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        afterimage.value(table, **arguments)  # type: ignore[arg-type]


def test_other_errors(table: pd.DataFrame) -> None:
    with pytest.raises(MemoryError, match="raise memory, or lower learners or bins"):
        afterimage.value(table, label="label", id="key", memory="1kB")
    with pytest.raises(TypeError, match="^learners: a whole number is needed, not 2.5"):
        afterimage.value(table, label="label", learners=2.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="^table: a pandas or polars frame or a NumPy array"):
        afterimage.value([[1, 2]], [0, 1])
    with pytest.raises(ValueError, match="column `odd`: complex128 are not read"):
        afterimage.value(table.assign(odd=1j), label="label")
    with pytest.raises(ValueError, match="column `odd`: texts and objects of type int are mixed"):
        afterimage.value(table.assign(odd=["a", 1] * 150), label="label")
    afterimage.value(table.assign(odd=1j), label="label", id="key", ignore=["odd"], learners=5)


def test_other_threads_go_on_meanwhile() -> None:
    draw = np.random.default_rng(2)
    x, y = draw.normal(size=(4000, 8)), draw.integers(0, 2, 4000)
    ticks, done = [], threading.Event()

    def tick() -> None:
        while not done.is_set():
            ticks.append(time.monotonic())
            time.sleep(0.005)

    thread = threading.Thread(target=tick)
    thread.start()
    start = time.monotonic()
    afterimage.value(x, y, learners=600)
    end = time.monotonic()
    done.set()
    thread.join()
    # Held for the whole time, there would be at most one at each end.
    assert sum(start < at < end for at in ticks) > 5
