from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

__version__: str

class Valued:
    def columns(self) -> list[str]: ...
    def notes(self) -> list[str]: ...
    def classes(self) -> tuple[NDArray[np.uint32], list[str]] | None: ...
    def rows(
        self,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint32], NDArray[np.float64]]: ...
    def said(
        self,
    ) -> tuple[
        NDArray[np.int64],
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.bool_],
    ]: ...
    def near(
        self,
    ) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.int64], NDArray[np.float64]]: ...
    def cells(
        self,
    ) -> tuple[
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.uint32],
        NDArray[np.float64],
        NDArray[np.float64],
        NDArray[np.float64],
    ]: ...

def value(
    table: Sequence[tuple[str, object, float | bool | None]],
    labels: tuple[str, object, float | bool | None] | None,
    arguments: dict[str, object],
) -> Valued: ...
def select(x: NDArray[np.float32], arguments: dict[str, object]) -> dict[str, Any]: ...
def strategies() -> list[str]: ...
def names_rows(name: str) -> bool: ...
def names_clock(name: str) -> bool: ...
def read_scalars(
    path: str | PathLike[str],
) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64], list[str], NDArray[np.float64]]: ...
def read_parquet(path: str | PathLike[str]) -> list[tuple[str, Any]]: ...
def command(words: Sequence[str], program: str | None) -> int: ...
