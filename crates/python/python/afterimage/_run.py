"""What a run left in its directory."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from . import _frames, _native
from ._frames import Library


class Tables(Mapping[str, Any]):
    """The tables of a run, each a frame with the rows of all epochs; read when asked for.

    They go by the names of their folders, as `unitmem.units`; a tag, as `unitmem/units`, names its
    folder, too.
    """

    def __init__(self, root: Path, library: Library) -> None:
        self._root = root
        self._library = library
        self._read: dict[str, Any] = {}

    def _folders(self) -> dict[str, Path]:
        found = sorted(self._root.iterdir()) if self._root.is_dir() else []
        return {folder.name: folder for folder in found if folder.is_dir()}

    def __getitem__(self, name: str) -> Any:
        name = name.replace("/", ".")
        if name not in self._read:
            folders = self._folders()
            if name not in folders:
                told = ", ".join(folders) or "none"
                raise KeyError(f"{name!r}: no table of this run; there are {told}")
            # By length first: 10 comes after 9, however many digits a name has.
            files = sorted(folders[name].glob("epoch-*.parquet"), key=lambda file: (len(file.name), file.name))
            parts = [dict(_native.read_parquet(file)) for file in files]
            self._read[name] = _frames.make_frame(_joined(parts), self._library)
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._folders())

    def __len__(self) -> int:
        return len(self._folders())

    def __repr__(self) -> str:
        return f"Tables({', '.join(self)})"


def _joined(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """The columns of files of one table behind each other; what a file lacks is missing in its rows."""
    names = list(dict.fromkeys(name for part in parts for name in part))
    lengths = [len(next(iter(part.values()), [])) for part in parts]
    joined: dict[str, Any] = {}
    for name in names:
        found = [part.get(name) for part in parts]
        if any(isinstance(cells, list) for cells in found):
            joined[name] = [
                cell
                for cells, length in zip(found, lengths, strict=True)
                for cell in (cells if cells is not None else [None] * length)
            ]
        else:
            filled = [
                np.full(length, np.nan) if cells is None else cells
                for cells, length in zip(found, lengths, strict=True)
            ]
            joined[name] = np.concatenate(filled)
    return joined


class Run:
    """The directory of a run, and what it holds as frames.

    Attributes
    ----------
    path : pathlib.Path
        The directory.
    tables : mapping of str to frame
        The tables, as `tables["unitmem/units"]`; each has the columns `epoch` and `step` first.
    """

    def __init__(self, path: Path, library: Library) -> None:
        self.path = path
        self._library = library
        self.tables = Tables(path / "tables", library)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved configuration."""
        with open(self.path / "config.toml", "rb") as file:
            return tomllib.load(file)

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Versions, device, digests of config and data, plugins in order, and the outcome."""
        found: dict[str, Any] = self._json("manifest.json")
        return found

    @property
    def result(self) -> dict[str, Any] | None:
        """Outcome, exit code and last scalars; `None` for a run that has not ended in order."""
        if not (self.path / "result.json").exists():
            return None
        found: dict[str, Any] = self._json("result.json")
        return found

    def _json(self, name: str) -> Any:
        path = self.path / name
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}: {error}") from None

    @cached_property
    def metrics(self) -> Any:
        """All scalars but durations: a frame of `tag`, `epoch`, `step`, `author` and `value`."""
        return self._scalars("metrics.jsonl")

    @cached_property
    def timings(self) -> Any:
        """Durations and speeds, in the form of `metrics`."""
        return self._scalars("timings.jsonl")

    def _scalars(self, name: str) -> Any:
        path = self.path / name
        lines = _native.read_scalars(path) if path.exists() else ([], [], [], [], [])
        columns = dict(zip(("tag", "epoch", "step", "author", "value"), lines, strict=True))
        return _frames.make_frame(columns, self._library)

    @cached_property
    def samples(self) -> Any:
        """Which file each sample is, and its label; `None` where the run did not write it."""
        path = self.path / "samples.parquet"
        if not path.exists():
            return None
        return _frames.make_frame(dict(_native.read_parquet(path)), self._library)

    @cached_property
    def decisions(self) -> list[dict[str, Any]]:
        """What plugins asked for and what became of it, in the order of the run."""
        path = self.path / "decisions.jsonl"
        if not path.exists():
            return []
        lines = path.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line]


def load_run(path: str | PathLike[str], library: Library | None = None) -> Run:
    """What a run of `afterimage run` or `afterimage probe` left in its directory.

    Nothing is read before it is asked for.

    Parameters
    ----------
    path : str or path
        The directory.
    library : 'pandas' or 'polars', optional
        Whose frames; by default pandas' where that is installed.

    Raises
    ------
    FileNotFoundError
        A directory without the resolved configuration of a run.

    Examples
    --------
    >>> run = afterimage.load_run("runs/quickstart/1-0f3a9c2e")  # doctest: +SKIP
    >>> run.metrics.query("tag == 'eval/knn'").plot(x="epoch", y="value")  # doctest: +SKIP
    """
    path = Path(path)
    if not (path / "config.toml").is_file():
        raise FileNotFoundError(f"{path}: this is no directory of a run; it has no config.toml")
    if library is None:
        library = _frames.default_library()
    elif library not in ("pandas", "polars"):
        raise ValueError(f"library: {library!r} is not one of 'pandas', 'polars'")
    return Run(path, library)
