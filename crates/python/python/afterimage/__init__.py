"""What a vision encoder memorizes, values of samples and cells, and coresets.

`value` values the rows and cells of a table, `select` chooses a coreset, `FacilityLocation` does it as
an estimator of scikit-learn, and `load_run` reads what a run left. The command `afterimage` comes with
the package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._facility import FacilityLocation
    from ._native import __version__
    from ._run import Run, load_run
    from ._select import Coreset, select
    from ._value import Values, value

__all__ = [
    "Coreset",
    "FacilityLocation",
    "Run",
    "Values",
    "__version__",
    "load_run",
    "select",
    "value",
]

_HOMES = {
    "Coreset": "_select",
    "FacilityLocation": "_facility",
    "Run": "_run",
    "Values": "_value",
    "__version__": "_native",
    "load_run": "_run",
    "select": "_select",
    "value": "_value",
}


def __getattr__(name: str) -> object:
    # The command starts without NumPy, which takes longer to load than most commands need.
    if name not in _HOMES:
        raise AttributeError(f"module 'afterimage' has no attribute {name!r}")
    from importlib import import_module

    found = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
