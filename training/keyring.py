"""The keys of this installation: one seals what was made here, one secret names the people in its run folders."""

from __future__ import annotations

import hmac
import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from features.errors import invalid
from models.record import create_secret, keyed_digest, read_secret
from models.seal import create_key, load_key

VARIABLE = "VAGUS_SIGNING_KEY"
FOLDER, NAME = Path(".vagus/keys"), "local"
SUBJECT_VARIABLE, SUBJECT_NAME = "VAGUS_SUBJECT_SECRET", "subjects.secret"


def signing_key() -> Ed25519PrivateKey:
    """Return the key of $VAGUS_SIGNING_KEY, or this folder's own, made on first use (.vagus/keys/local.key, mode 0600)."""
    given = os.environ.get(VARIABLE)
    path = Path(given) if given else FOLDER / f"{NAME}.key"
    if not given and not path.is_file():
        create_key(FOLDER, NAME)
    return load_key(path)


def subject_secret() -> bytes:
    """Return the secret of the digests that stand for people, made on first use (mode 0600) beside the signing key.

    One person has one digest in every run made under one secret. $VAGUS_SUBJECT_SECRET names another file.
    """
    path = subject_secret_path()
    if path.is_file() or os.environ.get(SUBJECT_VARIABLE):
        return read_secret(path)
    try:
        return create_secret(path)
    except OSError as error:
        remedy = f"let it be written, or name a file of 64 hex digits in {SUBJECT_VARIABLE}"
        raise invalid(
            "secret-unwritable", "the secret of the subject digests cannot be kept", remedy, file=path.name
        ) from error


def subject_secret_path() -> Path:
    """Return where the secret of the subject digests lies."""
    given, signer = os.environ.get(SUBJECT_VARIABLE), os.environ.get(VARIABLE)
    return Path(given) if given else (Path(signer).parent if signer else FOLDER) / SUBJECT_NAME


def secret_id(secret: bytes) -> str:
    """Return the short name of a secret, as runs record it: 16 hex digits that do not tell the secret."""
    return hmac.digest(secret, b"id", "sha256").hex()[:16]


def subject_name(subject: object, secret: bytes) -> str:
    """Return a person's name in run folders: 16 hex digits of an HMAC-SHA256 under the installation's secret."""
    return keyed_digest(secret, "subject of a run", str(subject)).rpartition(":")[2][:16]
