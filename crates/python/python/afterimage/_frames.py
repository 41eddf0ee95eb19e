"""Frames of pandas and polars, without importing either before somebody hands one over."""

from __future__ import annotations

import numbers
from collections.abc import Collection, Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Library = Literal["pandas", "polars", "numpy"]

# A column as the extension module takes it: name, cells, and what its numbers stand for: `True` for truths,
# for moments how many of their units are a day.
Column = tuple[str, object, float | bool | None]

_PER_DAY = {"ns": 86_400e9, "us": 86_400e6, "ms": 86_400e3, "s": 86_400.0}
_NO_TIME = np.iinfo(np.int64).min


def library_of(frame: object) -> Library | None:
    """Whose frame it is, or `numpy` for an array; `None` for anything else."""
    for kind in type(frame).__mro__:
        home, name = kind.__module__.split(".")[0], kind.__name__
        if name == "DataFrame" and home in ("pandas", "polars"):
            return "pandas" if home == "pandas" else "polars"
        if name == "LazyFrame" and home == "polars":
            raise TypeError("a LazyFrame holds no rows yet; collect() it first")
    return "numpy" if isinstance(frame, np.ndarray) else None


def frame_names(frame: Any) -> list[str]:
    """The names of a frame's columns as texts, which must differ."""
    names = [str(name) for name in frame.columns]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"two columns are named `{twice}`; rename one of them")
    return names


def buffer(array: NDArray[Any]) -> NDArray[Any]:
    """The same numbers in a type that is read without a copy; most arrays come back as they are."""
    if array.dtype.kind == "b":
        array = array.view(np.uint8)
    elif array.dtype == np.float16:
        array = array.astype(np.float32)
    elif array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array if array.flags.aligned else array.copy()


def column(name: str, cells: Any, *, what: str | None = None) -> tuple[Column, bool]:
    """A column of numbers, moments or texts, and whether its type says that they are categories.

    `cells` is a series of pandas or polars, an array of one axis, or a sequence.
    """
    what = f"column `{name}`" if what is None else what
    home = type(cells).__module__.split(".")[0]
    if home == "polars":
        return _polars(name, cells, what), str(cells.dtype) in ("Categorical", "Enum")
    if home == "pandas":
        return _pandas(name, cells, what)
    array = cells if isinstance(cells, np.ndarray) else _array(cells)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(f"{what}: one value a row is needed, not an array of shape {array.shape}")
    return _numpy(name, array, what), False


def _array(cells: Iterable[object]) -> NDArray[Any]:
    """An array of what is no array; texts among numbers stay apart from them."""
    listed = list(cells)
    if any(isinstance(cell, str) or cell is None for cell in listed):
        return np.array(listed, dtype=object)
    return np.asarray(listed)


def _unread(what: str, kind: object) -> ValueError:
    return ValueError(f"{what}: {kind} are not read; {_advice(what, str(kind))}")


def _advice(what: str, kind: str) -> str:
    """What to do about cells of a type that is not read."""
    kind = kind.lower()
    if "decimal" in kind:
        make = "make them float64"
    elif "complex" in kind:
        make = "give real and imaginary parts as two columns"
    elif "timedelta" in kind or "duration" in kind:
        make = "make them numbers, as days or seconds"
    elif any(word in kind for word in ("date", "timestamp", "period", "time")):
        make = "make them moments, as pandas.to_datetime does"
    elif any(word in kind for word in ("list", "array", "struct", "tuple", "dict", "object")):
        make = "give each of their parts as a column, or all of them as an array [n, d]"
    else:
        make = "make them numbers or texts"
    # Labels are no column that can be left out.
    return make + (", or leave the column out" if what.startswith("column ") else "")


def _numpy(name: str, array: NDArray[Any], what: str) -> Column:
    kind = array.dtype.kind
    if kind in "biuf":
        return name, buffer(array), True if kind == "b" else None
    if kind in "UT":
        return name, array.tolist(), None
    if kind == "M":
        return _moments(name, array, what)
    if kind == "O":
        return _objects(name, array, what)
    raise _unread(what, array.dtype)


def _moments(name: str, array: NDArray[Any], what: str) -> Column:
    unit, step = np.datetime_data(array.dtype)
    if unit == "D" and step == 1:
        return name, array.view(np.int64), 1.0
    if unit == "s" or unit not in _PER_DAY or step != 1:
        # Files know no seconds: milliseconds are what writers make of them.
        array, unit = array.astype("datetime64[ms]"), "ms"
    return name, np.ascontiguousarray(array).view(np.int64), _PER_DAY[unit]


def _objects(name: str, array: NDArray[Any], what: str) -> Column:
    """Python's own objects: texts, or numbers, with gaps."""
    cells = [None if _missing(cell) else cell for cell in array.tolist()]
    there = [cell for cell in cells if cell is not None]
    if all(isinstance(cell, str) for cell in there):
        return name, cells, None
    truth = True if there and all(isinstance(cell, (bool, np.bool_)) for cell in there) else None
    whole = all(isinstance(cell, (bool, np.bool_, numbers.Integral)) for cell in there)
    if whole and len(there) == len(cells):
        return name, np.array([int(cell) for cell in there], dtype=np.int64), truth
    if all(isinstance(cell, (bool, np.bool_, numbers.Real)) for cell in there):
        return name, np.array([np.nan if c is None else float(c) for c in cells]), truth
    strange = [cell for cell in there if not isinstance(cell, (str, bool, np.bool_, numbers.Real))]
    if len({type(cell) for cell in strange}) == 1 and len(strange) == len(there):
        raise _unread(what, f"objects of type {type(strange[0]).__name__}")
    odd = strange[0] if strange else next(cell for cell in there if not isinstance(cell, str))
    others = "texts" if any(isinstance(cell, str) for cell in there) else "numbers"
    raise ValueError(
        f"{what}: {others} and objects of type {type(odd).__name__} are mixed; make them all texts, or all "
        "numbers"
    )


