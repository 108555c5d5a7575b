"""Faith's phylogenetic diversity by hand and against scikit-bio."""

from io import StringIO

import numpy as np
import pytest
from skbio import TreeNode
from skbio.diversity import alpha_diversity

from features.counts import Counts
from features.errors import InvalidInput, Refused
from features.phylogeny import faith_pd, read_newick

TREE = "((a:1,b:2)ab:0.5,('c d':3,(e:1.5,f:0.25):1)[note]:0.125);"
TIPS = ("a", "b", "c d", "e", "f")


def _counts(table, names=TIPS):
    table = np.array(table, dtype=float)
    row, column = np.nonzero(table)
    return Counts.of(tuple(f"s{i}" for i in range(len(table))), names, (row, column, table[row, column]), "counts")


def test_by_hand():
    found = faith_pd(_counts([[1, 0, 0, 0, 0], [4, 9, 0, 0, 0], [0, 0, 0, 1, 1], [0, 0, 0, 0, 0]]), read_newick(TREE))
    assert found.tolist() == [1.5, 3.5, 1.5 + 0.25 + 1 + 0.125, 0.0]


def test_against_scikit_bio():
    table = np.random.default_rng(6).poisson(0.7, size=(30, 5))
    table[:, 0] += 1
    theirs = alpha_diversity("faith_pd", table, tree=TreeNode.read(StringIO(TREE)), taxa=list(TIPS))
    assert faith_pd(_counts(table), read_newick(TREE)) == pytest.approx(theirs.to_numpy(), rel=1e-9)


@pytest.mark.parametrize("text", ["", "(a,b)", "(a,b;", "a,b;", "(a:x,b);", "(a,b));", "(a:-1,b);", "(a:inf,b:1);"])
def test_what_is_no_tree_is_refused(text):
    with pytest.raises(InvalidInput):
        read_newick(text)


def test_a_taxon_outside_the_tree_is_refused():
    with pytest.raises(Refused, match="1 taxa"):
        faith_pd(_counts([[1, 1]], ("a", "z")), read_newick(TREE))
