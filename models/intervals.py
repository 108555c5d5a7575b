"""Conformal intervals from out-of-fold residuals, and the coverage one may report.

A score is residual / own predictive sd. Quantiles use the conformal rank ceil((n + 1)(1 - alpha)) (Lei et al. 2018,
JASA 113:1094). The coverage that is reported is cross-fitted: a person's quantile never uses that person's fold.
By default one quantile holds for all; on demand each group has its own (Mondrian; Vovk 2012, ACML 25:475).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
import numpy.typing as npt

from features.design import Design, Objects

Array = npt.NDArray[np.float64]

GROUPINGS = ("severity_third", "sex", "arm", "study")
THIRDS = ("low", "middle", "high")
LEAST_IN_GROUP = 40  # people; a smaller group has no interval of its own, and no coverage is stated for it
GRID = 201  # points of the stored predictive distribution: enough for 0.5 % steps, too few to hold a person


def conformal_rank(n: int, level: float) -> int:
    """Return the 1-based rank ceil((n + 1) level), at most n; 19 -> 18, 39 -> 36, 99 -> 90, 199 -> 180 at 0.90."""
    return min(math.ceil(round((n + 1) * level, 9)), n)


def quantile(scores: Array, level: float) -> float:
    """Return the conformal quantile of n absolute scores, or of repeats × n the mean over repeats; raises ValueError without scores.

    Never that of scores averaged over repeats: the mean of several models' residuals is smaller than those of the one model that is served.
    """
    repeats = np.abs(np.atleast_2d(scores))
    if not repeats.shape[1]:
        raise ValueError("a conformal quantile needs at least one residual")
    return float(np.sort(repeats, axis=1)[:, conformal_rank(repeats.shape[1], level) - 1].mean())


def crossfit_quantiles(scores: Array, fold: npt.NDArray[np.int64], level: float) -> Array:
    """Return, per person, the quantile from the other folds' scores."""
    own = {int(k): quantile(scores[fold != k], level) for k in np.unique(fold)}
    return np.array([own[int(k)] for k in fold])


@dataclass(frozen=True)
class GroupQuantiles:
    """One conformal quantile per group of a grouping `by`; `cuts` are the baselines that part thirds of severity."""

    by: str
    cuts: tuple[float, ...]
    groups: tuple[str, ...]
    quantiles: tuple[float, ...]

    @classmethod
    def learn(cls, design: Design, scores: Array, by: str, level: float, among: tuple[str, ...] | None = None) -> Self:
        """Take a quantile of `scores` (n, or repeats × n) for each group of at least LEAST_IN_GROUP people, or for each `among`."""
        cuts = severity_cuts(design) if by == "severity_third" else ()
        labels = labels_of(design, by, cuts)
        wanted = large_groups(design, labels) if among is None else among
        kept = tuple(name for name in wanted if (labels == name).any())
        return cls(by, cuts, kept, tuple(quantile(scores[..., labels == name], level) for name in kept))

    def of(self, design: Design) -> Array:
        """Return the quantile of each row's group; NaN where the group has none."""
        own = dict(zip(self.groups, self.quantiles, strict=True))
        return np.array([own.get(label, np.nan) for label in labels_of(design, self.by, self.cuts)], dtype=float)


def severity_cuts(design: Design) -> tuple[float, ...]:
    """Return the two baseline scores that part the people into thirds; none where no baseline is known."""
    known = design.baseline[~np.isnan(design.baseline)]
    return tuple(float(cut) for cut in np.quantile(known, [1 / 3, 2 / 3])) if len(known) else ()


def labels_of(design: Design, by: str, cuts: tuple[float, ...] = ()) -> Objects:
    """Return each row's group; "" where it is not known."""
    if by == "severity_third":
        third = np.searchsorted(np.array(cuts), design.baseline, side="left")
        known = ~np.isnan(design.baseline) & bool(cuts)
        return np.array([THIRDS[k] if ok else "" for k, ok in zip(third, known, strict=True)], dtype=object)
    column = design.covariates.get("sex", [None] * len(design)) if by == "sex" else getattr(design, by)
    return np.array(["" if value is None else str(value) for value in column], dtype=object)


def large_groups(design: Design, labels: Objects) -> tuple[str, ...]:
    """Return the groups of at least LEAST_IN_GROUP people, in order."""
    people = {name: len(set(design.subject[labels == name].tolist())) for name in sorted(set(labels.tolist()) - {""})}
    return tuple(name for name, n in people.items() if n >= LEAST_IN_GROUP)


def crossfit_group_quantiles(
    design: Design, scores: Array, fold: npt.NDArray[np.int64], by: str, level: float
) -> Array:
    """Return, per person, the quantile of that person's group from the other folds; NaN in a group that is too small."""
    found = np.full(len(scores), np.nan)
    among = large_groups(design, labels_of(design, by, severity_cuts(design)))
    for k in np.unique(fold):
        own, rest = np.flatnonzero(fold == k), np.flatnonzero(fold != k)
        found[own] = GroupQuantiles.learn(design.take(rest), scores[rest], by, level, among).of(design.take(own))
    return found


def clip_interval(centre: Array, half: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """Return interval bounds of the change, clipped to what the instrument's range leaves reachable."""
    return within(centre - half, low, high), within(centre + half, low, high)


def within(number: Array, low: Array, high: Array) -> Array:
    """Return numbers clipped to bounds: as `np.clip` does, at a third of its price for a single row."""
    return np.asarray(np.minimum(np.maximum(number, low), high))


def distribution(scores: Array) -> Array:
    """Return the standardised predictive distribution as GRID quantiles of n signed scores, rising; of repeats × n the mean over repeats."""
    return np.asarray(np.quantile(np.atleast_2d(scores), np.linspace(0.0, 1.0, GRID), axis=1).mean(axis=1))


def probability_below(threshold: Array, centre: Array, scale: Array, grid: Array) -> Array:
    """Return P(change <= threshold) per row from the stored distribution; NaN where the threshold is NaN."""
    position = (threshold - centre) / scale
    return np.where(np.isnan(threshold), np.nan, np.interp(position, grid, _steps(len(grid))))


@lru_cache(maxsize=8)
def _steps(n: int) -> Array:
    return np.linspace(0.0, 1.0, n)
