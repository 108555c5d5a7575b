"""Canonical JSON: one byte string per value, the one that the standard library writes, whichever way it is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from features.digest import canonical_json

NUMBERS = (
    st.floats(allow_nan=False, allow_infinity=False)
    | st.floats(-1e-3, 1e-3)
    | st.floats(1e14, 1e18)
    | st.integers(-(2**70), 2**70)
)
LEAVES = (
    st.none() | st.booleans() | NUMBERS | st.text() | st.sampled_from(["null", "e12,", "0.00001", "\x7f\x1f", "😀"])
)
VALUES = st.recursive(
    LEAVES, lambda own: st.lists(own) | st.tuples(own, own) | st.dictionaries(st.text(), own), max_leaves=20
)


@given(VALUES)
@example(1e-05)
@example([1e16, 9999999999999998.0, -1e-05, 1e-07, 5e-324, None])
@example({"null": None, "b": [None, "null"], "é": -0.0})
def test_canonical_json_is_what_the_standard_library_writes(value: Any) -> None:
    plain = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    assert canonical_json(value) == plain.encode()


@pytest.mark.parametrize("value", [float("nan"), [None, float("inf")], {"a": -float("inf"), "b": "null"}, "\ud800"])
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"JSON|surrogates"):
        canonical_json(value)


@pytest.mark.parametrize("value", [{1, 2}, b"x", {"a": object()}])
def test_what_is_no_json_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)
