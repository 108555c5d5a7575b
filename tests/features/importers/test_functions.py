"""The table of gene families of a cohort folder: read when asked for, as shares of the whole table."""

import pytest

from features.errors import InvalidInput
from features.importers.folder import read_cohort


def test_shares_are_of_the_whole_table_and_only_what_is_asked_for_is_kept(folder, write):
    write("functions.tsv.gz", "sample_id\tK00001\tK00002\tko:K00003\nA1\t1\t2\t5\nB1\t0\t4\t0\n")
    cohort = read_cohort(folder, functions=("K00003", "K00001", "K09999"))
    assert cohort.functions.lineages == ("K00001", "K00003", "K09999")
    design = cohort.design("PHQ-9")
    assert design.functions.tolist() == [[0.125, 0.625, 0.0], [0.0, 0.0, 0.0]]
    assert "functions.tsv.gz" in cohort.source


def test_nobody_asks_so_nothing_changes(folder, write):
    before = read_cohort(folder)
    write("functions.tsv.gz", "sample_id\tK00001\nA1\t1\n")
    after = read_cohort(folder)
    assert (after.digest, after.source, after.functions) == (before.digest, before.source, None)


def test_a_sample_without_functions_is_not_a_sample_with_none(folder, write):
    write("functions.tsv.gz", "sample_id\tK00001\nB1\t7\n")
    found = read_cohort(folder, functions=("K00001",)).design("PHQ-9").functions
    assert str(found.tolist()) == "[[nan], [1.0]]"


def test_no_table_is_said(folder):
    with pytest.raises(InvalidInput, match="missing_file"):
        read_cohort(folder, functions=("K00001",))


def test_a_broken_table_is_said(folder, write):
    write("functions.tsv.gz", "sample_id\tK00001\nA1\t-7\n")
    with pytest.raises(InvalidInput, match="negative_count"):
        read_cohort(folder, functions=("K00001",))
