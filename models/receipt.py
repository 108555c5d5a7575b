"""The receipt of one logged event: proof, without the service, of what was answered and that it was logged.

A receipt is one canonical JSON object:

    format_version  1
    answer          the answer given, as JSON
    salt            hex; opens the keyed digests of this event's answer and input, never stored in the log
    private         nonce and the keyed digests `answer`, `input`, `subject`; null for events about no person
    entry           the logged entry; `entry.private` is the SHA-256 of `private`
    index, proof    the place of the entry in the tree, and the siblings that lead to the root (hex)
    checkpoint      the signed note with size and root
    public_key      the key that signed it
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from features.digest import canonical_json, json_digest
from features.errors import VerificationFailed
from models.checkpoint import Checkpoint, read_checkpoint
from models.manifest import parse_canonical
from models.merkle import leaf_hash, verify_inclusion
from models.record import RECORD_VERSION, Entry, keyed_digest

_RECEIPT_KEYS = frozenset(
    {"format_version", "answer", "salt", "private", "entry", "index", "proof", "checkpoint", "public_key"}
)


def make_receipts(
    entries: Sequence[Entry], first: int, proofs: Sequence[Sequence[bytes]], note: str, public_key: str
) -> list[bytes]:
    """Return the receipts of events logged together from place `first` on, as canonical bytes; keep them as they are."""
    # The parts are canonical already, so the whole is: its keys in order, with nothing between them.
    signed = b',"checkpoint":' + canonical_json(note) + b',"entry":'
    key = b',"public_key":' + canonical_json(public_key) + b',"salt":"'
    version = b',"format_version":%d,"index":' % RECORD_VERSION
    receipts = []
    for place, (entry, proof) in enumerate(zip(entries, proofs, strict=True), start=first):
        siblings = '","'.join([sibling.hex() for sibling in proof])
        quoted = f'"{siblings}"' if proof else ""
        middle = f'{place},"private":'.encode() + (entry.private or b"null") + f',"proof":[{quoted}]'.encode()
        salt = entry.salt.hex().encode() + b'"}'
        receipts.append(b'{"answer":' + entry.answer + signed + entry.content + version + middle + key + salt)
    return receipts


def verify_receipt(content: bytes, trusted: Sequence[str] | None = None) -> tuple[dict[str, Any], Checkpoint]:
    """Return a receipt and its checkpoint after checking every part of it offline.

    `trusted` pins the public keys that may have signed. Raises VerificationFailed naming the part that fails.
    """
    receipt = parse_canonical(content, "receipt")
    if set(receipt) != _RECEIPT_KEYS or receipt["format_version"] != RECORD_VERSION:
        raise VerificationFailed("receipt: not a receipt of a known format_version")
    if trusted is not None and receipt["public_key"] not in trusted:
        raise VerificationFailed("receipt: signed by a key that is not trusted")
    if type(receipt["index"]) is not int:
        raise VerificationFailed("receipt: the index is not a whole number")
    try:
        _verify_answer(receipt)
        checkpoint = read_checkpoint(receipt["checkpoint"], receipt["public_key"])
        proof = [_unhex(sibling) for sibling in receipt["proof"]]
        leaf = leaf_hash(canonical_json(receipt["entry"]))
        verify_inclusion(leaf, receipt["index"], checkpoint.size, proof, checkpoint.root)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise VerificationFailed("receipt: a part has the wrong form; it was altered") from error
    return receipt, checkpoint


def _verify_answer(receipt: Mapping[str, Any]) -> None:
    private, salt = receipt["private"], _unhex(receipt["salt"])
    expected = None if private is None else json_digest(private)
    if receipt["entry"]["private"] != expected:
        raise VerificationFailed("receipt: the private part is not the one that was logged")
    if private is None:
        if receipt["answer"] is not None or receipt["salt"] != "":
            raise VerificationFailed("receipt: an answer that was never logged")
        return
    if keyed_digest(salt, "answer", receipt["answer"]) != private["answer"]:
        raise VerificationFailed("receipt: the answer is not the one that was logged")


def _unhex(text: str) -> bytes:
    raw = bytes.fromhex(text)
    if raw.hex() != text:
        raise VerificationFailed("receipt: hex in another than the written form; it was altered")
    return raw
