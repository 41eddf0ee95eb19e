"""Coresets: the command's choice, and the estimator."""

from __future__ import annotations

import datetime
import inspect
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import afterimage
from afterimage import FacilityLocation

from conftest import call, polar


@pytest.fixture(scope="module")
def embeddings() -> NDArray[np.float32]:
    draw = np.random.default_rng(3)
    centres = draw.normal(size=(12, 16)) * 4
    rows = centres[draw.integers(0, 12, 400)] + draw.normal(size=(400, 16))
    return rows.astype(np.float32)


def written(out: Path, *words: object) -> NDArray[np.void]:
    call("select", *words, "--out", out)
    chosen: NDArray[np.void] = np.load(out / "coreset.npy")
    return chosen


@pytest.mark.parametrize(
    ("flags", "arguments"),
    [
        (["--count", 40], {"k": 40}),
        (["--fraction", 0.1, "--weights", "none"], {"fraction": 0.1, "weights": "none"}),
        (["--count", 30, "--strategy", "centrality"], {"k": 30, "strategy": "centrality"}),
        (["--count", 30, "--strategy", "craig"], {"k": 30, "strategy": "craig"}),
        (["--count", 30, "--strategy", "k-centre", "--seed", 4], {"k": 30, "strategy": "k-centre", "seed": 4}),
        (["--count", 30, "--clusters", 3], {"k": 30, "clusters": 3}),
        (["--count", 30, "--greedy", "stochastic"], {"k": 30, "greedy": "stochastic"}),
        (["--count", 30, "--storage", "sparse"], {"k": 30, "storage": "sparse"}),
        (["--count", 30, "--weights", "radius", "--radius", 3], {"k": 30, "weights": "radius", "radius": 3}),
    ],
)
def test_the_choice_is_that_of_the_command(
    embeddings: NDArray[np.float32], tmp_path: Path, flags: list[object], arguments: dict[str, object]
) -> None:
    np.save(tmp_path / "x.npy", embeddings)
    chosen = written(tmp_path / "out", tmp_path / "x.npy", *flags)
    coreset = afterimage.select(embeddings, **arguments)  # type: ignore[arg-type]
    assert coreset.indices.tolist() == chosen["index"].tolist()
    assert coreset.weights.tobytes() == chosen["weight"].tobytes()


def test_labels_and_scores_are_understood_like_the_command_does(
    embeddings: NDArray[np.float32], tmp_path: Path
) -> None:
    np.save(tmp_path / "x.npy", embeddings.astype(np.float64))
    draw = np.random.default_rng(8)
    for labels in (draw.integers(-3, 12, 400), draw.choice(["b", "a", "ö", "c 2"], 400)):
        pl.DataFrame({"label": labels}).write_parquet(tmp_path / "y.parquet")
        out = tmp_path / str(labels.dtype)
        flags = ["--labels", tmp_path / "y.parquet", "--count", 50]
        chosen = written(out, tmp_path / "x.npy", *flags)
        for form in (labels, list(labels), pd.Series(labels), pl.Series(labels)):
            coreset = afterimage.select(embeddings.astype(np.float64), form, k=50)
            assert coreset.indices.tolist() == chosen["index"].tolist()
    scores = draw.random(400)
    np.save(tmp_path / "s.npy", scores)
    flags = ["--strategy", "memorization", "--layermem", tmp_path / "s.npy", "--count", 20]
    chosen = written(tmp_path / "scores", tmp_path / "x.npy", *flags)
    coreset = afterimage.select(embeddings, strategy="memorization", layermem=scores, k=20)
    assert coreset.indices.tolist() == chosen["index"].tolist()
    np.save(tmp_path / "l.npy", scores)
    flags = ["--strategy", "small-loss", "--losses", tmp_path / "l.npy", "--count", 20]
    chosen = written(tmp_path / "losses", tmp_path / "x.npy", *flags)
    coreset = afterimage.select(embeddings, strategy="small-loss", losses=scores, k=20)
    assert coreset.indices.tolist() == chosen["index"].tolist()


