"""Entries hold digests, never a person's values."""

import hashlib
import hmac
import json
import stat

import pytest

from features.errors import InvalidInput, Refused
from models.record import Event, create_secret, keyed_digest, make_entries, read_secret, subject_digest

SECRET = bytes(range(32))
TIME = "2026-01-02T03:04:05.000000+00:00"


def test_keyed_digest_by_hand():
    expected = hmac.new(SECRET, b'subject\x00"p-17"', hashlib.sha256).hexdigest()
    assert subject_digest(SECRET, "p-17") == f"hmac-sha256:{expected}"
    assert keyed_digest(SECRET, "input", "p-17") != keyed_digest(SECRET, "answer", "p-17")


def test_an_entry_never_contains_the_values():
    canary = "canary-4711"
    event = Event(
        "prediction",
        "clinic-a",
        {"model_digest": "sha256:0"},
        subject=canary,
        input={"x": canary},
        answer=[canary],
    )
    entry = make_entries([event], TIME, SECRET)[0]
    assert canary.encode() not in entry.content + entry.private
    content = json.loads(entry.content)
    assert (content["kind"], content["actor"], content["time"]) == ("prediction", "clinic-a", TIME)
    assert content["private"] == "sha256:" + hashlib.sha256(entry.private).hexdigest()


def test_the_same_answer_twice_cannot_be_linked_without_the_secret():
    first, second = (
        json.loads(make_entries([Event("prediction", "a", {}, subject="p", answer=1)], TIME, SECRET)[0].private)
        for _ in range(2)
    )
    assert first["answer"] != second["answer"]
    assert first["subject"] == second["subject"] == subject_digest(SECRET, "p")


def test_events_about_no_person_have_no_private_part():
    entry = make_entries([Event("load", "service", {"bundle": "x", "size": 3.5})], TIME, SECRET)[0]
    assert entry.private is None
    assert json.loads(entry.content)["private"] is None


@pytest.mark.parametrize("fact", ["change", "score", "age_years", "reasons"])
def test_facts_about_a_person_are_refused_unless_listed(fact):
    with pytest.raises(Refused, match=fact):
        Event("prediction", "clinic-a", {fact: 1})
    with pytest.raises(Refused, match=fact):
        Event("access", "clinic-a", {fact: 1}, subject="p")


def test_unknown_kinds_are_bad_input():
    with pytest.raises(InvalidInput, match="prediction"):
        Event("gossip", "a")


def test_an_answer_that_is_no_json_is_bad_input():
    with pytest.raises(InvalidInput, match="JSON"):
        make_entries([Event("prediction", "a", {}, answer=float("nan"))], TIME, SECRET)[0]


def test_the_secret_is_private_and_never_overwritten(tmp_path):
    secret = create_secret(tmp_path / "keys" / "log.secret")
    assert read_secret(tmp_path / "keys" / "log.secret") == secret
    assert stat.S_IMODE((tmp_path / "keys" / "log.secret").stat().st_mode) == 0o600
    with pytest.raises(Refused):
        create_secret(tmp_path / "keys" / "log.secret")
    (tmp_path / "short").write_text("00")
    for name in ("short", "absent"):
        with pytest.raises(InvalidInput):
            read_secret(tmp_path / name)
