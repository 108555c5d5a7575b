"""A receipt proves offline what was answered; any change to it is seen."""

import json
import random

import pytest

from features.digest import canonical_json
from features.errors import VerificationFailed
from models.log import open_log
from models.receipt import verify_receipt
from models.record import Event, create_secret, keyed_digest
from models.seal import create_key, load_key

ANSWER = {"id": "p-17", "change": -4.123456789012345, "interval": {"level": 0.9, "lower": -9.0, "upper": 1.2}}
INPUT = {"baseline": {"instrument": "PHQ-9", "score": 14}}


@pytest.fixture
def log(tmp_path):
    key = load_key(create_key(tmp_path / "keys", "log"))
    log = open_log(tmp_path / "log.sqlite", key=key, secret=create_secret(tmp_path / "keys" / "log.secret"))
    yield log
    log.close()


@pytest.fixture
def receipt(log):
    log.append([Event("load", "service", {"n": i}) for i in range(11)])
    event = Event("prediction", "clinic-a", {"model_digest": "sha256:0"}, "p-17", INPUT, ANSWER)
    return log.append([event])[0]


def test_a_receipt_verifies_and_opens_answer_and_input(log, receipt):
    content, checkpoint = verify_receipt(receipt, [log.public_key])
    assert content["answer"] == ANSWER
    assert (content["index"], checkpoint.size) == (11, 12)
    assert keyed_digest(bytes.fromhex(content["salt"]), "input", INPUT) == content["private"]["input"]


def test_a_receipt_of_an_event_about_no_person_verifies(log):
    content, _ = verify_receipt(log.append([Event("load", "service", {})])[0])
    assert (content["answer"], content["private"], content["salt"]) == (None, None, "")


def test_a_key_that_is_not_pinned_is_refused(receipt):
    with pytest.raises(VerificationFailed, match="not trusted"):
        verify_receipt(receipt, ["ed25519:" + "00" * 32])


def test_every_flipped_bit_is_seen(log, receipt):
    for bit in random.Random(1).sample(range(8 * len(receipt)), 1500):
        spoiled = bytearray(receipt)
        spoiled[bit // 8] ^= 1 << bit % 8
        with pytest.raises(VerificationFailed):
            verify_receipt(bytes(spoiled), [log.public_key])


CHANGES = {
    "answer": {"id": "p-17", "change": -4.2},
    "salt": "00" * 32,
    "index": 10,
    "proof": [],
    "private": None,
    "format_version": 2,
    "checkpoint": "",
    "entry": {},
    "public_key": 5,
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_part_is_bound(receipt, name):
    with pytest.raises(VerificationFailed):
        verify_receipt(canonical_json({**json.loads(receipt), name: CHANGES[name]}))


def test_parts_may_neither_be_added_nor_left_out(receipt):
    content = json.loads(receipt)
    for name in content:
        with pytest.raises(VerificationFailed):
            verify_receipt(canonical_json({key: value for key, value in content.items() if key != name}))
    with pytest.raises(VerificationFailed):
        verify_receipt(canonical_json({**content, "note": ""}))


@pytest.mark.parametrize("index", [True, 11.0, "11", None])
def test_an_index_is_a_whole_number(receipt, index):
    with pytest.raises(VerificationFailed):
        verify_receipt(canonical_json({**json.loads(receipt), "index": index}))
