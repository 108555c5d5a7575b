"""Checkpoints are C2SP signed notes; only the written form and the right key are believed."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from features.errors import VerificationFailed
from models.checkpoint import Checkpoint, read_checkpoint, sign_checkpoint
from models.seal import public_text

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
CHECKPOINT = Checkpoint("vagus-log-1", 7, bytes(range(32)), "2026-01-02T03:04:05+00:00")


def test_a_note_has_the_published_form_and_reads_back():
    note = sign_checkpoint(CHECKPOINT, KEY)
    head, signature = note.split("\n\n")
    assert head == "vagus-log-1\n7\n" + base64.b64encode(bytes(range(32))).decode() + "\ntime " + CHECKPOINT.time
    assert signature.startswith("— vagus-log-1 ")
    assert signature.endswith("\n")
    assert len(base64.b64decode(signature.split()[-1])) == 4 + 64
    assert read_checkpoint(note, public_text(KEY)) == CHECKPOINT


def test_another_key_is_said():
    other = public_text(Ed25519PrivateKey.generate())
    with pytest.raises(VerificationFailed, match="another key"):
        read_checkpoint(sign_checkpoint(CHECKPOINT, KEY), other)


def test_every_flipped_bit_of_a_note_is_seen():
    content = sign_checkpoint(CHECKPOINT, KEY).encode()
    for bit in range(8 * len(content)):
        spoiled = bytearray(content)
        spoiled[bit // 8] ^= 1 << bit % 8
        with pytest.raises(VerificationFailed):
            read_checkpoint(spoiled.decode(errors="replace"), public_text(KEY))


@pytest.mark.parametrize("note", ["", "\n\n", "a\nb\nc\ntime x\n\n— a AAAA\n", "a\n-1\nAA==\ntime x\n\n— a AAAA\n"])
def test_other_texts_are_no_checkpoints(note):
    with pytest.raises(VerificationFailed):
        read_checkpoint(note, public_text(KEY))
