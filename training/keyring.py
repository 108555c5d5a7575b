"""The key that vouches for what this machine made: runs and bundles are sealed with it."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from models.seal import create_key, load_key

VARIABLE = "VAGUS_SIGNING_KEY"
FOLDER, NAME = Path(".vagus/keys"), "local"


def signing_key() -> Ed25519PrivateKey:
    """Return the key of $VAGUS_SIGNING_KEY, or this folder's own, made on first use (.vagus/keys/local.key, mode 0600)."""
    given = os.environ.get(VARIABLE)
    path = Path(given) if given else FOLDER / f"{NAME}.key"
    if not given and not path.is_file():
        create_key(FOLDER, NAME)
    return load_key(path)
