"""Checks of arguments that say which one is wrong."""

from __future__ import annotations

import operator
from collections.abc import Sequence


def whole(name: str, value: object, least: int = 0, most: int = 2**63 - 1) -> int:
    """A whole number of any type of integers."""
    if isinstance(value, bool):
        raise TypeError(f"{name}: a whole number is needed, not {value!r}")
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name}: a whole number is needed, not {value!r}") from None
    if not least <= number <= most:
        raise ValueError(f"{name}: {number} is not from {least} to {most}")
    return number


def maybe_whole(name: str, value: object, least: int = 0) -> int | None:
    """A whole number, or `None`."""
    return None if value is None else whole(name, value, least)


def real(name: str, value: object) -> float:
    """A number."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise TypeError(f"{name}: a number is needed, not {value!r}") from None


def names(name: str, value: object) -> list[str]:
    """Names of columns; a single name is a list of one."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, Sequence):
        raise TypeError(f"{name}: a list of names is needed, not {value!r}")
    return [str(one) for one in value]


def one_of(name: str, value: object, words: Sequence[str]) -> str:
    """One of some words."""
    if not isinstance(value, str) or value not in words:
        told = ", ".join(repr(word) for word in words)
        raise ValueError(f"{name}: {value!r} is not one of {told}")
    return value
