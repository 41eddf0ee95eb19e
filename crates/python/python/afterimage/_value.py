"""Values of the rows and cells of a table."""

from __future__ import annotations

import warnings
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from . import _frames, _native
from ._arguments import maybe_whole, names, one_of, real, whole
from ._frames import Column, Library

Cell = Literal["value", "count", "se", "contrast", "contrast_se", "z"]


class Values:
    """Values of a table of `n` rows and `d` columns, in the order of the table.

    Near duplicates are looked for when `duplicates`, `nearest` or `rows` is first asked for.

    Attributes
    ----------
    data_oob : float64 [n]
        Data-OOB: the mean score over the learners that have not seen the row. The lower, the more its
        label is contradicted. NaN where every learner has seen it.
    data_oob_se : float64 [n]
        Standard error of `data_oob` over learners.
    data_oob_count : uint32 [n]
        How many learners these are.
    marginal : float64 [n]
        The mean of the row's cell values.
    columns : list of str [d]
        Names of the columns with values, in the order of `cells`.
    index : object
        The index of a pandas frame; `None` otherwise.
    ids : object
        The column `id` as it was handed over; `None` without one.
    labels : object
        The labels as they were handed over.
    notes : list of str
        What was decided about the table; the last one says how the labels were understood.
    """

    def __init__(
        self, valued: _native.Valued, library: Library, index: object, ids: object, labels: object
    ) -> None:
        self._valued = valued
        self._library = library
        self.index = index
        self.ids = ids
        self.labels = labels
        self.columns = valued.columns()
        self.notes = valued.notes()
        self.data_oob, self.data_oob_se, self.data_oob_count, self.marginal = valued.rows()

    @cached_property
    def _said(self) -> tuple[NDArray[Any], ...]:
        return self._valued.said()

    @cached_property
    def _near(self) -> tuple[NDArray[Any], ...]:
        return self._valued.near()

    @property
    def suspect(self) -> NDArray[np.bool_]:
        """Whether the label looks wrong `[n]`; `predicted` is then the suggestion. False for numbers."""
        return self._said[4]

    @cached_property
    def predicted(self) -> NDArray[Any]:
        """What learners say that have not seen the row `[n]`: the text of a class (None without one), or a
        number.
        """
        classes = self._valued.classes()
        if classes is None:
            return self._said[3]
        names = np.array([*classes[1], None], dtype=object)
        predicted: NDArray[Any] = names[self._said[0]]
        return predicted

    @property
    def predicted_share(self) -> NDArray[np.float64]:
        """The share of these learners that say the predicted class `[n]`, in [0, 1]; NaN for numbers."""
        return self._said[1]

    @property
    def label_share(self) -> NDArray[np.float64]:
        """The share of these learners that say the label `[n]`, in [0, 1]; NaN for numbers."""
        return self._said[2]

    @property
    def duplicates(self) -> NDArray[np.uint32]:
        """The number of the row's set of near duplicates `[n]`, from 1; 0 for a row without any."""
        return self._near[0]

    @property
    def duplicates_labels(self) -> NDArray[np.uint32]:
        """How many different labels the row's set has `[n]`; 0 for a row without one."""
        return self._near[1]

    @property
    def nearest(self) -> NDArray[np.int64]:
        """The place of the nearest other row `[n]`, from 0; -1 where none was looked for."""
        return self._near[2]

    @property
    def nearest_distance(self) -> NDArray[np.float64]:
        """How far the nearest other row is `[n]`, in standard deviations of a column; NaN without one."""
        return self._near[3]

    @cached_property
    def _cells(self) -> tuple[NDArray[Any], ...]:
        return self._valued.cells()

    @property
    def cells(self) -> NDArray[np.float64]:
        """2D-OOB `[n, d]`: the mean score over the learners that saw the column and not the row."""
        return self._cells[0]

    @property
    def cells_se(self) -> NDArray[np.float64]:
        """Standard errors of `cells` over learners `[n, d]`."""
        return self._cells[1]

    @property
    def cells_count(self) -> NDArray[np.uint32]:
        """How many learners are behind each of `cells` `[n, d]`."""
        return self._cells[2]

    @property
    def contrast(self) -> NDArray[np.float64]:
        """`cells` minus the mean score over the learners that saw neither column nor row `[n, d]`."""
        return self._cells[3]

    @property
    def contrast_se(self) -> NDArray[np.float64]:
        """Standard errors of `contrast` `[n, d]`."""
        return self._cells[4]

    @property
    def z(self) -> NDArray[np.float64]:
        """Distance of each cell from the mean of its row's class, in standard deviations `[n, d]`."""
        return self._cells[5]

    def __len__(self) -> int:
        return len(self.data_oob)

    def __repr__(self) -> str:
        return f"Values({len(self)} rows, {len(self.columns)} columns)"

    def _keyed(self, columns: dict[str, Any], library: Library | None) -> Any:
        library = library or (None if self._library == "numpy" else self._library)
        keys = {} if self.ids is None else {_free("id", columns): self.ids}
        return _frames.make_frame({**keys, **columns}, library, self.index)

    def rows(self, library: Library | None = None) -> Any:
        """A frame with a row for each of the table, with its index and ids.

        Its columns are those of the command's `rows.parquet`: `label`, `data_oob`, `data_oob:count`,
        `data_oob:se`, `marginal`, `predicted`, for classes `predicted:share`, `suggested` (None where the
        label does not look wrong) and `label:share`, then `duplicates`, `duplicates:labels`, `nearest` and
        `nearest:distance`. `nearest` is a place from 0 here.

        Parameters
        ----------
        library : 'pandas' or 'polars', optional
            Whose frame; by default the table's, or the one that is installed.
        """
        columns = {
            "label": self.labels,
            "data_oob": self.data_oob,
            "data_oob:count": self.data_oob_count,
            "data_oob:se": self.data_oob_se,
            "marginal": self.marginal,
            "predicted": self.predicted,
        }
        if self._valued.classes() is not None:
            suggested = self.predicted.astype(object)
            suggested[~self.suspect] = None
            columns |= {
                "predicted:share": self.predicted_share,
                "suggested": suggested,
                "label:share": self.label_share,
            }
        columns |= {
            "duplicates": self.duplicates,
            "duplicates:labels": self.duplicates_labels,
            "nearest": self.nearest,
            "nearest:distance": self.nearest_distance,
        }
        return self._keyed(columns, library)

    def cells_frame(self, what: Cell = "value", library: Library | None = None) -> Any:
        """A frame with the columns of the table, of one number for each cell.

        Parameters
        ----------
        what : 'value', 'count', 'se', 'contrast', 'contrast_se' or 'z'
            Which number.
        library : 'pandas' or 'polars', optional
            Whose frame; by default the table's, or the one that is installed.
        """
        kinds = ("value", "se", "count", "contrast", "contrast_se", "z")
        matrix = self._cells[kinds.index(one_of("what", what, kinds))]
        cells = {name: matrix[:, at] for at, name in enumerate(self.columns)}
        return self._keyed(cells, library)

    def lowest(self, count: int = 10) -> NDArray[np.int64]:
        """Places of the rows of the lowest Data-OOB, lowest first; of equals, the lower marginal.

        Rows without a value are not among them.
        """
        order = np.lexsort((self.marginal, self.data_oob))
        there = order[~np.isnan(self.data_oob[order])]
        return there[: whole("count", count)].astype(np.int64)


