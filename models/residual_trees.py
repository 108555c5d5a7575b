"""The additive model, and small boosted trees on what it leaves: for effects that no sum of single columns can say.

The trees see baseline, lifestyle and arm, not the taxa: on all columns they lost to chance what they found, on these few they find
thresholds and what matters only together (docs/decisions/0007-trees-on-the-residual.md). No constraint of monotony: what biology
says of direction (who starts higher falls further) is about the sum, and holds in it by the additive part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted
from xgboost import XGBRegressor

from models.additive import AdditiveBlockRegressor

Array = npt.NDArray[np.float64]
SEEN = ("base", "arm", "life", "bend", "blank")  # blocks whose columns the trees see


class ResidualTreesRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """An additive model and the boosted trees on its residuals (Friedman 2001, Ann Stat 29:1189).

    X is an n × p frame whose columns are named `block:column`. Parameters: `n_estimators`, `max_depth` of the trees; `seed`, `known` as
    in `AdditiveBlockRegressor`. Fitted: `additive_`, `trees_`, `columns_` (names of the trees' columns; none
    where X has none of those blocks: the model is then the additive one).
    """

    def __init__(
        self,
        n_estimators: int = 60,
        max_depth: int = 2,
        seed: int = 0,
        known: Mapping[str, tuple[float, float]] | None = None,
    ) -> None:
        self.n_estimators = n_estimators
        self.max_depth = max_depth
        self.seed = seed
        self.known = known

    def fit(self, X: pd.DataFrame, y: Any, additive: AdditiveBlockRegressor | None = None) -> Self:
        """Fit the additive model, unless one that was fitted on the same rows is given, and the trees on what it leaves."""
        self.additive_ = additive or AdditiveBlockRegressor(seed=self.seed, known=self.known).fit(X, y)
        self.columns_ = [name for name in X.columns if str(name).split(":", 1)[0] in SEEN]
        # Slow learning and large leaves: what is left of people's change is mostly noise.
        self.trees_ = XGBRegressor(
            n_estimators=self.n_estimators, max_depth=self.max_depth, learning_rate=0.03, min_child_weight=20,
            subsample=0.8, colsample_bytree=0.7, tree_method="hist", base_score=0.0, n_jobs=1, random_state=self.seed, verbosity=0,
        )  # fmt: skip
        if self.columns_:
            self.trees_.fit(X[self.columns_].to_numpy(), np.asarray(y, dtype=float) - self.additive_.predict(X))
        return self

    def predict(self, X: pd.DataFrame, return_std: bool = False) -> Any:
        """Return the n predictions, and with `return_std` the additive model's n predictive standard deviations."""
        check_is_fitted(self)
        beyond = self._rounds(X, 0)
        if not return_std:
            return self.additive_.predict(X) + beyond
        mean, sd = self.additive_.predict(X, return_std=True)
        return mean + beyond, sd

    def staged(self, X: pd.DataFrame, counts: Sequence[int]) -> list[Array]:
        """Return the n predictions with the first k trees alone, for each k of `counts`."""
        check_is_fitted(self)
        mean = np.asarray(self.additive_.predict(X))
        return [mean + self._rounds(X, k) for k in counts]

    def _rounds(self, X: pd.DataFrame, k: int) -> Array:
        """What the first k trees add (0: all)."""
        if not self.columns_:
            return np.zeros(len(X))
        return np.asarray(self.trees_.predict(X[self.columns_].to_numpy(), iteration_range=(0, k)), dtype=float)