def _missing(cell: object) -> bool:
    if cell is None or (isinstance(cell, float) and cell != cell):
        return True
    return type(cell).__name__ in ("NAType", "NaTType")


def _pandas(name: str, series: Any, what: str) -> tuple[Column, bool]:
    import pandas as pd

    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        cells = np.asarray(series.astype(object))
        return _objects(name, cells, what), True
    if isinstance(dtype, pd.DatetimeTZDtype):
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
        return _moments(name, series.to_numpy(), what), False
    if isinstance(dtype, np.dtype):
        return _numpy(name, series.to_numpy(), what), False
    if pd.api.types.is_bool_dtype(dtype) or pd.api.types.is_integer_dtype(dtype):
        truth = True if pd.api.types.is_bool_dtype(dtype) else None
        if not series.isna().any():
            kind = np.uint8 if truth else dtype.numpy_dtype
            return (name, buffer(series.to_numpy(dtype=kind)), truth), False
        return (name, series.to_numpy(dtype=np.float64, na_value=np.nan), truth), False
    if pd.api.types.is_float_dtype(dtype):
        kind = getattr(dtype, "numpy_dtype", np.dtype(np.float64))
        return (name, buffer(series.to_numpy(dtype=kind, na_value=np.nan)), None), False
    if pd.api.types.is_string_dtype(dtype):
        return _objects(name, np.asarray(series.astype(object)), what), False
    raise _unread(what, dtype)


def _polars(name: str, series: Any, what: str) -> Column:
    import polars as pl

    dtype = series.dtype
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return name, series.cast(pl.String).to_list(), None
    if dtype == pl.Boolean:
        return name, series.cast(pl.UInt8).to_numpy(), True
    if dtype == pl.Null:
        return name, np.full(len(series), np.nan), None
    if dtype.is_numeric() and not dtype.is_decimal():
        return name, buffer(series.to_numpy()), None
    if dtype == pl.Date or dtype == pl.Datetime:
        per_day = 1.0 if dtype == pl.Date else _PER_DAY[dtype.time_unit]
        units = series.to_physical().cast(pl.Int64).fill_null(_NO_TIME)
        return name, units.to_numpy(), per_day
    raise _unread(what, dtype)


def days(cells: NDArray[Any], per_day: float) -> NDArray[np.float64]:
    """Moments as days, as a Parquet file has them; NaN where there is none."""
    return np.where(cells == _NO_TIME, np.nan, cells / per_day)


def without_time(cells: NDArray[Any]) -> NDArray[np.bool_]:
    """Where moments are missing."""
    missing: NDArray[np.bool_] = cells == _NO_TIME
    return missing


def columns(frame: Any, ignore: Collection[str]) -> tuple[list[Column], list[str]]:
    """The columns of a frame, and those that its types call categories.

    Columns of `ignore` are not looked at.
    """
    taken: list[Column] = []
    categories = []
    for at, name in enumerate(frame_names(frame)):
        if name in ignore:
            taken.append((name, [], None))
            continue
        series = frame.iloc[:, at] if library_of(frame) == "pandas" else frame.to_series(at)
        made, is_category = column(name, series)
        taken.append(made)
        if is_category:
            categories.append(name)
    return taken, categories


def default_library() -> Library:
    """Pandas where it is installed, else polars."""
    from importlib.util import find_spec

    for name in ("pandas", "polars"):
        if find_spec(name) is not None:
            return "pandas" if name == "pandas" else "polars"
    raise ImportError("frames need pandas or polars; install one of them")


def make_frame(columns: dict[str, Any], library: Library | None, index: Any = None) -> Any:
    """A frame of `library` with these columns; `index` is that of pandas."""
    library = default_library() if library is None else library
    if library == "polars":
        import polars as pl

        listed = {
            name: pl.Series(name, _of_polars(cells), strict=False) for name, cells in columns.items()
        }
        return pl.DataFrame(listed)
    if library != "pandas":
        raise ValueError(f"library: {library!r} is not one of 'pandas', 'polars'")
    import pandas as pd

    plain = {name: _plain(cells) for name, cells in columns.items()}
    lists = {name: list(cells) for name, cells in plain.items() if getattr(cells, "ndim", 1) > 1}
    return pd.DataFrame({**plain, **lists}, index=index)


def _of_polars(cells: Any) -> Any:
    """Cells of pandas, in extension arrays or not, as polars takes them without pyarrow."""
    if not type(cells).__module__.startswith("pandas"):
        return cells
    array = np.asarray(cells)
    return [None if _missing(cell) else cell for cell in array.tolist()] if array.dtype == object else array


def _plain(cells: Any) -> Any:
    """Cells without the index of pandas, and those of the other library as an array."""
    kind = type(cells)
    if kind.__module__.startswith("polars") or kind.__name__ in ("Series", "Index"):
        return cells.to_numpy()
    return cells


def rows_of(frame: Any, places: NDArray[np.int64]) -> Any:
    """Some rows of a frame, a series, an array or a list, in the order of `places`."""
    if type(frame).__module__.startswith("pandas") and hasattr(frame, "iloc"):
        return frame.iloc[places]
    if isinstance(frame, (list, tuple)):
        return [frame[place] for place in places]
    return frame[places]
