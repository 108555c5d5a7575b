"""Signed checkpoints: the log's word about its size and root, as a C2SP signed note.

    <origin>
    <size>
    <base64 of the root>
    time <UTC time of signing>

    — <origin> <base64 of 4 bytes of key hash and the Ed25519 signature>

The key hash is the head of SHA-256(name, newline, 0x01, key).
References: C2SP tlog-checkpoint and signed-note.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from features.errors import VerificationFailed
from models.seal import public_bytes, public_text, verify_bytes

_MAX_SIZE = 1 << 63


@dataclass(frozen=True)
class Checkpoint:
    """The state of a log at one time: `size` entries under `root` (32 bytes)."""

    origin: str
    size: int
    root: bytes
    time: str


def sign_checkpoint(checkpoint: Checkpoint, key: Ed25519PrivateKey, public_key: str = "") -> str:
    """Return the signed note of a checkpoint; `public_key`, the key's public half, saves deriving it again."""
    root = base64.b64encode(checkpoint.root).decode()
    body = f"{checkpoint.origin}\n{checkpoint.size}\n{root}\ntime {checkpoint.time}\n"
    signed = _key_hash(checkpoint.origin, public_key or public_text(key)) + key.sign(body.encode())
    return f"{body}\n— {checkpoint.origin} {base64.b64encode(signed).decode()}\n"


def read_checkpoint(note: str, public_key: str) -> Checkpoint:
    """Return the checkpoint of a note after checking its form and its signature under the public key.

    Raises VerificationFailed for a note of any other form or by another key.
    """
    body, separator, signature_line = note.partition("\n\n")
    lines = body.split("\n")
    if not separator or len(lines) != 4 or not lines[3].startswith("time "):
        raise VerificationFailed("checkpoint: not a signed note of a log; it was altered or cut short")
    origin, size, root, time = lines[0], lines[1], lines[2], lines[3].removeprefix("time ")
    if not (size.isascii() and size.isdigit() and len(size) < 20 and str(int(size)) == size):
        raise VerificationFailed("checkpoint: the size is not a number")
    prefix = f"— {origin} "
    if not signature_line.startswith(prefix) or not signature_line.endswith("\n"):
        raise VerificationFailed("checkpoint: signed under another name than its origin")
    signed = _strict_base64(signature_line[len(prefix) : -1])
    if signed[:4] != _key_hash(origin, public_key):
        raise VerificationFailed("checkpoint: signed by another key than the one given")
    verify_bytes((body + "\n").encode(), signed[4:].hex(), public_key, "checkpoint")
    checkpoint = Checkpoint(origin, int(size), _strict_base64(root), time)
    if len(checkpoint.root) != 32 or checkpoint.size >= _MAX_SIZE:
        raise VerificationFailed("checkpoint: the root or the size is out of range")
    return checkpoint


@lru_cache(maxsize=16)
def _key_hash(name: str, public_key: str) -> bytes:
    return hashlib.sha256(name.encode() + b"\n\x01" + public_bytes(public_key)).digest()[:4]


def _strict_base64(text: str) -> bytes:
    """Return the decoded bytes, refusing every text but the one that encoding gives."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise VerificationFailed("checkpoint: not base64; it was altered") from error
    if base64.b64encode(raw).decode() != text:
        raise VerificationFailed("checkpoint: base64 in another than the written form; it was altered")
    return raw
