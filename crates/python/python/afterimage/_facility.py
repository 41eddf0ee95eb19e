"""Facility location as an estimator."""

from __future__ import annotations

import inspect
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from . import _frames
from ._arguments import maybe_whole, one_of, real, whole
from ._select import choose, matrix

_Self = TypeVar("_Self", bound="FacilityLocation")


class FacilityLocation:
    """Chooses the rows that the others are nearest to, with the conventions of scikit-learn.

    Greedy facility location in Euclidean distances: each choice makes the sum over all rows of the
    distance to the nearest chosen one as small as it can be made by one row more. The choice is exact
    unless `optimizer` or `storage` say otherwise. For classes apart, weights of other kinds and other
    strategies see `afterimage.select`.

    Parameters
    ----------
    n_samples : int
        How many rows are chosen.
    optimizer : 'event-driven', 'naive', 'lazy' or 'stochastic'
        How the next row is found; all but 'stochastic' choose the same.
    epsilon : float
        What 'stochastic' may lose of the best value on average, in (0, 1).
    memory : str, optional
        Memory for distances, as '512MB'; by default 2GiB.
    storage : 'dense', 'half', 'matrix-free' or 'sparse', optional
        How distances are held; by `memory` if not told. 'half' and 'sparse' approximate.
    n_jobs : int, optional
        Threads; all cores for `None` and -1. The choice does not depend on them.
    random_state : int
        Seed of 'stochastic'.

    Attributes
    ----------
    ranking_ : int64 [n_samples]
        Places of the chosen rows, in the order of choice.
    gains_ : float64 [n_samples]
        By how much each choice made the sum of distances smaller; the first beside rows that are all as
        far away as the two farthest are from each other.
    weights_ : float64 [n_samples]
        How many rows each chosen one is nearest to.
    owners_ : int64 [n]
        For each row the place in `ranking_` of the nearest chosen one.
    cost_ : float
        The sum over the rows of the distance to the nearest chosen one.
    n_features_in_ : int
        Columns that were seen.
    feature_names_in_ : object array [n_features_in_]
        Their names, where they were a frame's.

    Examples
    --------
    >>> import numpy as np
    >>> from afterimage import FacilityLocation
    >>> line = np.array([[0.0], [1.0], [9.0], [10.0], [11.0]], dtype=np.float32)
    >>> FacilityLocation(n_samples=2).fit_transform(line).ravel().tolist()
    [9.0, 0.0]
    """

    ranking_: NDArray[np.int64]
    gains_: NDArray[np.float64]
    weights_: NDArray[np.float64]
    owners_: NDArray[np.int64]
    cost_: float
    n_features_in_: int
    feature_names_in_: NDArray[Any]

    def __init__(
        self,
        n_samples: int = 10,
        *,
        optimizer: Literal["event-driven", "naive", "lazy", "stochastic"] = "event-driven",
        epsilon: float = 0.01,
        memory: str | None = None,
        storage: Literal["dense", "half", "matrix-free", "sparse"] | None = None,
        n_jobs: int | None = None,
        random_state: int = 0,
    ) -> None:
        self.n_samples = n_samples
        self.optimizer = optimizer
        self.epsilon = epsilon
        self.memory = memory
        self.storage = storage
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self: _Self, X: Any, y: object = None) -> _Self:
        """Chooses rows of `X` `[n, d]`.

        `y` is there for pipelines, and not looked at. A float32 array in C order is read where it lies.
        """
        one_of("optimizer", self.optimizer, ("event-driven", "naive", "lazy", "stochastic"))
        rows = matrix(X)
        if not 1 <= whole("n_samples", self.n_samples) <= len(rows):
            raise ValueError(f"n_samples: {self.n_samples} of {len(rows)} rows cannot be chosen")
        chosen = choose(
            rows,
            k=self.n_samples,
            greedy=self.optimizer,
            epsilon=real("epsilon", self.epsilon),
            memory=self.memory,
            storage=self.storage,
            threads=None if self.n_jobs == -1 else maybe_whole("n_jobs", self.n_jobs, least=1),
            seed=whole("random_state", self.random_state),
            gains=True,
        )
        self.ranking_ = chosen["indices"]
        self.gains_ = chosen["gains"]
        self.weights_ = chosen["weights"]
        self.owners_ = chosen["owners"]
        self.cost_ = chosen["cost"]
        self.n_features_in_ = rows.shape[1]
        self.__dict__.pop("feature_names_in_", None)
        if _frames.library_of(X) in ("pandas", "polars"):
            # Those that are left out of the distances are in what transform returns.
            self.n_features_in_ = len(X.columns)
            self.feature_names_in_ = np.array([str(name) for name in X.columns], dtype=object)
        return self

    def transform(self, X: Any) -> Any:
        """The chosen rows of `X`, in the order of choice: of the rows that were fitted, or others for them.

        Raises
        ------
        ValueError
            Another number of rows than was fitted: a choice says nothing of rows that it has not seen.
        """
        if not self.__sklearn_is_fitted__():
            raise _not_fitted("this FacilityLocation is not fitted; call fit before transform")
        if len(X) != len(self.owners_):
            raise ValueError(
                f"X: {len(X)} rows, and {len(self.owners_)} were fitted; a choice of rows is no map of "
                "others"
            )
        return _frames.rows_of(X if hasattr(X, "shape") else np.asarray(X), self.ranking_)

    def fit_transform(self, X: Any, y: object = None) -> Any:
        """Chooses rows of `X` `[n, d]` and returns them; `y` is not looked at."""
        return self.fit(X, y).transform(X)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Names of the columns, which stay as they are."""
        if input_features is not None:
            return np.asarray(input_features, dtype=object)
        if hasattr(self, "feature_names_in_"):
            return self.feature_names_in_
        return np.array([f"x{at}" for at in range(self.n_features_in_)], dtype=object)

    @classmethod
    def _parameters(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments of the constructor; `deep` changes nothing, for none of them is an estimator."""
        return {name: getattr(self, name) for name in self._parameters()}

    def set_params(self: _Self, **params: Any) -> _Self:
        """Sets arguments of the constructor anew."""
        known = self._parameters()
        for name, value in params.items():
            if name not in known:
                raise ValueError(f"{name}: no parameter of FacilityLocation; there are {', '.join(known)}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self).__init__).parameters
        told = [
            f"{name}={value!r}"
            for name, value in self.get_params().items()
            if value is not defaults[name].default and value != defaults[name].default
        ]
        return f"{type(self).__name__}({', '.join(told)})"

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "ranking_")

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(preserves_dtype=["float64", "float32"]),
        )


def _not_fitted(text: str) -> Exception:
    """The exception of scikit-learn where that is there; it is a ValueError, too."""
    try:
        from sklearn.exceptions import NotFittedError
    except ImportError:
        return ValueError(text)
    error: Exception = NotFittedError(text)
    return error
