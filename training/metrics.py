"""Scores of held-out predictions, each with a bootstrap interval over subjects.

Every metric takes row weights, so that a bootstrap over subjects is a matrix of multiplicities: no resampled copy, and
the same resamples for every metric and every model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit
from scipy.stats import rankdata

Array = npt.NDArray[np.float64]
Metric = Callable[[Array, Array, Array], Array]  # (outcome, prediction, weights B × n) -> B values

RESAMPLES = 1000
EDGE = 0.0025  # probabilities 0 and 1 are read as this far from it: half a step of the stored distribution
NEWTON_STEPS = 25


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


def calibration_slope(y: Array, p: Array, w: Array) -> Array:
    """Slope of the logistic regression of y on logit(p): 1 = right, below 1 = too extreme (Van Calster 2019, BMC Med 17:230)."""
    return _recalibrated(y, p, w, free_slope=True)


def calibration_intercept(y: Array, p: Array, w: Array) -> Array:
    """Calibration in the large: the intercept at slope 1, in logits; above 0 = probabilities too low on the whole."""
    return _recalibrated(y, p, w, free_slope=False)


def _recalibrated(y: Array, p: Array, w: Array, *, free_slope: bool) -> Array:
    """Newton's method, steps of at most 1, for all B weightings at once; NaN where it does not converge (one class, or perfect separation)."""
    x = logit(np.clip(p, EDGE, 1.0 - EDGE))
    found = np.array([np.zeros(len(w)), np.full(len(w), 0.0 if free_slope else 1.0)])
    step = np.full_like(found, np.inf)
    for _ in range(NEWTON_STEPS):
        fitted = expit(found[0][:, None] + found[1][:, None] * x)
        left, v = w * (y - fitted), w * fitted * (1.0 - fitted)
        g0, h00 = left.sum(axis=1), v.sum(axis=1) + 1e-12
        g1, h01, h11 = (left @ x, v @ x, v @ (x * x) + 1e-12) if free_slope else (0.0 * g0, 0.0 * g0, 1.0 + 0.0 * g0)
        det = np.maximum(h00 * h11 - h01**2, 1e-12)
        step = np.clip([(h11 * g0 - h01 * g1) / det, (h00 * g1 - h01 * g0) / det], -1.0, 1.0)
        found = found + step
        if np.abs(step).max() < 1e-7:
            break
    return np.where(np.abs(step).max(axis=0) < 1e-4, found[1] if free_slope else found[0], np.nan)


def net_benefit(y: Array, p: Array, w: Array, threshold: float) -> Array:
    """True less false positives per person, a false one weighing odds(threshold) (Vickers and Elkin 2006, Med Decis Making 26:565).

    A person is treated where p >= threshold.
    """
    gained = (p >= threshold) * np.where(y > 0, 1.0, -threshold / (1.0 - threshold))
    return np.asarray(w @ gained / w.sum(axis=1))


REGRESSION: Mapping[str, Metric] = {"mae": mae, "rmse": rmse, "r2": r2, "spearman": spearman}
BINARY: Mapping[str, Metric] = {"auc": auc, "brier": brier}
CALIBRATION: Mapping[str, Metric] = {
    "calibration_slope": calibration_slope,
    "calibration_intercept": calibration_intercept,
}


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
