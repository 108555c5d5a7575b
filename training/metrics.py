"""Scores of held-out predictions, each with a bootstrap interval over subjects.

Every metric takes row weights, so that a bootstrap over subjects is a matrix of multiplicities: no resampled copy, and
the same resamples for every metric and every model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

Array = npt.NDArray[np.float64]
Metric = Callable[[Array, Array, Array], Array]  # (outcome, prediction, weights B × n) -> B values

RESAMPLES = 1000


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval."""

    estimate: float
    lower: float
    upper: float
    level: float = 0.95

    def as_dict(self) -> dict[str, float | None]:
        """Return a JSON object; a figure that cannot be computed is null."""
        return {
            name: (None if value is None or np.isnan(value) else float(value)) for name, value in vars(self).items()
        }


def resamples(subjects: npt.NDArray[np.object_], *, seed: int, draws: int = RESAMPLES) -> Array:
    """Return (draws + 1) × n row weights: all ones first, then how often each row's subject was drawn."""
    names, index = np.unique(subjects.astype(str), return_inverse=True)
    rng = np.random.default_rng([seed, 77])
    drawn = rng.multinomial(len(names), np.full(len(names), 1.0 / len(names)), size=draws)
    return np.concatenate([np.ones((1, len(index))), drawn[:, index].astype(float)])


def mae(y: Array, p: Array, w: Array) -> Array:
    """Mean absolute error, in points."""
    return np.asarray(w @ np.abs(y - p) / w.sum(axis=1))


def rmse(y: Array, p: Array, w: Array) -> Array:
    """Root mean squared error, in points."""
    return np.asarray(np.sqrt(w @ (y - p) ** 2 / w.sum(axis=1)))


def r2(y: Array, p: Array, w: Array) -> Array:
    """1 - residual / total sum of squares around the mean of the same rows; negative = worse than that mean."""
    mean = w @ y / w.sum(axis=1)
    total = w @ (y * y) - w.sum(axis=1) * mean**2
    return np.asarray(1.0 - (w @ (y - p) ** 2) / np.where(total > 1e-12, total, np.nan))


def spearman(y: Array, p: Array, w: Array) -> Array:
    """Rank correlation of prediction and outcome (ranks taken once, over all rows)."""
    a, b = rankdata(y), rankdata(p)
    total = w.sum(axis=1)
    ma, mb = w @ a / total, w @ b / total
    cov = w @ (a * b) / total - ma * mb
    spread = (w @ (a * a) / total - ma**2) * (w @ (b * b) / total - mb**2)
    return np.asarray(np.where(spread > 1e-12, cov / np.sqrt(np.maximum(spread, 1e-12)), np.nan))


def auc(y: Array, p: Array, w: Array) -> Array:
    """Area under the ROC curve of y in {0, 1}, ties counted half; NaN where one class is absent."""
    _, level = np.unique(p, return_inverse=True)
    order = np.argsort(level, kind="stable")
    starts = np.flatnonzero(np.diff(level[order], prepend=-1))
    positive = np.add.reduceat((w * y)[:, order], starts, axis=1)
    negative = np.add.reduceat((w * (1 - y))[:, order], starts, axis=1)
    below = np.cumsum(negative, axis=1) - negative / 2.0
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    return np.asarray((positive * below).sum(axis=1) / np.where(pairs > 0, pairs, np.nan))


def brier(y: Array, p: Array, w: Array) -> Array:
    """Mean squared error of a probability (Brier 1950)."""
    return np.asarray(w @ (y - p) ** 2 / w.sum(axis=1))


REGRESSION: Mapping[str, Metric] = {"mae": mae, "rmse": rmse, "r2": r2, "spearman": spearman}
BINARY: Mapping[str, Metric] = {"auc": auc, "brier": brier}


def estimate(values: Array, level: float = 0.95) -> Estimate:
    """Return the estimate (first value) with the percentile interval of the rest."""
    drawn = values[1:][~np.isnan(values[1:])]
    if np.isnan(values[0]) or not len(drawn):
        return Estimate(float("nan"), float("nan"), float("nan"), level)
    lower, upper = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(float(values[0]), float(lower), float(upper), level)


def over_repeats(metric: Metric, y: Array, predictions: Array, weights: Array) -> Array:
    """Return a metric's B values averaged over repeats; `predictions` is repeats × n."""
    return np.asarray(np.mean([metric(y, row, weights) for row in predictions], axis=0))
