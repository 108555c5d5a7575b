"""Conformal intervals from out-of-fold residuals, and the coverage one may report.

A score is residual / own predictive sd. Quantiles use the conformal rank ceil((n + 1)(1 - alpha)) (Lei et al. 2018,
JASA 113:1094). The coverage that is reported is cross-fitted: a person's quantile never uses that person's fold.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

GRID = 201  # points of the stored predictive distribution: enough for 0.5 % steps, too few to hold a person


def conformal_rank(n: int, level: float) -> int:
    """Return the 1-based rank ceil((n + 1) level), at most n; 19 -> 18, 39 -> 36, 99 -> 90, 199 -> 180 at 0.90."""
    return min(math.ceil(round((n + 1) * level, 9)), n)


def quantile(scores: Array, level: float) -> float:
    """Return the conformal quantile of absolute scores; raises ValueError without scores."""
    if not len(scores):
        raise ValueError("a conformal quantile needs at least one residual")
    return float(np.sort(np.abs(scores))[conformal_rank(len(scores), level) - 1])


def crossfit_quantiles(scores: Array, fold: npt.NDArray[np.int64], level: float) -> Array:
    """Return, per person, the quantile from the other folds' scores."""
    own = {int(k): quantile(scores[fold != k], level) for k in np.unique(fold)}
    return np.array([own[int(k)] for k in fold])


def clip_interval(centre: Array, half: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """Return interval bounds of the change, clipped to what the instrument's range leaves reachable."""
    return np.clip(centre - half, low, high), np.clip(centre + half, low, high)


def distribution(scores: Array) -> Array:
    """Return the standardised predictive distribution as GRID quantiles of the signed scores, rising."""
    return np.asarray(np.quantile(scores, np.linspace(0.0, 1.0, GRID)))


def probability_below(threshold: Array, centre: Array, scale: Array, grid: Array) -> Array:
    """Return P(change <= threshold) per row from the stored distribution; NaN where the threshold is NaN."""
    position = (threshold - centre) / scale
    return np.where(np.isnan(threshold), np.nan, np.interp(position, grid, _steps(len(grid))))


@lru_cache(maxsize=8)
def _steps(n: int) -> Array:
    return np.linspace(0.0, 1.0, n)
