"""Tables of amplicon pipelines and plain matrices of any make."""

import numpy as np
import pytest

from features.errors import InvalidInput
from features.importers import read, recognise

SEQ1, SEQ2 = "ACGT" * 15, "GGCA" * 15


def table(counts):
    rows = np.repeat(np.array(counts.sample_ids), np.diff(counts.indptr))
    return {(s, counts.lineages[j]): v for s, j, v in zip(rows, counts.indices, counts.data, strict=True)}


def put(tmp_path, text, name="t.txt"):
    (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return tmp_path / name


EXPECTED = {("S1", "o1"): 5, ("S1", "o2"): 1, ("S2", "o2"): 7}
SAME = {
    "BIOM TSV": "# Constructed from biom file\n#OTU ID\tS1\tS2\ttaxonomy\no1\t5.0\t0.0\tBacteria; __Bacillota\n"
    "o2\t1.0\t7.0\tBacteria\n",
    "taxa in rows": "otu\tS1\tS2\no1\t5\t0\no2\t1\t7\n",
    "taxa in columns": "sample\to1\to2\nS1\t5\t1\nS2\t0\t7\n",
    "commas": "sample,o1,o2\nS1,5,1\nS2,0,7\n",
    "quoted": '"sample","o1","o2"\n"S1",5,1\n"S2",0,7\n',
    "semicolons and decimal commas": "sample;o1;o2\nS1;5,0;1,0\nS2;0,0;7,0\n",
    "old Mac": "sample\to1\to2\rS1\t5\t1\rS2\t0\t7\r",
    "Windows": "sample\to1\to2\r\nS1\t5\t1\r\nS2\t0\t7\r\n",
    "byte-order mark": "\ufeffsample\to1\to2\nS1\t5\t1\nS2\t0\t7\n",
    "UTF-16": "\ufeffsample\to1\to2\nS1\t5\t1\nS2\t0\t7\n".encode("utf-16-le"),
    "R row names": "o1\to2\nS1\t5\t1\nS2\t0\t7\n",
    "mothur": "label\tGroup\tnumOtus\to1\to2\n0.03\tS1\t2\t5\t1\n0.03\tS2\t2\t0\t7\n",
}


@pytest.mark.parametrize("make", SAME)
def test_one_table_in_many_makes(tmp_path, make):
    choices = {"orientation": "taxa-columns"} if make == "R row names" else {}
    assert table(read(put(tmp_path, SAME[make]), **choices).counts) == EXPECTED


def test_a_dada2_matrix_of_sequences_and_its_taxonomy(tmp_path):
    found = read(put(tmp_path, f'"","{SEQ1}","{SEQ2}"\n"S1",5,1\n"S2",0,7\n', "seqtab.csv"))
    assert table(found.counts)[("S2", SEQ2)] == 7
    turned = read(put(tmp_path, f'"","S1","S2"\n"{SEQ1}",5,0\n"{SEQ2}",1,7\n', "turned.csv"))
    assert table(turned.counts) == table(found.counts)
    text = f'"","Kingdom","Phylum","Class","Order","Family","Genus"\n"{SEQ1}","Bacteria","Bacillota",NA,NA,NA,NA\n'
    path = put(tmp_path, text, "taxa.csv")
    assert recognise(path).name == "taxonomy"
    assert read(path).lineages == {SEQ1: "k__Bacteria;p__Bacillota"}


def test_mothur_taxonomy_loses_its_confidences(tmp_path):
    path = put(tmp_path, "OTU\tSize\tTaxonomy\nOtu1\t9\tBacteria(100);Firmicutes(98);Clostridia(97);\n")
    assert read(path).lineages == {"Otu1": "k__Bacteria;p__Firmicutes;c__Clostridia"}


def test_the_way_a_table_lies_is_stated_and_can_be_overruled(tmp_path):
    path = put(tmp_path, "name\ta\tb\tc\nx\t1\t0\t2\ny\t0\t3\t1\n")
    found = read(path)
    assert found.notes[0] == "taxa are in columns (assumed: the longer side)"
    assert found.counts.sample_ids == ("x", "y")
    assert read(path, orientation="taxa-rows").counts.sample_ids == ("a", "b", "c")


@pytest.mark.parametrize(
    ("values", "unit"),
    [("5\t1\n", "counts"), ("60.5\t39.5\n", "percent"), ("0.6\t0.4\n", "proportion"), ("160.5\t80.25\n", "other")],
)
def test_units_are_found_out(tmp_path, values, unit):
    assert read(put(tmp_path, "sample\to1\to2\nS1\t" + values)).counts.unit == unit


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("sample\to1\to1\nS1\t5\t1\n", "duplicate_taxon"),
        ("sample\to1\to2\nS1\t5\t1\nS1\t5\t2\n", "duplicate_sample"),
        ("sample\to1\to2\nS1\t5\n", "row_length"),
        ("sample\to1\to2\nS1\t5\t-1\n", "negative_count"),
        ("label\tGroup\tnumOtus\to1\n0.03\tS1\t1\t5\n0.05\tS1\t1\t5\n", "several_labels"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git_lfs_pointer"),
        ("", "empty_file"),
        ("just words\n", "unknown_format"),
        (b"\x00\x01\x02\x03" * 9, "unknown_format"),
        (bytes(range(256)), "unreadable_file"),
    ],
)
def test_bad_tables_are_refused(tmp_path, text, code):
    with pytest.raises(InvalidInput, match=code):
        read(put(tmp_path, text))


def test_a_missing_file(tmp_path):
    with pytest.raises(InvalidInput, match="missing_file"):
        read(tmp_path / "none.txt")
