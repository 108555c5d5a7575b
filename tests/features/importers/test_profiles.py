"""Profiles of shotgun metagenomes."""

import gzip

import numpy as np
import pytest

from features.errors import InvalidInput
from features.importers import read, recognise

METAPHLAN = """#mpa_vJan21_CHOCOPhlAnSGB_202103
clade_name\tA_profile\tB_profile
UNCLASSIFIED\t10\t0
k__Bacteria\t90\t100
k__Bacteria|p__Firmicutes\t60\t100
k__Bacteria|p__Firmicutes|g__Blautia\t60\t100
k__Bacteria|p__Firmicutes|g__Blautia|s__Blautia_obeum\t60\t100
k__Bacteria|p__Firmicutes|g__Blautia|s__Blautia_obeum|t__SGB4810\t60\t100
k__Bacteria|p__Bacteroidota\t30\t0
k__Bacteria|p__Bacteroidota|s__Bacteroides_ovatus\t30\t0
"""
KRAKEN = """ 10.00\t10\t10\tU\t0\tunclassified
 90.00\t90\t2\tR\t1\troot
 88.00\t88\t3\tD\t2\t  Bacteria
 85.00\t85\t0\tP\t1239\t    Bacillota
 85.00\t85\t5\tG\t572511\t      Blautia
 80.00\t80\t80\tS\t40520\t        Blautia obeum
"""
BRACKEN = """name\ttaxonomy_id\ttaxonomy_lvl\tA.bracken_num\tA.bracken_frac\tB.bracken_num\tB.bracken_frac
Blautia obeum\t40520\tS\t80\t0.8\t5\t0.5
Bacteroides ovatus\t28116\tS\t20\t0.2\t5\t0.5
"""


def table(counts):
    rows = np.repeat(np.array(counts.sample_ids), np.diff(counts.indptr))
    return {(s, counts.lineages[j]): v for s, j, v in zip(rows, counts.indices, counts.data, strict=True)}


def put(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    return tmp_path / name


def test_metaphlan_keeps_species_and_the_unclassified_share(tmp_path):
    path = put(tmp_path, "m.txt", METAPHLAN)
    assert recognise(path).name == "MetaPhlAn"
    found = read(path)
    obeum = "k__Bacteria;p__Firmicutes;g__Blautia;s__Blautia_obeum"
    ovatus = "k__Bacteria;p__Bacteroidota;s__Bacteroides_ovatus"
    assert table(found.counts) == {("A", "UNCLASSIFIED"): 10, ("A", obeum): 60, ("A", ovatus): 30, ("B", obeum): 100}
    assert found.counts.unit == "percent"
    assert found.notes[:2] == (
        "5 rows of other ranks left out", "common ending _profile of the sample names left out",
    )  # fmt: skip


def test_metaphlan_3_with_taxids_and_gzip(tmp_path):
    text = METAPHLAN.replace("clade_name\t", "clade_name\tNCBI_tax_id\t").replace("\n", "\n", 1)
    lines = [
        line if line.startswith(("#", "clade")) else line.replace("\t", "\t2|1239\t", 1) for line in text.splitlines()
    ]
    (tmp_path / "m.txt.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    assert read(tmp_path / "m.txt.gz").counts.sample_ids == ("A", "B")


def test_an_old_profile_without_its_first_line(tmp_path):
    path = put(tmp_path, "m.txt", METAPHLAN.split("\n", 1)[1].replace("clade_name", "#SampleID"))
    assert recognise(path).name == "MetaPhlAn"
    assert read(path).counts.sample_ids == ("A", "B")


def test_kraken_reads_stay_where_they_were_given(tmp_path):
    path = put(tmp_path, "S1.kreport.txt", KRAKEN)
    assert recognise(path).name == "Kraken report"
    assert table(read(path).counts) == {
        ("S1", "UNCLASSIFIED"): 12,
        ("S1", "d__Bacteria"): 3,
        ("S1", "d__Bacteria;p__Bacillota;g__Blautia"): 5,
        ("S1", "d__Bacteria;p__Bacillota;g__Blautia;s__Blautia obeum"): 80,
    }


def test_bracken_combined_and_single(tmp_path):
    found = table(read(put(tmp_path, "all.txt", BRACKEN)).counts)
    assert found[("A", "s__Blautia obeum")] == 80
    assert found[("B", "s__Bacteroides ovatus")] == 5
    single = (
        "name\ttaxonomy_id\ttaxonomy_lvl\tkraken_assigned_reads\tadded_reads\tnew_est_reads\tfraction_total_reads\n"
    )
    path = put(tmp_path, "S7.bracken", single + "Blautia obeum\t40520\tS\t70\t10\t80\t1.0\n")
    assert table(read(path).counts) == {("S7", "s__Blautia obeum"): 80}


@pytest.mark.parametrize(
    "text",
    [
        "# Gene Family\tA_Abundance-RPKs\tB_Abundance-RPKs\nUNMAPPED\t9\t9\nK00001\t1.5\t0\nK00001|g__X.s__Y\t1.5\t0\n"
        "K00002: name\t0\t2\nK00003\t1\t1\nK00004\t1\t1\n",
        "function\tA\tB\nko:K00001\t1.5\t0\nko:K00002\t0\t2\nK00003\t1\t1\nK00004\t1\t1\n",
    ],
)
def test_ko_tables_are_functions_not_taxa(tmp_path, text):
    path = put(tmp_path, "ko.tsv", text)
    assert recognise(path).name == "KO table"
    found = read(path)
    assert found.counts is None
    assert table(found.functions)[("A", "K00001")] == 1.5
    assert found.functions.sample_ids == ("A", "B")
    assert found.functions.lineages == ("K00001", "K00002", "K00003", "K00004")


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("m.txt", METAPHLAN.replace("\t30\t0", "\tx\t0"), "not_a_number"),
        ("m.txt", METAPHLAN.replace("\t30\t0", "\t30"), "row_length"),
        ("m.txt", METAPHLAN.replace("\t30\t0", "\t-30\t0"), "negative_count"),
        ("k.txt", KRAKEN + "what\tis\tthis\n", "row_length"),
    ],
)
def test_bad_profiles_are_refused(tmp_path, name, text, code):
    with pytest.raises(InvalidInput, match=code):
        read(put(tmp_path, name, text))
