"""Shapley values of small trees, worked out once for every way in which a tree's questions can be answered.

What is shared out is a tree's mean over those it does not ask about, weighted by how many training people went each way
(path-dependent TreeSHAP; Lundberg et al. 2020, Nat Mach Intell 2:56): what XGBoost calls `pred_contribs`. A leaf of value v is
reached with weight prod_j (o_j t + z_j (1 - t)) when each column on its path is known with probability t: o is 1 where the row
answers all its questions about column j as the path does, z is the share of training people who did. Column i's Shapley value is
then v (o_i - z_i) times the integral over t of the other columns' product (Owen 1972, Manag Sci 18:64), a polynomial that
Gauss-Legendre points integrate without error.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

MOST_QUESTIONS = 8  # of a tree, so that its answers are the bits of one byte; XGBoost of depth 3 asks at most 7


class Trees(NamedTuple):
    """Flat arrays over all nodes of T trees: column asked about (-1: a leaf), children, value, and training people."""

    roots: Integers
    feature: Integers
    left: Integers
    right: Integers
    value: Array
    cover: Array


class Answers(NamedTuple):
    """The nodes that T trees ask at (T × K), and what follows from each pattern of answers: leaf and points.

    Bit k of a pattern is 1 where the row goes left at question k. `leaf` and `points` (the Shapley value of the column that
    question k asks about, K of them) have a row for pattern a and tree i at a T + i.
    """

    questions: Integers
    leaf: Integers
    points: Array


class _Turn(NamedTuple):
    """What a path asks about one column: the bits concerned, which of them must be 1, and the share of people who did so."""

    slot: int
    bits: int
    wanted: int
    share: float


class _Path(NamedTuple):
    tree: int
    leaf: int
    turns: tuple[_Turn, ...]


def small(roots: Integers, feature: Integers) -> bool:
    """Return whether no tree asks more than MOST_QUESTIONS questions."""
    return bool(np.add.reduceat(feature >= 0, roots, dtype=np.int64).max() <= MOST_QUESTIONS)


def answers_of(trees: Trees) -> Answers:
    """Return leaf and Shapley values of small trees for each pattern of answers."""
    asked: list[list[int]] = [[] for _ in trees.roots]
    paths = list(_paths(trees, asked))
    k, longest = max(1, *map(len, asked)), max(1, *(len(path.turns) for path in paths))
    never = _Turn(0, 0, 0, 1.0)  # asks nothing, so it always holds and has no points
    padded = np.array([[*path.turns, *[never] * (longest - len(path.turns))] for path in paths])
    slot, bits, wanted = (padded[:, :, part].astype(np.int64) for part in range(3))
    owner, leaf = np.array([path.tree for path in paths])[:, None] * k + slot, np.array([path.leaf for path in paths])
    reached, points = [], []
    for pattern in range(2**k):
        holds = (pattern & bits) == wanted
        reached.append(leaf[holds.all(axis=1)])  # one leaf of each tree, and paths are in the order of trees
        own = shapley(holds, padded[:, :, 3], trees.value[leaf])
        points.append(np.bincount(owner.ravel(), own.ravel(), len(asked) * k).astype(float))
    nodes = [[*own, *[root] * (k - len(own))] for own, root in zip(asked, trees.roots.tolist(), strict=True)]
    return Answers(np.array(nodes), np.concatenate(reached), np.concatenate(points).reshape(-1, k))


def shapley(holds: npt.NDArray[np.bool_], share: Array, value: Array) -> Array:
    """Return the L × M points of the columns on the paths to L leaves of given values.

    `holds` (L × M) says on which columns a row answers as the path does, `share` (above 0) how many training people do.
    """
    at, weight = np.polynomial.legendre.leggauss((holds.shape[1] + 1) // 2)
    found = np.zeros(share.shape)
    for t, w in zip((at + 1.0) / 2.0, weight / 2.0, strict=True):
        known = holds * t + share * (1.0 - t)
        found += w * known.prod(axis=1, keepdims=True) / known
    return np.asarray(value[:, None] * (holds - share) * found)


def _paths(trees: Trees, asked: list[list[int]]) -> Iterator[_Path]:
    """Yield the path to every leaf, tree by tree, and write into `asked` the nodes that each tree asks at."""
    feature, left, right, cover = (part.tolist() for part in (trees.feature, trees.left, trees.right, trees.cover))
    for tree, root in enumerate(trees.roots.tolist()):
        ways: list[tuple[int, dict[int, _Turn]]] = [(root, {})]
        while ways:
            node, path = ways.pop()
            if (column := feature[node]) < 0:
                yield _Path(tree, node, tuple(path.values()))
                continue
            bit = len(asked[tree])
            asked[tree].append(node)
            before = path.get(column, _Turn(bit, 0, 0, 1.0))
            for child, goes in ((left[node], 1 << bit), (right[node], 0)):
                share = before.share * cover[child] / cover[node]
                ways.append(
                    (child, {**path, column: _Turn(before.slot, before.bits | 1 << bit, before.wanted | goes, share)})
                )
