"""Verify one receipt offline, without Vagus: `python verify_receipt.py receipt.json [--key PUB]`.

This file stands alone: Python 3.11 and the `cryptography` package are all it needs. It checks, in this
order, that the receipt's bytes are in canonical form; that answer and salt open the digest in the private
part; that the private part is the one named in the logged entry; that the entry is in the tree of the
checkpoint (RFC 6962); and that the checkpoint was signed (Ed25519, C2SP signed note) by the key in the
receipt, or by the key given with --key. With --input, the JSON of the patient that was sent is checked too.
A tool that indents or reorders JSON spoils the canonical form, not the content: --reformatted restores it first.
Exit code 0: verified; 2: bad usage; 4: not verified.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import hmac
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

KEYS = {"format_version", "answer", "salt", "private", "entry", "index", "proof", "checkpoint", "public_key"}
EMPTY_ROOT = hashlib.sha256(b"").digest()


class NotVerifiedError(Exception):
    """The receipt does not hold; the message says which part."""


def check(condition: bool, message: str) -> None:
    """Raise NotVerifiedError with the message unless the condition holds."""
    if not condition:
        raise NotVerifiedError(message)


def canonical(value: object) -> bytes:
    """Return the one byte string that stands for a JSON value."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def parent(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def verify_subtree(part: bytes, span: tuple[int, int], size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that `part` is the hash of the entries [start, end) of a tree, walking its two edges upwards.

    The bits of `first` and `last` are the paths of the span's edges, those of `end` the tree's.
    """
    start, stop = span
    width = 1 << max(stop - start - 1, 0).bit_length()
    check(0 <= start <= stop <= size < 1 << 63 and start % width == 0, "the range is not a subtree")
    if start == stop:
        check(not proof and part == EMPTY_ROOT, "an empty range has an empty proof")
        return
    first, last, end, siblings = start, stop - 1, size - 1, list(proof)
    while first != last and (last == end or last & 1):
        first, last, end = first >> 1, last >> 1, end >> 1
    check(first == last or bool(siblings), "the proof is too short")
    inner = outer = part if first == last else siblings.pop(0)
    for sibling in siblings:
        check(end > 0, "the proof is too long")
        if last & 1 or last == end:
            inner = parent(sibling, inner) if first < last else inner
            outer = parent(sibling, outer)
            while not last & 1:
                first, last, end = first >> 1, last >> 1, end >> 1
        else:
            outer = parent(outer, sibling)
        first, last, end = first >> 1, last >> 1, end >> 1
    check(end == 0 and inner == part and outer == root, "the proof does not lead to the root")


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that a leaf hash stands at `index` in the tree of that size and root."""
    check(len(leaf) == 32, "a leaf hash has 32 bytes")
    verify_subtree(leaf, (index, index + 1), size, proof, root)


def verify_consistency(old: bytes, old_size: int, new: bytes, new_size: int, proof: Sequence[bytes]) -> None:
    """Check that one tree is a prefix of another; an empty tree proves nothing but itself."""
    check(old_size > 0 or (new_size, new) == (0, EMPTY_ROOT), "consistency with an empty tree says nothing")
    verify_subtree(old, (0, old_size), new_size, proof, new)


def unhex(text: str) -> bytes:
    """Return the bytes of lower-case hex, and of nothing else."""
    raw = bytes.fromhex(text)
    check(raw.hex() == text, "hex in another than the written form")
    return raw


def unbase64(text: str) -> bytes:
    """Return the bytes of base64 in its written form, and of nothing else."""
    raw = base64.b64decode(text, validate=True)
    check(base64.b64encode(raw).decode() == text, "base64 in another than the written form")
    return raw


def public_key_bytes(text: str) -> bytes:
    """Return the 32 bytes of `ed25519:<hex>`."""
    check(text.startswith("ed25519:"), "the public key is not written ed25519:<hex>")
    return unhex(text.removeprefix("ed25519:"))


