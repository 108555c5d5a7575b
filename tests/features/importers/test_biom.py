"""BIOM files of both kinds and QIIME 2 archives."""

import json
import zipfile

import h5py
import numpy as np
import pytest

from features.errors import InvalidInput
from features.importers import read, recognise

TABLE = {
    "id": None, "format": "Biological Observation Matrix 1.0.0", "format_url": "http://biom-format.org",
    "type": "OTU table", "generated_by": "test", "date": "2020-01-01T00:00:00", "matrix_type": "sparse",
    "matrix_element_type": "int", "shape": [2, 3],
    "rows": [{"id": "o1", "metadata": {"taxonomy": ["k__Bacteria", "p__Bacillota", "g__Blautia"]}},
             {"id": "o2", "metadata": {"taxonomy": ["Bacteria", "Bacteroidota"]}}],
    "columns": [{"id": "s1", "metadata": None}, {"id": "s2", "metadata": None}, {"id": "s3", "metadata": None}],
    "data": [[0, 0, 5], [1, 2, 7], [0, 2, 1]],
}  # fmt: skip


def dense(counts):
    table = np.zeros((len(counts.sample_ids), len(counts.lineages)))
    for i in range(len(table)):
        here = slice(counts.indptr[i], counts.indptr[i + 1])
        table[i, counts.indices[here]] = counts.data[here]
    return table.tolist()


def hdf5(path):
    with h5py.File(path, "w") as file:
        file.attrs.update(
            {"id": "t", "type": "OTU table", "format-url": "u", "format-version": (2, 1), "generated-by": "t",
             "creation-date": "2020-01-01T00:00:00", "shape": (2, 3), "nnz": 3}
        )  # fmt: skip
        for axis, ids, indptr, indices, data in (
            ("observation", [b"o1", b"o2"], [0, 2, 3], [0, 2, 2], [5.0, 1.0, 7.0]),
            ("sample", [b"s1", b"s2", b"s3"], [0, 1, 1, 3], [0, 0, 1], [5.0, 1.0, 7.0]),
        ):
            group = file.create_group(axis)
            group["ids"] = np.array(ids, dtype="S")
            group["matrix/indptr"], group["matrix/indices"] = np.array(indptr, "i4"), np.array(indices, "i4")
            group["matrix/data"] = np.array(data)
            group.create_group("metadata")
            group.create_group("group-metadata")


@pytest.fixture
def json_file(tmp_path):
    (tmp_path / "t.biom").write_text(json.dumps(TABLE))
    return tmp_path / "t.biom"


def qza(path, form="BIOMV210DirFmt", payload=None, root="1b2c"):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{root}/metadata.yaml", f"uuid: 1b2c\ntype: FeatureTable[Frequency]\nformat: {form}\n")
        if payload:
            archive.writestr(f"{root}/data/{payload[0]}", payload[1])
    return path


def test_biom_1_with_its_lineages(json_file):
    assert recognise(json_file).name == "BIOM 1.0"
    found = read(json_file)
    assert found.counts.sample_ids == ("s1", "s2", "s3")
    assert dense(found.counts) == [[5, 0], [0, 0], [1, 7]]
    assert found.lineages == {"o1": "k__Bacteria;p__Bacillota;g__Blautia", "o2": "k__Bacteria;p__Bacteroidota"}
    assert found.counts.unit == "counts"


def test_biom_2_is_the_same_table(tmp_path):
    hdf5(tmp_path / "t.biom")
    assert recognise(tmp_path / "t.biom").name == "BIOM 2.1"
    assert dense(read(tmp_path / "t.biom").counts) == [[5, 0], [0, 0], [1, 7]]


def test_a_qiime2_feature_table_and_taxonomy(tmp_path):
    hdf5(tmp_path / "t.biom")
    table = read(qza(tmp_path / "t.qza", payload=("feature-table.biom", (tmp_path / "t.biom").read_bytes())))
    assert dense(table.counts) == [[5, 0], [0, 0], [1, 7]]
    text = "Feature ID\tTaxon\tConfidence\no1\td__Bacteria; p__Bacillota; g__Blautia\t0.99\n"
    lineages = read(qza(tmp_path / "x.qza", "TSVTaxonomyDirectoryFormat", ("taxonomy.tsv", text)))
    assert lineages.lineages == {"o1": "d__Bacteria;p__Bacillota;g__Blautia"}


@pytest.mark.parametrize(
    ("form", "payload", "code"),
    [
        ("EMPSingleEndDirFmt", ("x", b""), "unknown_format"),
        ("BIOMV210DirFmt", None, "not_a_qza"),
        ("BIOMV210DirFmt", ("../../feature-table.biom", b"x"), "not_a_qza"),
        ("BIOMV210DirFmt", ("feature-table.biom", b"\x89HDF broken"), "unreadable_file"),
    ],
)
def test_archives_that_are_refused(tmp_path, form, payload, code):
    with pytest.raises(InvalidInput) as caught:
        read(qza(tmp_path / "t.qza", form, payload))
    assert [problem.code for problem in caught.value.problems] == [code]


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("features.importers.biom.MAX_UNPACKED", 100)
    path = qza(tmp_path / "t.qza", payload=("feature-table.biom", b"0" * 1000))
    with pytest.raises(InvalidInput, match="too_large"):
        read(path)


@pytest.mark.parametrize("data", [b"{", b'{"rows": []}', b"\x89HDF\r\n", b"PK\x03\x04", b"PK\x05\x06" + b"\0" * 18])
def test_broken_files_are_refused_in_words(tmp_path, data):
    for name in ("t.biom", "t.qza"):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InvalidInput):
            read(tmp_path / name)


def test_negative_and_duplicate_entries_are_refused(tmp_path):
    (tmp_path / "n.biom").write_text(json.dumps({**TABLE, "data": [[0, 0, -5]]}))
    with pytest.raises(InvalidInput, match="negative_count"):
        read(tmp_path / "n.biom")
