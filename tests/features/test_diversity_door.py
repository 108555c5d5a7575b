"""vagus taxa diversity, by its output."""

import json

import numpy as np
import pytest

from features.__main__ import main

TABLE = "taxon\tS1\tS2\ng__Blautia\t2\t0\ng__Dialister\t1\t7\ng__Alistipes\t1\t0\n"


@pytest.fixture
def table(tmp_path):
    (tmp_path / "t.tsv").write_text(TABLE)
    return tmp_path / "t.tsv"


def _rows(capsys, *arguments):
    assert main(["taxa", "diversity", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)["samples"]


def test_indices_per_sample(table, capsys):
    first, second = _rows(capsys, table)
    assert first["sample_id"] == "S1"
    assert first["shannon"] == pytest.approx(1.5 * np.log(2))
    assert second["observed"] == 1.0
    assert second["pielou"] is None


def test_a_table_for_people(table, capsys):
    assert main(["taxa", "diversity", str(table), "--index", "observed", "pielou"]) == 0
    assert capsys.readouterr().out.splitlines()[::2] == ["sample_id\tobserved\tpielou", "S2\t1.0\t"]


def test_chao1_on_shares_is_refused_without_a_traceback(tmp_path, capsys):
    (tmp_path / "t.tsv").write_text("taxon\tS1\tS2\ng__A\t0.25\t0.5\ng__B\t0.75\t0.5\n")
    assert main(["taxa", "diversity", str(tmp_path / "t.tsv"), "--index", "chao1"]) == 3
    assert "counts of reads" in capsys.readouterr().err


def test_faith_with_a_tree(table, tmp_path, capsys):
    tree = tmp_path / "tree.nwk"
    tree.write_text("((g__Blautia:1,g__Dialister:2):1,g__Alistipes:4);")
    assert [row["faith_pd"] for row in _rows(capsys, table, "--tree", tree)] == [8.0, 3.0]
    assert main(["taxa", "diversity", str(table), "--tree", str(tmp_path / "none")]) == 2


def test_a_distance_needs_a_reference_and_the_reference_a_name(table, tmp_path, capsys):
    assert "dysbiosis_distance" not in _rows(capsys, table)[0]
    rng = np.random.default_rng(5)
    lines = ["taxon\t" + "\t".join(f"R{i}" for i in range(25))]
    lines += [
        "\t".join([name, *map(str, rng.poisson(20, 25) + 1)]) for name in ("g__Blautia", "g__Dialister", "g__Alistipes")
    ]
    (tmp_path / "r.tsv").write_text("\n".join(lines) + "\n")
    first, second = _rows(capsys, table, "--reference", tmp_path / "r.tsv", "--reference-name", "town")
    assert (first["reference"], first["dysbiosis_reason"]) == ("town", "")
    assert 0 < first["dysbiosis_distance"] < second["dysbiosis_distance"]
    assert main(["taxa", "diversity", str(table), "--reference", str(tmp_path / "r.tsv")]) == 2
