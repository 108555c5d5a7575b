"""A columnar body gives the answers of the plain one; a wrong column, row or cell is named by its place."""

from __future__ import annotations

import hashlib
import json

import pytest

from features.digest import canonical_json, json_digest
from serving.columnar import is_columnar, read_table, rows_of, sent_rows
from serving.faults import RequestError
from serving.predict import predict
from serving.schemas import PredictRequest, convert

COLUMNS = [
    *("id", "intervention", "weeks", "baseline.instrument", "baseline.score", "lifestyle.age_years"),
    *("microbiome.unit", "microbiome.taxa.g__Blautia", "microbiome.taxa.g__Roseburia", "flags"),
]
ROWS = [
    ["a", "placebo", 8, "PHQ-9", 14, 41, "counts", 300, 0, []],
    ["b", "probiotic", 7, "PHQ-9", 9, None, None, None, None, ["pregnancy"]],
]
PLAIN = [
    {"id": "a", "intervention": "placebo", "weeks": 8, "baseline": {"instrument": "PHQ-9", "score": 14},
     "lifestyle": {"age_years": 41}, "microbiome": {"unit": "counts", "taxa": {"g__Blautia": 300}}},
    {"id": "b", "intervention": "probiotic", "weeks": 7, "baseline": {"instrument": "PHQ-9", "score": 9},
     "flags": ["pregnancy"]},
]  # fmt: skip


def read(columns, rows):
    return rows_of(read_table(json.dumps({"columns": columns, "rows": rows}).encode()))


def test_columns_and_plain_bodies_are_the_same_patients(bundles):
    request = read(COLUMNS, ROWS)
    assert request == convert({"patients": PLAIN}, PredictRequest)
    assert [row["change"] for row in predict(bundles, request)["predictions"]] == [-10.0, None]


def test_a_body_is_columnar_by_its_fields_in_any_order():
    assert is_columnar(b'{"site_reference": null, "rows": [], "columns": []}')
    assert not is_columnar(b'{"patients": [{"columns": 1}]}')
    assert not is_columnar(b"{")


@pytest.mark.parametrize(
    ("columns", "rows", "code", "field"),
    [
        ([*COLUMNS, "CANARY"], [[*ROWS[0], 1]], "unknown_column", "columns[10]"),
        ([*COLUMNS, "baseline.CANARY"], [[*ROWS[0], 1]], "unknown_column", "columns[10]"),
        ([*COLUMNS, "id"], [[*ROWS[0], "a"]], "duplicate_column", "columns"),
        (COLUMNS, [ROWS[0], ROWS[1][:-1]], "ragged_row", "rows[1]"),
        (COLUMNS, [], "wrong_length", ""),
        (COLUMNS, [[*ROWS[0][:4], "CANARY", *ROWS[0][5:]]], "wrong_type", "patients[0].baseline.score"),
        (COLUMNS, [[*ROWS[0][:7], "305", *ROWS[0][8:]]], "wrong_type", "patients[0].microbiome.taxa[...]"),
        (COLUMNS, [[*ROWS[0][:7], False, *ROWS[0][8:]]], "wrong_type", "patients[0].microbiome.taxa[...]"),
        (COLUMNS, [[*ROWS[0][:7], -1, *ROWS[0][8:]]], "out_of_range", "patients[0].microbiome.taxa[...]"),
        (COLUMNS, [[None, *ROWS[0][1:]]], "missing_field", "patients[0].id"),
        (COLUMNS, [[{"a": 1}, *ROWS[0][1:]]], "wrong_type", ""),
    ],
)
def test_a_wrong_table_is_refused_by_place(columns, rows, code, field):
    with pytest.raises(RequestError) as caught:
        read(columns, rows)
    assert (caught.value.status, caught.value.code, caught.value.field) == (422, code, field)
    assert b"CANARY" not in caught.value.body()


@pytest.mark.parametrize(
    "row", [b'["\xff"]', b'["a\\ud800"]', b"[NaN]", b"[1e999]", b'["a"', b"[" * 5000 + b"]" * 5000]
)
def test_a_row_that_is_no_json_is_refused_as_such(row):
    with pytest.raises(RequestError) as caught:
        rows_of(read_table(b'{"columns":["id"],"rows":[' + row + b"]}"))
    assert caught.value.code in ("malformed_json", "out_of_range", "wrong_type")


@pytest.mark.parametrize("again", [b'"rows":[]', b'"columns":["id"],"site_reference":null'])
def test_a_table_that_names_a_part_twice_is_refused(again):
    with pytest.raises(RequestError) as caught:
        read_table(b'{"columns":["id"],"rows":[["a"]],' + again + b"}")
    assert caught.value.code in ("duplicate_field", "wrong_length")


def test_a_receipt_opens_to_the_row_as_sent():
    table = read_table(b'{"columns": ["id", "weeks"], "rows": [["a",  8.50], ["b:c", 8]]}')
    columns = "sha256:" + hashlib.sha256(b'["id","weeks"]').hexdigest()
    sent = [{"columns": columns, "row": '["a",  8.50]'}, {"columns": columns, "row": '["b:c", 8]'}]
    assert sent_rows(table) == [canonical_json(one) for one in sent]


def test_a_row_opens_to_its_canonical_form_whatever_stands_in_it():
    texts = [
        '["\\u00e9\\n\\ud83d\\ude00", "\\\\", 1e-7]',
        '[\t"\u00e9/\u2028", "a" , -0.0]',
        '["\x7f", null\n, 12345678901234567890]',
    ]
    table = read_table(f'{{"columns": ["id", "x", "y"], "rows": [{", ".join(texts)}]}}'.encode())
    columns = json_digest(["id", "x", "y"])
    assert sent_rows(table) == [canonical_json({"columns": columns, "row": text}) for text in texts]
