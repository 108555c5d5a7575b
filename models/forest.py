"""The core of trees: a fitted XGBoost model or random forest as flat arrays, and how its prediction is shared out.

Each column's points sum, with the origin, to the prediction. Small trees (XGBoost's, of depth 1 or 3) have Shapley values
(`models.shapley`). The deep trees of a random forest would need them anew for each row and each of some thousand leaves; there
a column has the changes of the node's mean where a row's path asks about it (Saabas), exact in sum too, but what is asked near
the root is credited before what is asked further down.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.noise import Noise, severity_in
from models.prediction import Moments
from models.segments import contribution_of
from models.shapley import Answers, Trees, answers_of, small

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

AT_ONCE = 128  # rows, so that what is held of them is some megabytes however many are asked about


class _Step(NamedTuple):
    """One step of those that are not in a leaf yet: their row, the node they are at and the child they go on to."""

    row: Integers
    node: Integers
    child: Integers


@dataclass(frozen=True, eq=False)
class ForestCore:
    """Sum of trees (random forest, XGBoost) as flat arrays; `left` and `right` are absolute node numbers.

    A row goes left where float32(x) <= threshold (random forest) or float32(x) < threshold (`strict`, XGBoost). Leaves have
    feature -1. `cover` is how many training people came by a node. A bundle of before it was kept has none: all points beyond
    the intercept are then one contribution, "trees". `rmse` and `steep` are the model's `Noise`.
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
    cover: Array | None = None
    steep: float = 0.0

    def points(self, parts: Mapping[str, Array]) -> dict[str, Array]:
        """Return contribution -> n points, the origin among them."""
        return self.moments(parts).points

    def sd(self, parts: Mapping[str, Array]) -> Array:
        """Return the n sds: how far the inner loop saw the model miss at each severity."""
        return Noise(self.rmse, self.steep).sd(severity_in(parts))

    def moments(self, parts: Mapping[str, Array]) -> Moments:
        """Return points, sd and change.

        What XGBoost's sum in single precision is off by is no column's doing: it stands in the origin, which therefore
        differs between rows in the seventh digit.
        """
        beyond, found = self._read(parts)
        change = self.intercept + beyond
        if self.cover is None:
            return Moments({"trees": beyond}, self.sd(parts), change)
        points: dict[str, Array] = {}
        end = 0
        for block in self.columns:
            start, end = end, end + parts[block].shape[1]
            own = np.ascontiguousarray(found[:, start:end]).sum(axis=1)
            points[contribution_of(block)] = points.get(contribution_of(block), 0.0) + own
        origin = change - sum(points.values())
        return Moments({"origin": origin, **points}, self.sd(parts), change)

    def column_points(self, parts: Mapping[str, Array]) -> Array:
        """Return the n × p points of every column."""
        return self._read(parts)[1]

    @cached_property
    def small(self) -> bool:
        """Whether the trees are small enough for Shapley values."""
        return small(self.roots, self.feature)

    def leaves(self, X: Array) -> Integers:
        """Return the leaf each of n rows of float32 values falls into in each of T trees (n × T)."""
        node = np.tile(self.roots, (len(X), 1))
        for _ in self._steps(X, node.reshape(-1)):
            pass
        return node

    def _read(self, parts: Mapping[str, Array]) -> tuple[Array, Array]:
        """Return what the trees add to the intercept (n), and the points of every column (n × p)."""
        X = np.concatenate([parts[block] for block in self.columns], axis=1).astype(np.float32).astype(np.float64)
        share = self._unshared if self.cover is None else self._by_answers if self.small else self._along_paths
        beyond, points = np.empty(len(X)), np.empty(X.shape)
        for start in range(0, len(X), AT_ONCE):
            rows = slice(start, start + AT_ONCE)
            leaf, points[rows] = share(X[rows])
            beyond[rows] = self._sum(self.value[leaf])
        return beyond, points

    def _sum(self, value: Array) -> Array:
        """Return what n × T leaves add to the intercept; one tree after the other, in their order."""
        if not self.strict:
            return np.asarray(np.add.accumulate(value, axis=1)[:, -1])
        # XGBoost adds leaves to the base score one by one in single precision; so do we, to meet it at 1e-6.
        terms = np.concatenate([np.full((len(value), 1), self.intercept), value], axis=1).astype(np.float32)
        return np.asarray(np.add.accumulate(terms, axis=1)[:, -1].astype(float) - self.intercept)

    def _steps(self, X: Array, node: Integers) -> Iterator[_Step]:
        """Move each of n × T places, row by row, from its tree's root to its leaf, and yield each step."""
        at = np.arange(len(node))
        while len(at := at[self.feature[node[at]] >= 0]):
            row, here = at // len(self.roots), node[at]
            left = self._goes_left(X[row, self.feature[here]], here)
            node[at] = child = np.where(left, self.left[here], self.right[here])
            yield _Step(row, here, child)

    def _goes_left(self, x: Array, node: Integers) -> npt.NDArray[np.bool_]:
        return np.asarray(x < self.threshold[node] if self.strict else x <= self.threshold[node])

    def _unshared(self, X: Array) -> tuple[Integers, Array]:
        return self.leaves(X), np.zeros(X.shape)

    def _by_answers(self, X: Array) -> tuple[Integers, Array]:
        """Return leaves and n × p Shapley values: looked up by how a row answers each tree's questions."""
        questions, leaf, points = self._answers
        column = np.maximum(self.feature[questions], 0)
        pattern = np.packbits(self._goes_left(X[:, column], questions), axis=2, bitorder="little")[:, :, 0]
        found = pattern * np.int64(len(questions)) + np.arange(len(questions))
        cell = np.arange(len(X))[:, None, None] * X.shape[1] + column
        own = np.bincount(cell.ravel(), points[found].ravel(), X.size).astype(float)
        return leaf[found], own.reshape(X.shape)

    def _along_paths(self, X: Array) -> tuple[Integers, Array]:
        """Return leaves and n × p changes of the node's mean along each row's paths."""
        leaf, points = np.tile(self.roots, (len(X), 1)), np.zeros(X.size)
        for row, node, child in self._steps(X, leaf.reshape(-1)):
            cell = row * X.shape[1] + self.feature[node]
            points += np.bincount(cell, self._means[child] - self._means[node], X.size)
        return leaf, points.reshape(X.shape)

    @cached_property
    def _answers(self) -> Answers:
        return answers_of(Trees(self.roots, self.feature, self.left, self.right, self.value, self._cover))

    @cached_property
    def _means(self) -> Array:
        """The mean value of the training people at each node."""
        mean = self.value.copy()
        level, inner = self.roots, []
        while len(level := level[self.feature[level] >= 0]):
            inner.append(level)
            level = np.concatenate([self.left[level], self.right[level]])
        for node in reversed(inner):
            left, right = self.left[node], self.right[node]
            mean[node] = (mean[left] * self._cover[left] + mean[right] * self._cover[right]) / self._cover[node]
        return mean

    @property
    def _cover(self) -> Array:
        if self.cover is None:
            raise ValueError("these trees do not say how many training people came by each node")
        return self.cover
