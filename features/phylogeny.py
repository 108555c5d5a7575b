"""Phylogenetic diversity: the length of the tree that a sample's taxa span, down to the root (Faith 1992)."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.counts import Array, Counts
from features.errors import Refused, invalid

_TOKEN = re.compile(r"\s*(?:\[[^\]]*\]\s*)*([(),;:]|'(?:[^']|'')*'|[^\s(),:;\[\]']+)")


@dataclass(frozen=True, eq=False)
class Tree:
    """A rooted tree: per node its parent (-1 for the root), the length of the branch above it, and its name.

    Nodes stand in the order in which they were opened: a parent before its children.
    """

    parent: npt.NDArray[np.int64]
    length: Array
    names: tuple[str, ...]

    @property
    def tips(self) -> dict[str, int]:
        """Return name -> node of the tips."""
        inner = set(self.parent.tolist())
        return {name: node for node, name in enumerate(self.names) if node not in inner}


def read_newick(text: str, file: str = "tree") -> Tree:
    """Return the tree of a Newick text; raises InvalidInput where it is none."""
    parent, length, names = [-1], [0.0], [""]
    at, after = 0, ""
    tokens = _TOKEN.findall(text)
    for mark in tokens:
        if mark in "(,":
            above = at if mark == "(" else parent[at]
            if above < 0:
                raise _not_newick(file)
            parent.append(above)
            length.append(0.0)
            names.append("")
            at = len(parent) - 1
        elif mark == ")":
            at = parent[at]
            if at < 0:
                raise _not_newick(file)
        elif after == ":":
            length[at] = _branch(mark, file)
        elif mark not in ":;":
            names[at] = mark.strip("'").replace("''", "'")
        after = mark
    if at != 0 or not tokens or tokens[-1] != ";":
        raise _not_newick(file)
    return Tree(np.array(parent), np.array(length), tuple(names))


def _branch(mark: str, file: str) -> float:
    try:
        value = float(mark)
    except ValueError:
        raise _not_newick(file) from None
    if not 0 <= value < np.inf:
        raise invalid("negative_branch", "a branch of the tree is negative", "Give lengths of 0 or more", file=file)
    return value


def _not_newick(file: str) -> Exception:
    return invalid("not_newick", "the tree is not in Newick format", "Give one rooted tree that ends in ;", file=file)


def faith_pd(counts: Counts, tree: Tree) -> Array:
    """Return per sample the summed length of all branches above its taxa; the taxa are tips by name (n samples).

    Raises Refused when a taxon of the table is not in the tree.
    """
    tips = tree.tips
    missing = sum(name not in tips for name in counts.lineages)
    if missing:
        raise Refused(
            "taxa_not_in_tree", f"{missing} taxa of the table are no tips of the tree; name both the same way."
        )
    node = np.array([tips[name] for name in counts.lineages], dtype=np.int64)
    found = np.zeros(len(counts.sample_ids))
    for i, (start, end) in enumerate(zip(counts.indptr[:-1], counts.indptr[1:], strict=True)):
        reached = np.zeros(len(tree.parent), dtype=bool)
        climb = node[counts.indices[start:end]]
        while len(climb):
            climb = np.unique(climb[~reached[climb]])
            reached[climb] = True
            climb = tree.parent[climb]
            climb = climb[climb >= 0]
        found[i] = tree.length[reached].sum()
    return found