def read_checkpoint(note: str, public_key: str) -> tuple[int, bytes]:
    """Return size and root of a signed note, its signature checked."""
    body, separator, signature = note.partition("\n\n")
    lines = body.split("\n")
    check(bool(separator) and len(lines) == 4 and lines[3].startswith("time "), "the checkpoint is not a note")
    prefix = f"— {lines[0]} "
    check(signature.startswith(prefix) and signature.endswith("\n"), "the checkpoint bears another name")
    signed, raw = unbase64(signature[len(prefix) : -1]), public_key_bytes(public_key)
    name_hash = hashlib.sha256(lines[0].encode() + b"\n\x01" + raw).digest()[:4]
    check(signed[:4] == name_hash, "the checkpoint was signed by another key")
    Ed25519PublicKey.from_public_bytes(raw).verify(signed[4:], (body + "\n").encode())
    check(str(int(lines[1])) == lines[1], "the checkpoint's size is not a number")
    return int(lines[1]), unbase64(lines[2])


def keyed_digest(salt: str, label: str, value: object) -> str:
    """Return the keyed digest of a JSON value."""
    message = label.encode() + b"\x00" + canonical(value)
    return "hmac-sha256:" + hmac.new(unhex(salt), message, hashlib.sha256).hexdigest()


def verify_answer(receipt: dict[str, Any]) -> None:
    """Check that the answer is the one whose digest was logged."""
    private = receipt["private"]
    if private is None:
        nothing = receipt["answer"] is None and receipt["salt"] == "" and receipt["entry"]["private"] is None
        check(nothing, "an answer that was never logged")
        return
    digest = "sha256:" + hashlib.sha256(canonical(private)).hexdigest()
    check(receipt["entry"]["private"] == digest, "the private part is not the one that was logged")
    expected = keyed_digest(receipt["salt"], "answer", receipt["answer"])
    check(private["answer"] == expected, "the answer is not the one that was logged")


def verify_receipt(content: bytes, public_key: str | None = None) -> dict[str, Any]:
    """Return a receipt after checking all of it; raises NotVerifiedError naming the part that fails."""
    try:
        receipt: dict[str, Any] = json.loads(content)
        check(canonical(receipt) == content, "not in canonical form: keep the bytes, or see --reformatted")
        check(set(receipt) == KEYS and receipt["format_version"] == 1, "not a receipt of format_version 1")
        check(public_key in (None, receipt["public_key"]), "signed by another key than the one you trust")
        check(type(receipt["index"]) is int, "the index is not a whole number")
        verify_answer(receipt)
        size, root = read_checkpoint(receipt["checkpoint"], receipt["public_key"])
        leaf = hashlib.sha256(b"\x00" + canonical(receipt["entry"])).digest()
        verify_inclusion(leaf, receipt["index"], size, [unhex(item) for item in receipt["proof"]], root)
    except InvalidSignature as error:
        raise NotVerifiedError("the checkpoint's signature does not hold") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, binascii.Error) as error:
        raise NotVerifiedError("a part is missing or has the wrong form") from error
    return receipt


def main(arguments: list[str]) -> int:
    """Verify one receipt; print what it proves, or what does not hold."""
    parser = argparse.ArgumentParser(description="Verify a prediction receipt offline.")
    parser.add_argument("receipt", type=Path)
    parser.add_argument("--key", help="the public key you trust: ed25519:<hex>, or a .pub file")
    parser.add_argument("--input", type=Path, help="the JSON of the patient that was sent")
    parser.add_argument("--reformatted", action="store_true", help="a JSON tool has changed spaces or order")
    options = parser.parse_args(arguments)
    try:
        key = options.key
        if key and not key.startswith("ed25519:"):
            key = Path(key).read_text(encoding="ascii").strip()
        content = options.receipt.read_bytes()
        receipt = verify_receipt(canonical(json.loads(content)) if options.reformatted else content, key)
        if options.input:
            sent = keyed_digest(receipt["salt"], "input", json.loads(options.input.read_bytes()))
            check(receipt["private"]["input"] == sent, "the input is not the one that was logged")
    except (NotVerifiedError, OSError, ValueError, TypeError) as error:
        sys.stdout.write(f"NOT VERIFIED: {error}\n")
        return 4
    entry, signer = receipt["entry"], "the key you trust" if key else "a key nobody pinned (give --key)"
    sys.stdout.write(f"VERIFIED: {entry['kind']} {entry['id']} at {entry['time']}, entry {receipt['index']}\n")
    sys.stdout.write(f"signed by {signer}: {receipt['public_key']}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
