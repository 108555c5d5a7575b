"""Malformed requests: a stable code, the path of the fault, a hint, and never the value that was sent."""

from __future__ import annotations

import json

import pytest

from serving.faults import RequestError
from serving.schemas import PredictRequest, decode, decoder

READER = decoder(PredictRequest)
GOOD = {"patients": [{"id": "a", "intervention": "x", "baseline": {"instrument": "PHQ-9", "score": 14}}]}


def fault(body: bytes) -> RequestError:
    with pytest.raises(RequestError) as caught:
        decode(body, READER)
    return caught.value


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        json.dumps(GOOD).encode() + b" x",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b'{"patients": NaN}',
        b'{"patients": Infinity}',
        b"'a'",
    ],
)
def test_what_is_not_json_is_400(body):
    assert (fault(body).status, fault(body).code) == (400, "malformed_json")


CASES = [
    ({}, "missing_field", "patients"),
    ({"patients": []}, "wrong_length", "patients"),
    ({"patients": [{"id": "a", "intervention": "x"}]}, "missing_field", "patients[0].baseline"),
    ({**GOOD, "CANARY": 1}, "unknown_field", ""),
    ([], "wrong_type", ""),
    ("CANARY", "wrong_type", ""),
]
TAXON = "patients[0].microbiome.taxa[...]"
CHANGES = [
    ({"CANARY": 1}, "unknown_field", "patients[0]"),
    ({"id": 7}, "wrong_type", "patients[0].id"),
    ({"id": ""}, "wrong_length", "patients[0].id"),
    ({"id": "CANARY" * 40}, "wrong_length", "patients[0].id"),
    ({"weeks": "CANARY"}, "wrong_type", "patients[0].weeks"),
    ({"weeks": 0}, "out_of_range", "patients[0].weeks"),
    ({"weeks": True}, "wrong_type", "patients[0].weeks"),
    ({"baseline": {"instrument": "PHQ-9", "score": "14"}}, "wrong_type", "patients[0].baseline.score"),
    ({"baseline": {"instrument": "PHQ-9", "items": [1.5]}}, "wrong_type", "patients[0].baseline.items[0]"),
    ({"microbiome": {"unit": "CANARY", "taxa": {}}}, "not_allowed", "patients[0].microbiome.unit"),
    (
        {"microbiome": {"unit": "counts", "taxa": {"a": -1}}},
        "out_of_range",
        "patients[0].microbiome.taxa[...]",
    ),
    (
        {"microbiome": {"unit": "counts", "taxa": {"a": "7"}}},
        "wrong_type",
        "patients[0].microbiome.taxa[...]",
    ),
    ({"lifestyle": {"age_years": [41]}}, "wrong_type", "patients[0].lifestyle[...]"),
    ({"lifestyle": {"age_years": {"a": {"b": 1}}}}, "wrong_type", "patients[0].lifestyle[...]"),
    ({"flags": ["CANARY", 3]}, "wrong_type", "patients[0].flags[1]"),
]


@pytest.mark.parametrize(
    ("body", "code", "field"),
    CASES + [({"patients": [{**GOOD["patients"][0], **c}]}, code, field) for c, code, field in CHANGES],
)
def test_what_is_not_as_specified_is_422_and_names_the_field(body, code, field):
    found = fault(json.dumps(body).encode())
    assert (found.status, found.code, found.field) == (422, code, field)
    assert found.hint
    assert b"CANARY" not in found.body()


def test_a_number_too_large_to_read_is_refused():
    found = fault(b'{"patients":[{"id":"a","intervention":"x","weeks":1e400,"baseline":{"instrument":"a"}}]}')
    assert (found.code, found.field) == ("out_of_range", "patients[0].weeks")


def test_a_key_that_imitates_a_path_is_not_repeated():
    hostile = {**GOOD, "x` - at `$.CANARY": 1}
    assert b"CANARY" not in fault(json.dumps(hostile).encode()).body()


def test_very_deep_nesting_is_refused_without_a_crash():
    assert fault(b'{"patients":' + b"[" * 200_000).status in (400, 422)


@pytest.mark.parametrize(
    "twice", ['"id":"p","id":"p"', '"id":"p","\\u0069d":"CANARY"', '"id":"p","flags":[],"flags":[]']
)
def test_a_field_that_stands_twice_is_refused(twice):
    head = '"intervention":"x","baseline":{"instrument":"PHQ-9","score":3}'
    good = '{"patients":[{"id":"p",' + head + "}]}"
    assert decode(good.encode(), decoder(PredictRequest)).patients[0].id == "p"
    with pytest.raises(RequestError) as caught:
        decode(('{"patients":[{' + twice + "," + head + "}]}").encode(), decoder(PredictRequest))
    assert (caught.value.status, caught.value.code) == (400, "duplicate_field")
    assert "CANARY" not in str(caught.value)


def test_a_taxon_that_stands_twice_is_refused():
    taxa = '{"unit":"counts","taxa":{"g__Blautia":3,"g__Blautia":4}}'
    body = '{"patients":[{"id":"p","intervention":"x","baseline":{"instrument":"PHQ-9","score":3},"microbiome":%s}]}'
    with pytest.raises(RequestError) as caught:
        decode((body % taxa).encode(), decoder(PredictRequest))
    assert caught.value.code == "duplicate_field"
