"""What is made of lineages, units and sample names."""

import numpy as np
import pytest

from features.importers.imported import cell_words, common_suffix, lineage_of, lineage_text


@pytest.mark.parametrize(
    ("text", "lineage"),
    [
        ("Bacteria; __Firmicutes; __Clostridia", "k__Bacteria;p__Firmicutes;c__Clostridia"),
        ("d__Bacteria; p__Firmicutes; g__", "d__Bacteria;p__Firmicutes"),
        ("k__Bacteria|p__Firmicutes", "k__Bacteria;p__Firmicutes"),
        ("Bacteria(100);Firmicutes(99.5);", "k__Bacteria;p__Firmicutes"),
        ("Collinsella aerofaciens", "Collinsella aerofaciens"),
        ("UNCLASSIFIED", "UNCLASSIFIED"),
        ("k__Bacteria", "k__Bacteria"),
        ("", ""),
    ],
)
def test_lineages_in_one_form(text, lineage):
    assert lineage_text(text) == lineage


def test_ranks_by_place_with_gaps():
    assert lineage_of(["Bacteria", "", "Clostridia", ""]) == "k__Bacteria;p__;c__Clostridia"


@pytest.mark.parametrize(
    ("names", "suffix"),
    [
        (["A_profile", "B_profile"], "_profile"),
        (["A1_x.y", "B1_x.y"], "_x.y"),
        (["sample1", "test1"], ""),
        (["one_profile"], ""),
        (["_x", "a_x"], ""),
    ],
)
def test_common_endings(names, suffix):
    assert common_suffix(names) == suffix


def test_typed_cells_as_words():
    assert cell_words([1.0, 2.5, None, float("nan"), " a ", 3, np.float64(4)]) == ["1", "2.5", "", "", "a", "3", "4"]
