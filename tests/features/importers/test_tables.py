"""Text tables of a cohort folder: shapes, encodings, broken bytes."""

import gzip

import pandas as pd
import pytest

from features.importers.folder import check_cohort, read_cohort
from features.importers.tables import cell, number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3.0),
        ("-1.5e3", -1500.0),
        ("", None),
        ("x", "x"),
        ("nan", "nan"),
        ("inf", "inf"),
        ("1_000", "1_000"),
    ],
)
def test_a_cell_is_a_finite_number_a_text_or_none(text, value):
    assert cell(text) == value
    assert number(text) == (value if isinstance(value, float) else None)


def test_parquet_twins_give_the_same_cohort(folder):
    before = read_cohort(folder)
    for name in ("samples", "lifestyle", "outcomes", "taxonomy"):
        pd.read_csv(folder / f"{name}.tsv", sep="\t").to_parquet(folder / f"{name}.parquet")
        (folder / f"{name}.tsv").unlink()
    pd.read_csv(folder / "counts.tsv.gz", sep="\t").to_parquet(folder / "counts.parquet")
    (folder / "counts.tsv.gz").unlink()
    assert read_cohort(folder).digest == before.digest


def test_gzipped_tables_with_byte_order_mark_and_windows_line_ends_read(folder):
    before = read_cohort(folder).digest
    text = "\ufeff" + (folder / "samples.tsv").read_text().replace("\n", "\r\n")
    (folder / "samples.tsv").unlink()
    (folder / "samples.tsv.gz").write_bytes(gzip.compress(text.encode()))
    assert read_cohort(folder).digest == before


@pytest.mark.parametrize("name", ["samples.tsv", "lifestyle.tsv", "outcomes.tsv"])
def test_a_missing_table(folder, name, found):
    (folder / name).unlink()
    assert ("missing_file", name, None, "") in found()


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfe\x00",
        b"\x1f\x8b\x08\x00broken",
        gzip.compress(bytes(range(200)), mtime=0)[:-9],
        b"",
        b"sample_id\n",
        b'"',
    ],
)
def test_broken_bytes_are_problems_not_tracebacks(folder, data):
    (folder / "counts.tsv.gz").write_bytes(data)
    assert check_cohort(folder)
    (folder / "counts.tsv.gz").unlink()
    (folder / "samples.tsv").write_bytes(data)
    assert check_cohort(folder)
