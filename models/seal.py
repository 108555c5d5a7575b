"""Ed25519 seals: who vouches for a folder, checked before anything in it is believed.

A seal (`manifest.sig.json`) signs the digest of the canonical manifest, the signer's key and the time; the
manifest in turn names every file. A public key is written `ed25519:<64 hex digits>`; its key id is the first
16 hex digits of the SHA-256 of its 32 bytes. Reference: RFC 8032.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from features.digest import canonical_json, sha256
from features.errors import Refused, VerificationFailed, invalid
from models.manifest import SEAL_NAME, folder_digest, read_canonical, verify_folder

SEAL_VERSION = 1
_PREFIX = "ed25519:"
_PURPOSE = "vagus folder seal"


@dataclass(frozen=True)
class SealReport:
    """What a seal says: `status` is `unsigned`, `signed` (by a key nobody pinned) or `trusted`."""

    status: str
    digest: str
    public_key: str = ""
    key_id: str = ""
    signed_at: str = ""


def create_key(folder: Path, name: str) -> Path:
    """Create `NAME.key` (private, mode 0600) and `NAME.pub` (text); return the private key's path.

    Raises Refused when a key of that name exists: a key is rotated, never overwritten.
    """
    if not name or not name.replace("-", "").replace("_", "").isalnum():
        raise invalid("key-name", "a key name has letters, digits, - and _ only", "choose another name")
    folder.mkdir(parents=True, exist_ok=True)
    private = folder / f"{name}.key"
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        handle = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise Refused("key-exists", f"{private.name} exists; rotate it or choose another name") from error
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
    private.with_suffix(".pub").write_text(public_text(key) + "\n")
    return private


def load_key(path: Path) -> Ed25519PrivateKey:
    """Return the private key of a PEM file; raises InvalidInput where it is missing or of another kind."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        remedy = "create one with `vagus keys create`"
        raise invalid("key-unreadable", "no readable private key", remedy, file=path.name) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise invalid("key-kind", "the key is not Ed25519", "create one with `vagus keys create`", file=path.name)
    return key


def public_text(key: Ed25519PrivateKey) -> str:
    """Return the public half of a key as `ed25519:<hex>`."""
    return _PREFIX + key.public_key().public_bytes_raw().hex()


def key_id(public_key: str) -> str:
    """Return the short name of a public key: the first 16 hex digits of the SHA-256 of its bytes."""
    return hashlib.sha256(public_bytes(public_key)).hexdigest()[:16]


def sign_bytes(content: bytes, key: Ed25519PrivateKey) -> str:
    """Return the signature of bytes as 128 hex digits."""
    return key.sign(content).hex()


def verify_bytes(content: bytes, signature: str, public_key: str, what: str) -> None:
    """Raise VerificationFailed naming `what` unless the signature of the bytes holds under the public key."""
    try:
        raw = bytes.fromhex(signature)
        # Hex digits have two cases: only the written form counts, so that every altered byte is seen.
        if raw.hex() != signature:
            raise ValueError("not in written form")
        Ed25519PublicKey.from_public_bytes(public_bytes(public_key)).verify(raw, content)
    except (InvalidSignature, ValueError, TypeError) as error:
        raise VerificationFailed(f"{what}: the signature does not hold; do not use it") from error


def sign_folder(folder: Path, key: Ed25519PrivateKey) -> SealReport:
    """Verify a folder against its manifest, write `manifest.sig.json`, and return what it says."""
    manifest = verify_folder(folder)
    statement = _statement(
        sha256(canonical_json(manifest)), public_text(key), datetime.now(UTC).isoformat(timespec="seconds")
    )
    seal = {**statement, "signature": sign_bytes(canonical_json(statement), key)}
    (folder / SEAL_NAME).write_bytes(canonical_json(seal))
    return verify_seal(folder)


def verify_seal(folder: Path, trusted: Sequence[str] | None = None) -> SealReport:
    """Return what the seal of a folder says, after checking every file and the signature.

    `trusted` pins public keys: an unsigned folder, or another signer, then raises VerificationFailed.
    """
    manifest = verify_folder(folder)
    digest = folder_digest(manifest)
    if not (folder / SEAL_NAME).exists():
        if trusted is not None:
            raise VerificationFailed(f"{folder.name}: unsigned, and a trusted key was asked for; sign it first")
        return SealReport("unsigned", digest)
    seal = read_canonical(folder / SEAL_NAME)
    signature = seal.pop("signature", None)
    public_key, signed_at = seal.get("public_key"), seal.get("signed_at")
    manifest_digest = sha256(canonical_json(manifest))
    if seal != _statement(manifest_digest, str(public_key), str(signed_at)):
        raise VerificationFailed(f"{SEAL_NAME}: the seal was made for another manifest; do not use this folder")
    verify_bytes(canonical_json(seal), str(signature), str(public_key), SEAL_NAME)
    if trusted is not None and public_key not in trusted:
        raise VerificationFailed(f"{SEAL_NAME}: signed by key {seal['key_id']}, which is not a trusted key")
    status = "signed" if trusted is None else "trusted"
    return SealReport(status, digest, str(public_key), seal["key_id"], str(signed_at))


def read_public_key(path: Path) -> str:
    """Return the public key text of a `.pub` file; raises InvalidInput where it is none."""
    try:
        text = path.read_text(encoding="ascii").strip()
        public_bytes(text)
    except (OSError, ValueError, VerificationFailed) as error:
        raise invalid("key-public", "not a public key file", "give the NAME.pub file", file=path.name) from error
    return text


def _statement(manifest_digest: str, public_key: str, signed_at: str) -> dict[str, Any]:
    return {
        "format_version": SEAL_VERSION,
        "purpose": _PURPOSE,
        "manifest": manifest_digest,
        "public_key": public_key,
        "key_id": key_id(public_key),
        "signed_at": signed_at,
    }


def public_bytes(public_key: str) -> bytes:
    """Return the 32 bytes of a public key text; raises VerificationFailed where it is none."""
    digits = public_key.removeprefix(_PREFIX)
    try:
        raw = bytes.fromhex(digits)
    except ValueError as error:
        raise VerificationFailed("a public key is written ed25519:<64 hex digits>") from error
    if public_key != _PREFIX + raw.hex() or len(raw) != 32:
        raise VerificationFailed("a public key is written ed25519:<64 hex digits>")
    return raw
