"""Merges and shares, by hand."""

import numpy as np
import pytest

from features.counts import Counts
from features.taxa_report import Merge, kingdom_shares, merges, named_share

LINEAGES = (
    "k__Bacteria;f__Lactobacillaceae;g__Lactobacillus",
    "k__Bacteria;f__Lactobacillaceae;g__Lactiplantibacillus",
    "k__Bacteria;f__Lachnospiraceae;g__[Eubacterium]_hallii_group",
    "k__Bacteria;f__Lachnospiraceae;g__Blautia",
    "k__Bacteria;f__Lachnospiraceae;g__",
    "k__Archaea;f__Methanobacteriaceae;g__Methanobrevibacter",
    "g__Ruminococcus;s__gnavus",
)
ZHENG = "broad genus: Zheng 2020, doi 10.1099/ijsem.0.004107"


def test_every_merge_is_reported_with_its_reason_and_nothing_else():
    found = merges(LINEAGES)
    assert [(one.label, one.given) for one in found] == [
        ("Lachnospiraceae|Anaerobutyricum", ("[Eubacterium]_hallii_group",)),
        ("Lactobacillaceae|Lactobacillus", ("Lactiplantibacillus", "Lactobacillus")),
        ("|Mediterraneibacter", ("Ruminococcus + gnavus",)),
    ]
    assert found[1] == Merge("Lactobacillaceae|Lactobacillus", ("Lactiplantibacillus", "Lactobacillus"), (ZHENG,))


def test_a_merge_whose_source_was_not_seen_is_unconfirmed():
    found = merges(["f__Rikenellaceae;g__Bacteroides;s__Bacteroides putredinis", *LINEAGES])
    assert {one.label: one.confirmed for one in found} == {
        "Rikenellaceae|Alistipes": False,
        "Lachnospiraceae|Anaerobutyricum": True,
        "Lactobacillaceae|Lactobacillus": True,
        "|Mediterraneibacter": True,
    }


def table():
    # Sample 1: 6 of 10 reads have a named genus; sample 2: all of them, half archaeal.
    row, column, value = [0, 0, 1, 1], [3, 4, 3, 5], [6.0, 4.0, 5.0, 5.0]
    return Counts.of(("S1", "S2"), LINEAGES, (np.array(row), np.array(column), np.array(value)), "counts")


def test_the_share_of_named_genera_per_sample():
    assert named_share(table()) == pytest.approx([0.6, 1.0])


def test_kingdoms_are_counted():
    assert kingdom_shares(table()) == pytest.approx({"Archaea": 0.25, "Bacteria": 0.75, "not stated": 0.0})
