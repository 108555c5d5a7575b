"""The fitted models as data: four kinds of core, flat arrays and one predictor each, numpy only.

Every core maps the n × p encoded columns to `Moments`: contributions per block that, with the intercept, sum to the predicted
change, and a predictive sd. Sums run along a row of contiguous memory, never through a matrix product: the same row gives the
same bits alone and in a table. The core of trees is `models.forest`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.forest import ForestCore
from models.noise import Noise, severity_in
from models.prediction import Moments
from models.segments import Segment

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class _Folded(NamedTuple):
    """An additive core for one arm: `rows` × p of the spread's directions, then of contributions, and p squared prior sds.

    Each has its offset: what the arm adds whoever is given it.
    """

    rows: Array
    offset: Array
    prior: Array
    prior_offset: Array


@dataclass(frozen=True, eq=False)
class AdditiveCore:
    """Additive Gaussian model: weights of main and arm-interaction columns, and its predictive variance.

    An arm's interaction columns are its own numbers times the columns they modify; so for each arm the core is folded once
    onto the p columns of the blocks themselves.
    """

    segments: tuple[Segment, ...]
    crossed: tuple[str, ...]
    intercept: float
    weights: Array
    prior: Array
    spread: Array
    noise: Array

    def points(self, parts: Mapping[str, Array]) -> dict[str, Array]:
        """Return contribution -> n points."""
        return self.moments(parts)[0]

    def sd(self, parts: Mapping[str, Array]) -> Array:
        """Return the n predictive standard deviations: noise log-linear in severity, plus what is unknown of the weights."""
        return self.moments(parts)[1]

    def moments(self, parts: Mapping[str, Array]) -> Moments:
        """Return points, sd and change at once."""
        n, names, rank = _rows(parts), self._contributions, len(self.spread)
        log_noise = np.minimum(np.maximum(self.noise[0] + self.noise[1] * severity_in(parts), -12.0), 6.0)
        points, unknown = np.empty((len(names), n)), np.empty(n)
        for rows, X, folded in self._by_arm(parts):
            # Not `@`: einsum adds each row's products in one order, however many rows there are.
            found = np.einsum("ip,cp->ic", X, folded.rows, optimize=False) + folded.offset
            along, points[:, rows] = found[:, :rank], found[:, rank:].T
            prior = np.einsum("ip,p->i", X * X, folded.prior, optimize=False) + folded.prior_offset
            unknown[rows] = prior - np.einsum("ir,ir->i", along, along, optimize=False)
        sd = np.sqrt(np.exp(log_noise) * self.noise[2] ** 2 + np.maximum(unknown, 0.0))
        found = dict(zip(names, points, strict=True))
        return Moments(found, np.asarray(sd), _change(self.intercept, found, n))

    @cached_property
    def _contributions(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(segment.contribution for segment in self.segments))

    @cached_property
    def _own(self) -> tuple[str, ...]:
        blocks = (segment.block.removeprefix("arm×") for segment in self.segments)
        return tuple(block for block in dict.fromkeys(blocks) if block != "arm")

    @cached_property
    def _folds(self) -> dict[bytes, _Folded]:
        return {}

    def _by_arm(self, parts: Mapping[str, Array]) -> Iterator[tuple[Integers | slice, Array, _Folded]]:
        """Yield the rows of each arm, their n × p own columns, and the core folded for it."""
        n = _rows(parts)
        X = np.concatenate([parts[block] for block in self._own], axis=1) if self._own else np.zeros((n, 0))
        arms = [row.tobytes() for row in parts["arm"]] if "arm" in parts else [b""] * n
        for arm in dict.fromkeys(arms):
            if arm not in self._folds:
                self._folds[arm] = self._fold(np.frombuffer(arm), {block: parts[block].shape[1] for block in self._own})
            same = [i for i, given in enumerate(arms) if given == arm]
            rows = slice(None) if len(same) == n else np.array(same)
            yield rows, X[rows], self._folds[arm]

    def _fold(self, arm: Array, widths: Mapping[str, int]) -> _Folded:
        """Fold every segment onto [own columns, 1]: the last column is what the arm adds whoever is given it."""
        first = dict(zip([*widths, "arm"], np.cumsum([0, *widths.values()]).tolist(), strict=True))
        p = first["arm"] + 1
        weights, prior, spread = np.zeros((len(self._contributions), p)), np.zeros(p), np.zeros((len(self.spread), p))
        start = 0
        for segment in self.segments:
            stored = slice(start, start := start + segment.width)
            block = segment.block.removeprefix("arm×")
            times = arm if segment.block != block or block == "arm" else np.ones(1)
            at = slice(first[block], first[block] + segment.width // len(times))
            weights[self._contributions.index(segment.contribution), at] += (
                self.weights[stored].reshape(-1, len(times)) @ times
            )
            prior[at] += self.prior[stored].reshape(-1, len(times)) ** 2 @ times**2
            spread[:, at] += self.spread[:, stored].reshape(len(spread), -1, len(times)) @ times
        whole = (np.concatenate([spread, weights]), prior)
        parts = [part for table in whole for part in (np.ascontiguousarray(table[..., :-1]), table[..., -1])]
        return _Folded(*parts)


@dataclass(frozen=True, eq=False)
class LinearCore:
    """Linear model on encoded columns (mean, baseline alone, elastic net); `rmse` and `steep` are its `Noise`."""

    segments: tuple[Segment, ...]
    intercept: float
    weights: Array
    rmse: float = 1.0
    steep: float = 0.0

    def points(self, parts: Mapping[str, Array]) -> dict[str, Array]:
        """Return contribution -> n points."""
        found: dict[str, Array] = {}
        start = 0
        for segment in self.segments:
            total = np.ascontiguousarray(parts[segment.block] * self.weights[start : start + segment.width]).sum(axis=1)
            found[segment.contribution] = found.get(segment.contribution, 0.0) + total
            start += segment.width
        return found

    def sd(self, parts: Mapping[str, Array]) -> Array:
        """Return the n sds: how far the inner loop saw the model miss at each severity."""
        return Noise(self.rmse, self.steep).sd(severity_in(parts))

    def moments(self, parts: Mapping[str, Array]) -> Moments:
        """Return points, sd and change."""
        points = self.points(parts)
        return Moments(points, self.sd(parts), _change(self.intercept, points, _rows(parts)))


@dataclass(frozen=True, eq=False)
class ResidualTreesCore:
    """An additive core and the trees on what it leaves; the sd is the additive core's."""

    additive: AdditiveCore
    trees: ForestCore

    @property
    def intercept(self) -> float:
        """Return the additive core's intercept."""
        return self.additive.intercept

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Return the additive core's segments; the trees may read further blocks, none of the microbiome (`blocks_of`)."""
        return self.additive.segments

    def points(self, parts: Mapping[str, Array]) -> dict[str, Array]:
        """Return contribution -> n points, the origin among them."""
        return self.moments(parts).points

    def sd(self, parts: Mapping[str, Array]) -> Array:
        """Return the n predictive standard deviations."""
        return self.additive.sd(parts)

    def moments(self, parts: Mapping[str, Array]) -> Moments:
        """Return points, sd and change: those of both parts, added up."""
        own, beyond = self.additive.moments(parts), self.trees.moments(parts)
        points = {"origin": np.full(_rows(parts), self.intercept), **own.points}
        for name, found in beyond.points.items():
            points[name] = points.get(name, 0.0) + found
        return Moments(points, own.sd, own.change + beyond.change)


def _rows(parts: Mapping[str, Array]) -> int:
    return len(next(iter(parts.values())))


def _change(intercept: float, points: Mapping[str, Array], n: int) -> Array:
    return np.asarray(sum(points.values(), np.full(n, intercept)))


Core = AdditiveCore | LinearCore | ForestCore | ResidualTreesCore
KINDS: Mapping[str, type[Core]] = {
    "additive": AdditiveCore, "linear": LinearCore, "forest": ForestCore, "residual_trees": ResidualTreesCore,
}  # fmt: skip


def blocks_of(core: Core) -> set[str]:
    """Return the blocks of columns that a core reads."""
    if isinstance(core, ForestCore):
        return set(core.columns)
    if isinstance(core, ResidualTreesCore):
        return blocks_of(core.additive) | blocks_of(core.trees)
    return {segment.block.removeprefix("arm×") for segment in core.segments}