def _free(name: str, taken: dict[str, Any]) -> str:
    while name in taken:
        name += "_"
    return name


def value(
    table: Any,
    labels: Any = None,
    *,
    label: str | None = None,
    id: str | None = None,
    ignore: list[str] | tuple[str, ...] | str = (),
    categorical: list[str] | tuple[str, ...] | str = (),
    missing: list[str] | tuple[str, ...] | str = (),
    task: Literal["classification", "regression"] | None = None,
    learner: Literal["tree", "linear", "mlp"] = "tree",
    learners: int = 1000,
    ratio: float = 0.5,
    score: Literal["plain", "soft", "distance"] = "plain",
    seed: int = 0,
    threads: int | None = None,
    max_features: int | Literal["sqrt", "all"] = "sqrt",
    max_depth: int | None = None,
    bins: int = 65_536,
    penalty: float = 1.0,
    hidden: int = 16,
    epochs: int = 30,
    memory: str | None = None,
) -> Values:
    """Values the rows and cells of a table out of bag (Data-OOB, 2D-OOB).

    The numbers are those of `afterimage value` on the same table as a Parquet or npy file, to the bit.
    Ctrl-C ends the work.

    Parameters
    ----------
    table : pandas.DataFrame, polars.DataFrame or array [n, d]
        One row a sample. Columns of an array are named by their numbers from 1.
    labels : sequence [n], optional
        One label a row: names of classes or numbers.
    label : str, optional
        The column of the labels, in place of `labels`.
    id : str, optional
        A column that names the rows; nothing is learned from it.
    ignore : list of str
        Columns to leave out.
    categorical : list of str
        Columns whose numbers are names of categories; those of a categorical type are anyway.
    missing : list of str
        Texts that stand for a missing cell, beside `None` and NaN.
    task : 'classification' or 'regression', optional
        What the labels are; told from their form by default.
    learner : 'tree', 'linear' or 'mlp'
        What is fitted to each bag of rows.
    learners : int
        Number of learners; errors of the values fall with its root.
    ratio : float
        Share of the columns that each learner sees, in (0, 1].
    score : 'plain', 'soft' or 'distance'
        What is averaged: hits, probabilities of the label, or hits and the paper's distance term.
    seed : int
        Seed of everything random.
    threads : int, optional
        Number of threads, all cores by default; it changes no value.
    max_features : int, 'sqrt' or 'all'
        Columns that a tree tries at each cut.
    max_depth : int, optional
        Cuts between a tree's root and its leaves; without, leaves are pure.
    bins : int
        Most bins of a numeric column, 3 to 65,536.
    penalty : float
        Weight of the squared coefficients of a linear learner.
    hidden : int
        Hidden units of an mlp learner.
    epochs : int
        Passes of an mlp learner over its bag.
    memory : str, optional
        Most memory, as '4GB'; by default that of the machine.

    Returns
    -------
    Values
        Arrays, and frames of the table's library with its index.

    Raises
    ------
    ValueError
        An argument out of its range, or a table that cannot be used.
    MemoryError
        A table that needs more memory than there may be.

    Examples
    --------
    >>> import numpy as np, afterimage
    >>> x = np.arange(100, dtype=np.float32)[:, None]
    >>> labels = np.where((x[:, 0] >= 50) ^ (x[:, 0] == 20), "high", "low")
    >>> int(afterimage.value(x, labels, learners=200).lowest(1)[0])
    20
    """
    if (labels is None) == (label is None):
        raise ValueError("label: give either label, a column's name, or labels, one a row")
    library = _frames.library_of(table)
    if library is None:
        raise TypeError(
            f"table: a pandas or polars frame or a NumPy array is needed, not {type(table).__name__}"
        )
    left_out, by_name = names("ignore", ignore), names("categorical", categorical)
    columns, categories = _columns(table, library, left_out)
    special = {*left_out, *by_name, *(_named(name, columns) for name in (label, id) if name)}
    by_name += [name for name in categories if name not in special]
    beside = None
    if labels is not None:
        beside, _ = _frames.column("label", labels, what="labels")
        if len(labels) != len(table):
            raise ValueError(f"labels: {len(labels)} for {len(table)} rows; give one a row")
    if isinstance(max_features, str):
        one_of("max_features", max_features, ("sqrt", "all"))
    tried = None if isinstance(max_features, str) else whole("max_features", max_features)
    valued = _native.value(
        columns,
        beside,
        {
            "what": "the array" if library == "numpy" else "the frame",
            "label": "" if label is None else label,
            "id": id,
            "ignore": left_out,
            "categorical": by_name,
            "missing": names("missing", missing),
            "task": task,
            "learner": learner,
            "learners": whole("learners", learners, most=2**32 - 1),
            "ratio": real("ratio", ratio),
            "score": score,
            "seed": whole("seed", seed),
            "threads": maybe_whole("threads", threads),
            "max_features": tried,
            "all_features": max_features == "all",
            "max_depth": maybe_whole("max_depth", max_depth),
            "bins": whole("bins", bins),
            "penalty": real("penalty", penalty),
            "hidden": whole("hidden", hidden),
            "epochs": whole("epochs", epochs),
            "memory": memory,
        },
    )
    values = Values(
        valued,
        library,
        table.index if library == "pandas" else None,
        None if id is None else _column_of(table, library, id),
        labels if label is None else _column_of(table, library, label),
    )
    for note in values.notes[:-1]:
        warnings.warn(note, UserWarning, stacklevel=2)
    return values


def _columns(table: Any, library: Library, ignore: list[str]) -> tuple[list[Column], list[str]]:
    if library != "numpy":
        return _frames.columns(table, ignore)
    matrix = table[:, None] if table.ndim == 1 else table
    if matrix.ndim != 2:
        raise ValueError(f"table: an array [n, d] is needed, not one of shape {table.shape}")
    return [
        _frames.column(str(at + 1), matrix[:, at])[0] for at in range(matrix.shape[1])
    ], []


def _named(name: str, columns: list[Column]) -> str:
    """The name of a column that is told by its name, or by its number from 1."""
    known = [column[0] for column in columns]
    if name not in known and name.isdecimal() and 1 <= int(name) <= len(known):
        return known[int(name) - 1]
    return name


def _column_of(table: Any, library: Library, name: str) -> Any:
    if library == "numpy":
        return table[:, int(name) - 1]
    known = _frames.frame_names(table)
    at = known.index(name) if name in known else int(name) - 1
    # Without its index: two rows of a frame may share an entry of it.
    return table.iloc[:, at].array if library == "pandas" else table.to_series(at)
