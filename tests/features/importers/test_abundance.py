"""The abundance table: sparse, with lineages, every bad cell named by row and taxon."""

import gzip

import pytest

from features.importers.folder import check_cohort, read_cohort


def test_a_taxon_without_lineage(edit, found):
    edit("taxonomy.tsv", "f3\t", "f4\t")
    assert ("taxon_without_lineage", "counts.tsv.gz", 1, "f3") in found()


def test_counts_are_sparse_and_bear_lineages(folder):
    counts = read_cohort(folder).counts
    assert counts.lineages == (
        "k__Bacteria;p__Bacillota;f__Lachnospiraceae;g__Blautia;t__f1",
        "k__Bacteria;p__Bacillota;f__Lachnospiraceae;g__Blautia;t__f2",
        "k__Bacteria;p__Bacteroidota;f__Bacteroidaceae;g__;t__f3",
    )
    genera, sums = counts.genus_sums()
    columns = dict(zip(genera, sums.T.tolist(), strict=True))
    assert columns == {
        "Bacteroidaceae|unclassified Bacteroidaceae": [5, 0, 1],
        "Lachnospiraceae|Blautia": [3, 3, 7],
    }
    assert len(counts.data) == 6


def test_a_taxonomy_column_is_taken_as_it_stands(folder):
    (folder / "taxonomy.tsv").write_text(
        "feature_id\ttaxonomy\nf1\td__Bacteria;g__Blautia\nf2\td__Bacteria;g__Dorea\nf3\td__Bacteria;g__\n"
    )
    assert read_cohort(folder).counts.lineages[0] == "d__Bacteria;g__;t__f3"


def test_a_cohort_without_stool_is_legal(folder):
    (folder / "counts.tsv.gz").unlink()
    (folder / "taxonomy.tsv").unlink()
    assert read_cohort(folder).counts is None


@pytest.mark.parametrize("value", ["x", "nan", "inf", "-inf", "1e400", "1_000"])
def test_a_count_must_be_a_finite_number(value, edit, found):
    edit("counts.tsv.gz", "A1\t3", f"A1\t{value}")
    assert ("not_a_number", "counts.tsv.gz", 2, "f1") in found()


@pytest.mark.parametrize(
    ("unit", "row", "code"),
    [
        ("counts", "A1\t3.5\t0\t5", "unit_disagrees"),
        ("percent", "A1\t60\t0\t55", "unit_disagrees"),
        ("proportion", "A1\t0.6\t0\t0.7", "unit_disagrees"),
        ("percent", "A1\t0.5\t0\t0.5", "unit_disagrees"),
    ],
)
def test_a_unit_that_the_values_contradict(folder, unit, row, code, edit):
    edit("cohort.toml", '"counts"', f'"{unit}"')
    table = f"sample_id\tf1\tf2\tf3\n{row}\nA2\t0\t1\t0\nB1\t0\t0.5\t0.5\n"
    table = table.replace("0.5", "1") if unit == "counts" else table
    (folder / "counts.tsv.gz").write_bytes(gzip.compress(table.encode()))
    assert code in [p.code for p in check_cohort(folder) if p.file == "counts.tsv.gz"]


def test_one_taxon_alone_is_no_evidence_of_one_sample_under_two_ids(folder):
    (folder / "counts.tsv.gz").write_bytes(
        gzip.compress(b"sample_id\tf1\tf2\tf3\nA1\t3\t0\t0\nA2\t3\t0\t0\nB1\t0\t7\t1\n")
    )
    assert check_cohort(folder) == []
