"""Coresets of a matrix of embeddings."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _frames, _native
from ._arguments import maybe_whole, names, one_of, real, whole

_GREEDY = ("event-driven", "naive", "lazy", "stochastic")
_WEIGHTS = ("cluster-size", "radius", "none")

# Rows that are looked at for numbers that single precision cannot tell apart.
_SAMPLE = 512


@dataclass(frozen=True, eq=False)
class Coreset:
    """Chosen rows of a matrix of `n` rows.

    Attributes
    ----------
    indices : int64 [k]
        Places of the chosen rows, in the order of choice, class after class.
    weights : float64 [k]
        The weight of each.
    owners : int64 [n]
        For each row the place in `indices` of the nearest chosen one of its class; -1 in a class of
        which nothing was chosen.
    cost : float
        Sum over the rows of the distance to the nearest chosen one of their class; infinite if a class
        has none.
    objective : float
        Facility location: sum of d0 minus that distance, d0 the largest distance of the class.
    index : object
        What a pandas frame's index calls the chosen rows; `None` for anything else.
    storage : str
        How distances were held.
    build_seconds, select_seconds : float
        Wall seconds until distances were there, and of the choice.
    """

    indices: NDArray[np.int64]
    weights: NDArray[np.float64]
    owners: NDArray[np.int64]
    cost: float
    objective: float
    index: Any
    storage: str
    build_seconds: float
    select_seconds: float

    def __len__(self) -> int:
        return len(self.indices)

    def __repr__(self) -> str:
        return f"Coreset({len(self)} of {len(self.owners)} rows, cost {self.cost:.6g})"

    def take(self, rows: Any) -> Any:
        """The chosen rows of a frame, an array or a list with one row for each of the matrix `[n, ...]`."""
        if len(rows) != len(self.owners):
            raise ValueError(f"rows: {len(rows)}, and the coreset is of {len(self.owners)}")
        return _frames.rows_of(rows, self.indices)


def matrix(x: Any, ignore: Sequence[str] = ()) -> NDArray[np.float32]:
    """`X` as rows of float32 behind each other `[n, d]`; such an array comes back as it is.

    Columns of `ignore`, by name or by number from 1, are left out.
    """
    if _frames.library_of(x) in ("pandas", "polars"):
        return _of_frame(x, ignore)
    if hasattr(x, "toarray"):
        raise TypeError("X: sparse matrices are not read; make it dense with toarray()")
    try:
        array = np.asarray(x)
    except ValueError:
        raise ValueError("X: its rows are not of one length; one row a sample is needed, [n, d]") from None
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise ValueError(f"X: one row a sample is needed, [n, d], not an array of shape {array.shape}")
    if array.dtype.kind not in "biuf":
        raise TypeError(f"X: numbers are needed, not {array.dtype}")
    left_out = _places(ignore, [], array.shape[1])
    if left_out:
        array = np.delete(array, sorted(left_out), axis=1)
    if 0 in array.shape:
        raise ValueError(f"X: there are no values in {array.shape[0]} rows of {array.shape[1]} columns")
    with np.errstate(over="ignore"):
        single = np.require(array, np.float32, ["C_CONTIGUOUS", "ALIGNED"])
    if array.dtype.itemsize > 2 and array.dtype != np.float32:
        _warn_of_blur([array[:_SAMPLE, at] for at in range(array.shape[1])], single)
    return single


def _places(ignore: Sequence[str], names: Sequence[str], width: int) -> set[int]:
    """Places of columns that are told by name, or by number from 1."""
    places = set()
    for name in ignore:
        if name in names:
            places.add(names.index(name))
        elif name.isdecimal() and 1 <= int(name) <= width:
            places.add(int(name) - 1)
        else:
            told = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
            told = told or f"numbered 1 to {width}"
            raise ValueError(f"ignore: there is no column `{name}`; its columns are {told}")
    return places


def _of_frame(frame: Any, ignore: Sequence[str]) -> NDArray[np.float32]:
    """The columns of a frame as its Parquet file would be read: dates as days, without those that say
    which row this is or when a run wrote it."""
    names = _frames.frame_names(frame)
    left_out = {names[at] for at in _places(ignore, names, len(names))}
    taken = [one for one in _frames.columns(frame, left_out)[0] if one[0] not in left_out]
    clock = [one[0] for one in taken if _native.names_clock(one[0])]
    if len(clock) < len(taken):
        _warn_left_out(clock, "says when a run wrote the row")
        taken = [one for one in taken if one[0] not in clock]
    exact = {name: _exact(name, cells, per_day) for name, cells, per_day in taken}
    ids = [name for name, cells in exact.items() if _native.names_rows(name) and _numbers_rows(cells)]
    if len(ids) < len(exact):
        for name in ids:
            _warn_left_out([name], "numbers the rows")
            del exact[name]
    if not exact or not len(frame):
        raise ValueError(f"X: there are no values in {len(frame)} rows of {len(exact)} columns")
    single = np.empty((len(frame), len(exact)), dtype=np.float32)
    with np.errstate(over="ignore"):
        for at, cells in enumerate(exact.values()):
            single[:, at] = cells
    _warn_of_blur([cells[:_SAMPLE] for cells in exact.values()], single, level=5)
    return single


def _exact(name: str, cells: object, per_day: float | None) -> NDArray[Any]:
    """A column as numbers, every one of which is there."""
    if not isinstance(cells, np.ndarray):
        raise ValueError(f"X: column `{name}` holds texts; a coreset needs numbers alone; leave it out")
    numbers = cells if per_day is None else _frames.days(cells, per_day)
    gaps = np.flatnonzero(np.isnan(numbers)) if numbers.dtype.kind == "f" else np.empty(0)
    if gaps.size:
        raise ValueError(
            f"X: column `{name}` has no value in row {gaps[0] + 1} (sample {gaps[0]}); a coreset needs every one"
        )
    return numbers


def _warn_left_out(names: list[str], why: str) -> None:
    if not names:
        return
    column, is_, it = ("column", "is", "it") if len(names) == 1 else ("columns", "are", "each")
    told = ", ".join(f"`{name}`" for name in names)
    warnings.warn(
        f"{column} {told} {is_} left out: {it} {why}; rename it if it says more than that",
        UserWarning,
        stacklevel=5,
    )


def _numbers_rows(cells: NDArray[Any]) -> bool:
    whole_numbers = cells.dtype.kind in "iu" or bool(np.all(np.mod(cells, 1) == 0))
    return whole_numbers and len(np.unique(cells)) == len(cells)


def _warn_of_blur(exact: list[NDArray[Any]], single: NDArray[np.float32], level: int = 4) -> None:
    """Warns of columns, by their first numbers, whose numbers single precision does not tell apart."""
    blurred = []
    for at, numbers in enumerate(exact):
        shown = single[: len(numbers), at]
        told, there = len(np.unique(shown)), len(np.unique(numbers))
        if told < there and np.isfinite(shown).all():
            blurred.append((at, told, there))
    if blurred:
        at, told, there = blurred[0]
        warnings.warn(
            f"X: single precision tells {told} of the first {there} different numbers of column {at} apart, "
            f"and not all of {len(blurred)} of {len(exact)} columns; subtract a common start before",
            UserWarning,
            stacklevel=level,
        )


def _classes(labels: Any, samples: int) -> NDArray[np.uint32]:
    """The place of each label among all labels in ascending order."""
    (_, cells, per_day), _ = _frames.column("labels", labels, what="labels")
    if len(labels) != samples:
        raise ValueError(f"labels: {len(labels)} for {samples} samples; give one a sample")
    gaps: NDArray[np.bool_] = np.zeros(samples, dtype=np.bool_)
    if isinstance(cells, list):
        gaps = np.array([cell is None for cell in cells], dtype=np.bool_)
    elif isinstance(cells, np.ndarray):
        if per_day is not None:
            gaps = _frames.without_time(cells)
        elif cells.dtype.kind == "f":
            gaps = np.isnan(cells)
    if gaps.any():
        raise ValueError(f"labels: sample {int(np.argmax(gaps))} has none")
    if isinstance(cells, np.ndarray) and cells.dtype.kind == "f":
        broken = np.flatnonzero(~(np.mod(cells, 1) == 0) | (np.abs(cells) >= 9e15))
        if broken.size:
            at = int(broken[0])
            raise ValueError(f"labels: the label {cells[at]} of sample {at} is no whole number")
    listed = cells if isinstance(cells, np.ndarray) else np.array(cells, dtype=np.str_)
    return np.unique(listed, return_inverse=True)[1].reshape(-1).astype(np.uint32)


def _scores(name: str, scores: ArrayLike, samples: int, dtype: type) -> NDArray[Any]:
    array = np.ascontiguousarray(np.asarray(scores, dtype=np.float64).reshape(-1))
    if len(array) != samples:
        raise ValueError(f"{name}: {len(array)} numbers for {samples} samples; give one a sample")
    broken = np.flatnonzero(~np.isfinite(array))
    if broken.size:
        raise ValueError(f"{name}: that of sample {broken[0]} is {array[broken[0]]}; all must be finite")
    return array.astype(dtype)


def _refuse_unused(strategy: str, greedy: str | None, given: dict[str, object]) -> None:
    """Refuses arguments that the strategy would not look at."""
    leans = strategy == "memorization"
    remembers = leans or strategy == "memorization-alone"
    remembering = "is for the strategies 'memorization' and 'memorization-alone' alone"
    locates = strategy in ("facility-location", "craig")
    weighs = strategy in ("craig", "grad-match")
    rules = [
        ("layermem", remembers, remembering),
        ("unitmem", remembers, remembering),
        ("prefer", remembers, remembering),
        ("bonus", leans, "is for strategy='memorization' alone"),
        ("losses", strategy == "small-loss", "is for strategy='small-loss' alone"),
        ("greedy", locates, "is for the strategies 'facility-location' and 'craig' alone"),
        ("epsilon", greedy == "stochastic", "is for greedy='stochastic' alone"),
        ("memory", locates or leans, "is about distances, which this strategy holds none of"),
        ("storage", locates or leans, "is about distances, which this strategy holds none of"),
        ("weights", not weighs, f"cannot be chosen: {strategy!r} weighs by its own rule"),
        ("cap", not weighs, f"cannot be set: {strategy!r} weighs by its own rule"),
        ("cap", given["weights"] in (None, "cluster-size"), "is for weights='cluster-size' alone"),
        ("radius", given["weights"] == "radius", "is for weights='radius' alone"),
        ("clusters", given["labels"] is None, "cannot be set beside labels"),
    ]
    for name, looked_at, why in rules:
        if given[name] is not None and not looked_at:
            raise ValueError(f"{name}: {why}")
    if remembers and given["layermem"] is None and given["unitmem"] is None:
        raise ValueError(f"strategy: {strategy!r} needs layermem, unitmem or both")
    if strategy == "small-loss" and given["losses"] is None:
        raise ValueError("strategy: 'small-loss' needs losses")
    if given["weights"] == "radius" and given["radius"] is None:
        raise ValueError("radius: weights='radius' needs one")


def select(
    X: Any,
    labels: Any = None,
    *,
    k: int | None = None,
    fraction: float | None = None,
    ignore: list[str] | tuple[str, ...] | str = (),
    strategy: str = "facility-location",
    losses: ArrayLike | None = None,
    layermem: ArrayLike | None = None,
    unitmem: ArrayLike | None = None,
    prefer: Literal["memorized", "typical"] | None = None,
    bonus: float | None = None,
    greedy: Literal["event-driven", "naive", "lazy", "stochastic"] | None = None,
    epsilon: float | None = None,
    weights: Literal["cluster-size", "radius", "none"] | None = None,
    cap: float | None = None,
    radius: float | None = None,
    clusters: int | None = None,
    memory: str | None = None,
    storage: Literal["dense", "half", "matrix-free", "sparse"] | None = None,
    threads: int | None = None,
    seed: int = 0,
) -> Coreset:
    """Chooses a coreset: rows that stand for all rows.

    The choice is that of `afterimage select` on the same npy file. A float32 array in C order is read
    where it lies, and must not be written to meanwhile; others are copied.

    Parameters
    ----------
    X : array [n, d], list of rows, pandas.DataFrame or polars.DataFrame
        One row a sample: embeddings, features, or proxies of the gradient. Distances are Euclidean, in
        single precision. Dates of frames are days; columns that are ids by name, and a run's `epoch` and
        `step`, are left out with a warning.
    labels : sequence [n], optional
        One label a row; each class is then selected from apart.
    k : int, optional
        How many rows are chosen.
    fraction : float, optional
        The part of the rows that is chosen, in (0, 1], in place of `k`.
    ignore : list of str
        Columns of `X` to leave out, by name or by number from 1.
    strategy : str
        What is chosen by: 'facility-location' (Eq. 5 of CRUST), 'centrality' (CRUST as released),
        'craig', 'k-centre', 'herding', 'prototypes', 'prototypes-easy', 'graph-cut', 'sas', 'random', ...
    losses : array [n], optional
        For 'small-loss'.
    layermem, unitmem : array [n], optional
        How much each sample was memorized, for 'memorization' and 'memorization-alone'; with both, the mean
        of their ranks counts.
    prefer : 'memorized' or 'typical', optional
        What 'memorization' leans towards, and 'memorization-alone' chooses; by default 'memorized'.
    bonus : float, optional
        What the most preferred sample is worth beside what it covers; by default 0.2.
    greedy : 'event-driven', 'naive', 'lazy' or 'stochastic', optional
        How facility location finds the next row; all but 'stochastic' choose the same.
    epsilon : float, optional
        What 'stochastic' may lose of the best value on average, in (0, 1); by default 0.01.
    weights : 'cluster-size', 'radius' or 'none', optional
        Weights of the chosen: rows nearest to each, rows within `radius`, or 1.
    cap : float, optional
        Cut cluster sizes at this quantile, in (0, 1].
    radius : float, optional
        The distance of `weights='radius'`.
    clusters : int, optional
        Select from each of this many k-means clusters apart.
    memory : str, optional
        Memory for distances, as '512MB', beside `X` and the interpreter; by default 2GiB.
    storage : 'dense', 'half', 'matrix-free' or 'sparse', optional
        How distances are held, whatever `memory` would choose; 'half' and 'sparse' approximate.
    threads : int, optional
        Threads, all cores by default; the choice does not depend on them.
    seed : int
        Seed of random choices.

    Returns
    -------
    Coreset

    Raises
    ------
    ValueError
        An argument out of its range, or one that the strategy would not look at.
    MemoryError
        A memory in which nothing fits.

    Examples
    --------
    >>> import numpy as np, afterimage
    >>> line = np.array([[0.0], [1.0], [9.0], [10.0], [11.0]], dtype=np.float32)
    >>> afterimage.select(line, k=2).indices.tolist()
    [2, 0]
    """
    if (k is None) == (fraction is None):
        raise ValueError("k: give either k, a number of rows, or fraction, a part of them")
    one_of("strategy", strategy, _native.strategies())
    for name, word, words in (
        ("greedy", greedy, _GREEDY),
        ("weights", weights, _WEIGHTS),
        ("prefer", prefer, ("memorized", "typical")),
    ):
        if word is not None:
            one_of(name, word, words)
    given = {
        "labels": labels,
        "losses": losses,
        "layermem": layermem,
        "unitmem": unitmem,
        "prefer": prefer,
        "bonus": bonus,
        "greedy": greedy,
        "epsilon": epsilon,
        "weights": weights,
        "cap": cap,
        "radius": radius,
        "clusters": clusters,
        "memory": memory,
        "storage": storage,
    }
    _refuse_unused(strategy, greedy, given)
    rows = matrix(X, names("ignore", ignore))
    told = {"layermem": layermem, "unitmem": unitmem}
    chosen = choose(
        rows,
        labels=None if labels is None else _classes(labels, len(rows)),
        losses=None if losses is None else _scores("losses", losses, len(rows), np.float32),
        memorization=[
            _scores(name, scores, len(rows), np.float64)
            for name, scores in told.items()
            if scores is not None
        ],
        k=maybe_whole("k", k),
        fraction=None if fraction is None else real("fraction", fraction),
        strategy=strategy,
        greedy=greedy,
        epsilon=None if epsilon is None else real("epsilon", epsilon),
        weights=weights,
        cap=None if cap is None else real("cap", cap),
        radius=None if radius is None else real("radius", radius),
        clusters=maybe_whole("clusters", clusters),
        prefer=prefer,
        bonus=None if bonus is None else real("bonus", bonus),
        memory=memory,
        storage=storage,
        threads=maybe_whole("threads", threads),
        seed=whole("seed", seed),
    )
    chosen.pop("gains")
    index = X.index[chosen["indices"]] if _frames.library_of(X) == "pandas" else None
    return Coreset(index=index, **chosen)


_ARGUMENTS = (
    "labels",
    "losses",
    "k",
    "fraction",
    "strategy",
    "greedy",
    "epsilon",
    "weights",
    "cap",
    "radius",
    "clusters",
    "prefer",
    "bonus",
    "memory",
    "storage",
    "threads",
    "seed",
)


def choose(rows: NDArray[np.float32], **arguments: Any) -> dict[str, Any]:
    """The extension module's choice; what is not told, or `None`, is as the command has it."""
    untold: dict[str, Any] = {**dict.fromkeys(_ARGUMENTS), "memorization": [], "gains": False}
    return _native.select(rows, {**untold, **arguments})
