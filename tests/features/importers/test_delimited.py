"""Delimited text of any make, and what is said where it is broken."""

import gzip

import pytest

from features.errors import InvalidInput
from features.importers.delimited import delimiter_of, lines, opening, read_matrix, read_sheet


@pytest.mark.parametrize(("line", "mark"), [("a\tb;c", "\t"), ("a;b,5;c", ";"), ("a,b;c,d", ","), ("a", ",")])
def test_delimiters(line, mark):
    assert delimiter_of(line) == mark


def test_gzip_and_line_ends(tmp_path):
    (tmp_path / "t.gz").write_bytes(gzip.compress(b"a\tb\r\n1\t2\r3\t4"))
    assert list(lines(tmp_path / "t.gz")) == ["a\tb", "1\t2", "3\t4"]


def test_a_fault_names_the_line_and_column_and_not_the_value(tmp_path):
    (tmp_path / "t.csv").write_text("id,x,y\na,1,2\n\nb,3,secret\n")
    with pytest.raises(InvalidInput) as caught:
        read_matrix(read_sheet(tmp_path / "t.csv"), [1, 2])
    (problem,) = caught.value.problems
    assert (problem.code, problem.row, problem.column) == ("not_a_number", 4, "y")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "data", [b"\x1f\x8b\x08broken", gzip.compress(b"a\tb\n" * 99, mtime=0)[:-12], b"a\tb\n\xff\xfe\xfa\n"]
)
def test_broken_bytes(tmp_path, data):
    (tmp_path / "t.tsv").write_bytes(data)
    with pytest.raises(InvalidInput, match="unreadable_file"):
        list(lines(tmp_path / "t.tsv"))


def test_a_git_lfs_pointer_is_named(tmp_path):
    (tmp_path / "t.tsv").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(InvalidInput, match="git lfs pull"):
        opening(tmp_path / "t.tsv")
