"""The fitted models as data: three kinds of core, flat arrays and one predictor each, numpy only.

Every core maps the n × p encoded columns to `points`: contributions per block that sum to the predicted change, and a
predictive sd. Sums run along a row of contiguous memory, never through a matrix product: the same row gives the same
bits alone and in a table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Moments = tuple[dict[str, Array], Array]


@dataclass(frozen=True)
class Segment:
    """A run of columns that belongs to one block and counts towards one contribution."""

    block: str
    contribution: str
    width: int


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
        """Return points and sd at once."""
        n, names, rank = _rows(parts), self._contributions, len(self.spread)
        severity = parts["base"][:, 0] if "base" in parts else np.zeros(n)
        log_noise = np.minimum(np.maximum(self.noise[0] + self.noise[1] * severity, -12.0), 6.0)
        points, unknown = np.empty((len(names), n)), np.empty(n)
        for rows, X, folded in self._by_arm(parts):
            # Not `@`: einsum adds each row's products in one order, however many rows there are.
            found = np.einsum("ip,cp->ic", X, folded.rows, optimize=False) + folded.offset
            along, points[:, rows] = found[:, :rank], found[:, rank:].T
            prior = np.einsum("ip,p->i", X * X, folded.prior, optimize=False) + folded.prior_offset
            unknown[rows] = prior - np.einsum("ir,ir->i", along, along, optimize=False)
        sd = np.sqrt(np.exp(log_noise) * self.noise[2] ** 2 + np.maximum(unknown, 0.0))
        return dict(zip(names, points, strict=True)), np.asarray(sd)

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
    """Linear model on encoded columns (mean, baseline alone, elastic net); the sd is one for all."""

    segments: tuple[Segment, ...]
    intercept: float
    weights: Array
    rmse: float = 1.0

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
        """Return the one sd of all rows, the model's inner RMSE."""
        return np.full(_rows(parts), self.rmse)

    def moments(self, parts: Mapping[str, Array]) -> Moments:
        """Return points and sd."""
        return self.points(parts), self.sd(parts)


@dataclass(frozen=True, eq=False)
class ForestCore:
    """Sum of trees (random forest, XGBoost) as flat arrays; `left` and `right` are absolute node numbers.

    A row goes left where float32(x) <= threshold (random forest) or float32(x) < threshold (`strict`, XGBoost). Leaves have
    feature -1. A tree ensemble has no exact additive parts: all points beyond the origin are the contribution "trees".
    """

    columns: tuple[str, ...]
    intercept: float
    strict: bool
    roots: Integers
    feature: Integers
    threshold: Array
    left: Integers
    right: Integers
    value: Array
    rmse: float = 1.0

    def points(self, parts: Mapping[str, Array]) -> dict[str, Array]:
        """Return {"trees": n points}; trees are added one after the other, in their order."""
        X = np.concatenate([parts[block] for block in self.columns], axis=1).astype(np.float32).astype(np.float64)
        if not self.strict:
            return {"trees": np.asarray(sum(self.value[self.leaves(X, int(root))] for root in self.roots))}
        # XGBoost adds leaves to the base score one by one in single precision; so do we, to meet it at 1e-6.
        total = np.full(len(X), self.intercept, dtype=np.float32)
        for root in self.roots:
            total += self.value[self.leaves(X, int(root))].astype(np.float32)
        return {"trees": total.astype(float) - self.intercept}

    def leaves(self, X: Array, root: int) -> Integers:
        """Return the leaf each row of float32 values falls into."""
        node = np.full(len(X), root, dtype=np.int64)
        rows = np.arange(len(X))
        while (inner := self.feature[node] >= 0).any():
            x, bar = X[rows, np.maximum(self.feature[node], 0)], self.threshold[node]
            goes_left = (x < bar) if self.strict else (x <= bar)
            node = np.where(inner, np.where(goes_left, self.left[node], self.right[node]), node)
        return node

    def sd(self, parts: Mapping[str, Array]) -> Array:
        """Return the one sd of all rows, the model's inner RMSE."""
        return np.full(_rows(parts), self.rmse)

    def moments(self, parts: Mapping[str, Array]) -> Moments:
        """Return points and sd."""
        return self.points(parts), self.sd(parts)


def _rows(parts: Mapping[str, Array]) -> int:
    return len(next(iter(parts.values())))


Core = AdditiveCore | LinearCore | ForestCore
KINDS: Mapping[str, type[Core]] = {"additive": AdditiveCore, "linear": LinearCore, "forest": ForestCore}
NAMES: Mapping[str, str] = {
    "base": "baseline",
    "curve": "baseline",
    "life": "lifestyle",
    "step": "lifestyle",
    "study": "study",
    "arm": "arm",
}


def contribution_of(block: str) -> str:
    """Return the contribution a block counts towards; an arm interaction counts for what it modifies the arm by."""
    main = block.removeprefix("arm×")
    if block.startswith("arm×") and main == "base":
        return "arm"
    return NAMES.get(main, "microbiome")


def blocks_of(core: Core) -> set[str]:
    """Return the blocks of columns that a core reads."""
    if isinstance(core, ForestCore):
        return set(core.columns)
    return {segment.block.removeprefix("arm×") for segment in core.segments}


def segments_of(widths: Sequence[tuple[str, int]]) -> tuple[Segment, ...]:
    """Return the segments of blocks with their widths, in order."""
    return tuple(Segment(block, contribution_of(block), width) for block, width in widths)
