"""R phyloseq objects, from a hand-written R data file: shapes and the way of the table survive."""

import numpy as np
import pytest

from features.errors import InvalidInput
from features.importers import read, recognise

HEAD = "3\n262660\n197888\n5\nUTF-8\n"


def chars(text):
    return "9\n-1\n" if text is None else f"262153\n{len(text)}\n{text}\n"


def pairs(**attributes):
    return "".join(f"1026\n1\n{chars(name)}{value}" for name, value in attributes.items()) + "254\n"


def vector(kind, items, attributes=None, is_object=False):
    code = {"int": 13, "real": 14, "lgl": 10, "str": 16, "list": 19}[kind]
    flags = code + (256 if is_object else 0) + (512 if attributes else 0)
    cells = [chars(item) if kind == "str" else item if kind == "list" else f"{item}\n" for item in items]
    return f"{flags}\n{len(items)}\n" + "".join(cells) + (pairs(**attributes) if attributes else "")


def names(rows, columns):
    return vector("list", [vector("str", rows), vector("str", columns)])


def phyloseq(path, across):
    """Two samples, three taxa: S1 = (5, 0, 1), S2 = (0, 7, 2)."""
    path.write_text(f"A\n{HEAD}{body(across)}")
    return path


def body(across):
    samples, taxa = ["S1", "S2"], ["o1", "o2", "o3"]
    rows, columns, cells = (taxa, samples, [5, 0, 1, 0, 7, 2]) if across else (samples, taxa, [5, 0, 0, 7, 1, 2])
    otu = vector("int", cells, {
        "dim": vector("int", [len(rows), len(columns)]), "taxa_are_rows": vector("lgl", [int(across)]),
        "class": vector("str", ["otu_table"]), "dimnames": names(rows, columns),
    }, True)  # fmt: skip
    tax = vector("str", ["Bacteria", "Bacteria", "Archaea", "Bacillota", None, "Euryarchaeota"], {
        "dim": vector("int", [3, 2]), "class": vector("str", ["taxonomyTable"]),
        "dimnames": names(taxa, ["Kingdom", "Phylum"]),
    }, True)  # fmt: skip
    sam = vector("list", [vector("str", ["P1", "P2"]), vector("real", [41, "NA"])], {
        "names": vector("str", ["Participant", "age"]), "row.names": vector("str", samples),
        "class": vector("str", ["sample_data"]),
    }, True)  # fmt: skip
    return "793\n" + pairs(otu_table=otu, tax_table=tax, sam_data=sam, **{"class": vector("str", ["phyloseq"])})


@pytest.mark.parametrize("across", [True, False])
def test_taxa_in_rows_or_columns_give_the_same_table(tmp_path, across):
    path = phyloseq(tmp_path / "p.rds", across)
    assert recognise(path).name == "R phyloseq"
    found = read(path)
    counts = found.counts
    assert counts.sample_ids == ("S1", "S2")
    assert counts.lineages == ("o1", "o2", "o3")
    assert counts.data.tolist() == [5, 1, 7, 2]
    assert counts.indices.tolist() == [0, 2, 1, 2]
    assert np.diff(counts.indptr).tolist() == [2, 2]
    assert found.lineages == {
        "o1": "k__Bacteria;p__Bacillota", "o2": "k__Bacteria", "o3": "k__Archaea;p__Euryarchaeota",
    }  # fmt: skip
    assert found.facts == {"sample_id": ["S1", "S2"], "Participant": ["P1", "P2"], "age": ["41", ""]}
    assert found.notes[0] == f"taxa are in {'rows' if across else 'columns'} (as the object says)"


def test_a_saved_workspace_with_one_phyloseq_object(tmp_path):
    path = tmp_path / "workspace.RData"
    path.write_text(f"RDA3\nA\n{HEAD}" + pairs(ps=body(True), seed=vector("int", [1])))
    assert read(path).counts.data.tolist() == [5, 1, 7, 2]
    path.write_text(f"RDA3\nA\n{HEAD}" + pairs(one=body(True), two=body(True)))
    with pytest.raises(InvalidInput, match="several phyloseq objects"):
        read(path)


def test_an_r_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "x.rds").write_text("A\n3\n262660\n197888\n5\nUTF-8\n" + vector("int", [1, 2]))
    with pytest.raises(InvalidInput, match="not_a_phyloseq"):
        read(tmp_path / "x.rds")


@pytest.mark.parametrize("data", [b"X\n\0\0", b"RDX3\nX\n", b"A\n3\n", b"X\n\0\0\0\x03\0\4\2\0\0\3\5\0"])
def test_broken_r_files_are_refused_in_words(tmp_path, data):
    (tmp_path / "x.rds").write_bytes(data)
    with pytest.raises(InvalidInput, match="unreadable_file"):
        read(tmp_path / "x.rds")