def test_frames_and_arrays_of_any_layout_choose_the_same(embeddings: NDArray[np.float32]) -> None:
    expected = afterimage.select(embeddings, k=9).indices.tolist()
    frame = pd.DataFrame(embeddings, index=[f"r{i}" for i in range(400)])
    coreset = afterimage.select(frame, k=9)
    assert coreset.indices.tolist() == expected
    assert list(coreset.index) == [f"r{i}" for i in expected]
    assert coreset.take(frame).equals(frame.iloc[expected])
    assert afterimage.select(pl.DataFrame(embeddings), k=9).indices.tolist() == expected
    assert afterimage.select(np.asfortranarray(embeddings), k=9).indices.tolist() == expected
    twice = np.repeat(embeddings, 2, axis=1)
    assert afterimage.select(twice[:, ::2], k=9).indices.tolist() == expected
    with pytest.warns(UserWarning, match="column `id` is left out: it numbers the rows"):
        named = pd.DataFrame(embeddings).assign(id=range(400))
        assert afterimage.select(named, k=9).indices.tolist() == expected
    with pytest.warns(UserWarning, match="^X: single precision tells 1 of .* column 0 apart, .* 16 of 16"):
        afterimage.select(embeddings.astype(np.float64) * 1e-9 + 1e3, k=2)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_are_read_as_their_parquet_files(tmp_path: Path, library: str) -> None:
    draw = np.random.default_rng(4)
    n = 90
    moments = np.datetime64("2024-03-01T00:00") + draw.integers(0, 10**6, n).astype("timedelta64[m]")
    frame = pl.DataFrame(
        {
            "epoch": np.full(n, 3),
            "step": np.full(n, 40),
            "user_id": draw.permutation(n),
            "day": moments.astype("datetime64[D]"),
            "at": moments.astype("datetime64[us]"),
            "x": draw.normal(size=n) * 300,
            "huge": draw.integers(0, 2**60, n),
            "left": draw.normal(size=n) * 1e6,
        }
    ).with_columns(pl.col("huge") // 2**50)
    frame.write_parquet(tmp_path / "x.parquet")
    chosen = written(tmp_path / "out", tmp_path / "x.parquet", "--count", 12, "--ignore", "left")
    columns = {name: frame[name].to_numpy() for name in frame.columns}
    given = pd.DataFrame(columns) if library == "pandas" else frame
    with pytest.warns(UserWarning) as told:
        coreset = afterimage.select(given, k=12, ignore="left")
    assert coreset.indices.tolist() == chosen["index"].tolist()
    words = [str(warning.message) for warning in told]
    assert words == [
        "columns `epoch`, `step` are left out: each says when a run wrote the row; rename it if it says "
        "more than that",
        "column `user_id` is left out: it numbers the rows; rename it if it says more than that",
    ]
    with pytest.warns(UserWarning):
        assert afterimage.select(given, k=12, ignore=[8]).indices.tolist() == chosen["index"].tolist()
    # What is left of a table that has nothing else is what is asked for.
    clock = given[["epoch", "step"]]
    assert len(afterimage.select(clock, k=1)) == 1
    assert len(afterimage.select(given[["user_id"]], k=1)) == 1


def test_gaps_are_named(embeddings: NDArray[np.float32]) -> None:
    days = pd.to_datetime(["2024-01-01", None, "2024-01-03"])
    words = r"^X: column `day` has no value in row 2 \(sample 1\); a coreset needs every one"
    with pytest.raises(ValueError, match=words):
        afterimage.select(pd.DataFrame({"day": days}), k=1)
    with pytest.raises(ValueError, match=words):
        afterimage.select(pl.DataFrame({"day": [datetime.date(2024, 1, 1), None, datetime.date(2024, 1, 3)]}), k=1)
    with pytest.raises(ValueError, match="^X: column `y` has no value in row 1"):
        afterimage.select(pd.DataFrame({"x": [1.0, 2.0], "y": [np.nan, 1.0]}), k=1)
    x = embeddings[:3]
    for labels in (
        np.array(["2024-01-01", "NaT", "2024-01-03"], dtype="datetime64[D]"),
        pd.Series(days),
        pl.Series([1, None, 2]),
        [1.0, float("nan"), 2.0],
        ["a", None, "b"],
    ):
        with pytest.raises(ValueError, match="^labels: sample 1 has none"):
            afterimage.select(x, labels, k=2)


def test_lists_are_rows(embeddings: NDArray[np.float32]) -> None:
    rows = embeddings.tolist()
    coreset = afterimage.select(rows, k=9)
    assert coreset.indices.tolist() == afterimage.select(embeddings, k=9).indices.tolist()
    assert coreset.take(rows) == [rows[place] for place in coreset.indices]
    assert coreset.take(pd.Series(range(400))).tolist() == coreset.indices.tolist()
    whole = afterimage.select([[0, 5], [1, 5], [9, 5]], k=1, ignore="2")
    assert whole.indices.tolist() == [1]
    with pytest.raises(ValueError, match="^X: its rows are not of one length"):
        afterimage.select([[1.0, 2.0], [3.0]], k=1)


def test_columns_that_are_not_there_cannot_be_ignored(embeddings: NDArray[np.float32]) -> None:
    with pytest.raises(ValueError, match="^ignore: there is no column `17`; its columns are numbered 1 to 16"):
        afterimage.select(embeddings, k=3, ignore=["17"])
    with pytest.raises(ValueError, match="^ignore: there is no column `c`; its columns are a, b"):
        afterimage.select(pd.DataFrame({"a": [1, 2], "b": [1, 2]}), k=1, ignore="c")


def test_advice_fits_the_type() -> None:
    for cells, words in (
        ([datetime.date(2024, 1, 1)] * 2, "column `x`: objects of type date are not read; make them moments"),
        ([Decimal(1), Decimal(2)], "column `x`: objects of type Decimal are not read; make them float64"),
        ([[1.0], [2.0]], "column `x`: objects of type list are not read; give each of their parts as a column"),
        (pd.to_timedelta([1, 2], unit="D"), r"column `x`: timedelta64\[.*\] are not read; make them numbers"),
        ([1, datetime.date(2024, 1, 1)], "column `x`: numbers and objects of type date are mixed"),
    ):
        with pytest.raises(ValueError, match=words):
            afterimage.select(pd.DataFrame({"x": pd.Series(cells)}), k=1)
    with pytest.raises(ValueError, match="labels: objects of type date are not read; make them moments, as "
                                         "pandas.to_datetime does$"):
        afterimage.select([[1.0], [2.0]], [datetime.date(2024, 1, 1)] * 2, k=1)


def test_defaults_are_those_of_the_command() -> None:
    told = " ".join(call("select", "--help").stdout.split())
    greedy = inspect.signature(FacilityLocation).parameters
    assert f"By default `{greedy['optimizer'].default}`" in told
    assert f"by default {greedy['epsilon'].default}" in told
    ours = inspect.signature(afterimage.select).parameters
    assert f"[default: {ours['strategy'].default}]" in told
    assert f"Seed of random choices [default: {ours['seed'].default}]" in told
    assert greedy["random_state"].default == ours["seed"].default
    # All else is left to the library, as the command leaves it.
    given = {"X", "ignore", "strategy", "seed"}
    assert all(one.default is None for name, one in ours.items() if name not in given)


def test_owners_and_cost_fit_each_other(embeddings: NDArray[np.float32]) -> None:
    coreset = afterimage.select(embeddings, k=25)
    far = np.linalg.norm(embeddings[:, None] - embeddings[coreset.indices][None], axis=2)
    np.testing.assert_allclose(coreset.cost, far.min(axis=1).sum(), rtol=1e-5)
    np.testing.assert_array_equal(coreset.owners, far.argmin(axis=1))
    assert coreset.weights.sum() == 400


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "^k: give either"),
        ({"k": 0}, "^k: must be at least 1"),
        ({"k": 401}, "^k: 401 of 400 samples"),
        ({"fraction": 2.0}, r"^fraction: 2 is not in \(0, 1\]"),
        ({"k": 3, "strategy": "best"}, "^strategy: 'best' is not one of 'facility-location'"),
        ({"k": 3, "strategy": "glister"}, "^strategy: 'glister' is not one of"),
        ({"k": 3, "strategy": "small-loss"}, "^strategy: 'small-loss' needs losses"),
        ({"k": 3, "losses": [0.0] * 400}, "^losses: is for strategy='small-loss' alone"),
        ({"k": 3, "labels": [1, 2]}, "^labels: 2 for 400 samples"),
        ({"k": 3, "labels": [0.5] * 400}, "^labels: the label 0.5 of sample 0 is no whole number"),
        ({"k": 3, "memory": "much"}, "^memory: "),
        ({"k": 3, "storage": "disk"}, "^storage: \"disk\" is not one of"),
        ({"k": 3, "threads": 0}, "^threads: 0 is not in"),
        ({"k": 3, "greedy": "stochastic", "epsilon": 2.0}, "^epsilon: 2 is not in"),
        ({"k": 3, "cap": 0.5, "weights": "none"}, "^cap: is for weights='cluster-size' alone"),
    ],
)
def test_errors_name_arguments(
    embeddings: NDArray[np.float32], arguments: dict[str, object], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        afterimage.select(embeddings, **arguments)  # type: ignore[arg-type]


def test_broken_matrices_are_refused(embeddings: NDArray[np.float32]) -> None:
    broken = embeddings.copy()
    broken[7, 2] = np.nan
    with pytest.raises(ValueError, match="^X: 1 of 400 samples hold values that are not finite: 7"):
        afterimage.select(broken, k=3)
    with pytest.raises(ValueError, match=r"^X: one row a sample is needed, \[n, d\]"):
        afterimage.select(embeddings.reshape(20, 20, 16), k=3)
    with pytest.raises(ValueError, match="^X: column `word` holds texts"):
        afterimage.select(pd.DataFrame({"word": ["a", "b"]}), k=1)
    with pytest.raises(TypeError, match="^X: numbers are needed"):
        afterimage.select(np.array([["a"], ["b"]]), k=1)
    with pytest.raises(MemoryError, match="memory"):
        afterimage.select(embeddings, k=3, memory="1kB")


def test_the_estimator_keeps_the_conventions(embeddings: NDArray[np.float32]) -> None:
    selector = FacilityLocation(n_samples=30).fit(embeddings)
    coreset = afterimage.select(embeddings, k=30)
    assert selector.ranking_.tolist() == coreset.indices.tolist()
    assert (selector.cost_, selector.n_features_in_) == (coreset.cost, 16)
    np.testing.assert_allclose(selector.gains_.sum(), coreset.objective, rtol=1e-9)
    assert (np.diff(selector.gains_) <= 1e-3).all() and (selector.gains_ >= 0).all()
    # A shorter choice is the beginning of a longer one.
    assert FacilityLocation(n_samples=5).fit(embeddings).ranking_.tolist() == coreset.indices[:5].tolist()

    np.testing.assert_array_equal(selector.transform(embeddings), embeddings[coreset.indices])
    frame = pd.DataFrame(embeddings).add_prefix("f")
    assert FacilityLocation(30).fit_transform(frame).equals(frame.iloc[coreset.indices])
    other = polar(frame)
    assert FacilityLocation(30).fit_transform(other).equals(other[coreset.indices])
    fitted = FacilityLocation(30).fit(frame)
    assert fitted.get_feature_names_out().tolist() == [f"f{i}" for i in range(16)]

    copy = clone(selector)
    assert copy.get_params() == selector.get_params() and not hasattr(copy, "ranking_")
    assert copy.set_params(n_samples=3) is copy and repr(copy) == "FacilityLocation(n_samples=3)"
    pipeline = make_pipeline(StandardScaler(), FacilityLocation(n_samples=7))
    assert pipeline.fit_transform(embeddings).shape == (7, 16)
    pipeline.set_params(facilitylocation__n_samples=4)
    assert pipeline.fit_transform(embeddings).shape == (4, 16)
    assert "FacilityLocation" in repr(pipeline)

    for wrong, words in (
        ({"n_samples": 401}, "^n_samples: 401 of 400 rows"),
        ({"optimizer": "two-stage"}, "^optimizer: 'two-stage' is not one of"),
        ({"n_jobs": 0}, "^n_jobs: 0 is not from 1"),
    ):
        with pytest.raises(ValueError, match=words):
            FacilityLocation(**wrong).fit(embeddings)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="^n: no parameter"):
        selector.set_params(n=3)
    with pytest.raises(ValueError, match="is not fitted"):
        FacilityLocation().transform(embeddings)
    with pytest.raises(ValueError, match="^X: 10 rows, and 400 were fitted"):
        selector.transform(embeddings[:10])
