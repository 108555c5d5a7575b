"""The fitted models as data: three kinds of core, flat arrays and one predictor each, numpy only.

Every core maps the n × p encoded columns to `points`: contributions per block that sum to the predicted change, and a
predictive sd. Sums run along a row of contiguous memory, never through a matrix product: the same row gives the same
bits alone and in a table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Segment:
    """A run of columns that belongs to one block and counts towards one contribution."""

    block: str
    contribution: str
    width: int


@dataclass(frozen=True, eq=False)
class AdditiveCore:
    """Additive Gaussian model: weights of main and arm-interaction columns, and its predictive variance."""

    segments: tuple[Segment, ...]
    crossed: tuple[str, ...]
    intercept: float
    weights: Array
    prior: Array
    spread: Array
    noise: Array

    def points(self, parts: Mapping[str, Array]) -> dict[str, Array]:
        """Return contribution -> n points."""
        products = self._wide(parts) * self.weights
        found: dict[str, Array] = {}
        start = 0
        for segment in self.segments:
            total = np.ascontiguousarray(products[:, start : start + segment.width]).sum(axis=1)
            found[segment.contribution] = found.get(segment.contribution, 0.0) + total
            start += segment.width
        return found

    def sd(self, parts: Mapping[str, Array]) -> Array:
        """Return the n predictive standard deviations: noise log-linear in severity, plus what is unknown of the weights."""
        wide = self._wide(parts)
        severity = parts["base"][:, 0] if "base" in parts else np.zeros(len(wide))
        noise = np.exp(np.clip(self.noise[0] + self.noise[1] * severity, -12.0, 6.0)) * self.noise[2] ** 2
        unknown = ((wide * self.prior) ** 2).sum(axis=1)
        # Not `@`: this einsum adds each row's products in one order, however many rows there are.
        along = np.einsum("ip,rp->ir", wide, self.spread, optimize=False)
        known = (along * along).sum(axis=1)
        return np.asarray(np.sqrt(noise + np.maximum(unknown - known, 0.0)))

    def _wide(self, parts: Mapping[str, Array]) -> Array:
        n = len(next(iter(parts.values())))
        mains = [segment.block for segment in self.segments if not segment.block.startswith("arm×")]
        columns = [parts[block] for block in mains]
        columns += [(parts[b][:, :, None] * parts["arm"][:, None, :]).reshape(n, -1) for b in self.crossed]
        return np.ascontiguousarray(np.concatenate(columns, axis=1)) if columns else np.zeros((n, 0))


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
        return np.full(len(next(iter(parts.values()))), self.rmse)


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
        return np.full(len(next(iter(parts.values()))), self.rmse)


Core = AdditiveCore | LinearCore | ForestCore
KINDS: Mapping[str, type[Core]] = {"additive": AdditiveCore, "linear": LinearCore, "forest": ForestCore}
NAMES: Mapping[str, str] = {
    "base": "baseline",
    "curve": "baseline",
    "life": "lifestyle",
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
