"""The folder of a log: the store, its signing key and its secret, found by the same names wherever it is opened.

    FOLDER/log.sqlite    the log
    FOLDER/keys/log.key  signs checkpoints (0600); log.pub beside it is what auditors pin
    FOLDER/keys/secret   the secret of the keyed digests (0600)

The keys lie beside the store for a single machine. Where they must not, link the folder `keys` to another place.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.log import MIN_RETENTION_DAYS, Log, open_log
from models.log_reader import LogReader
from models.log_store import open_store
from models.record import Event, create_secret, read_secret
from models.seal import create_key, key_id, load_key, public_text

#: Where a log stands unless said otherwise.
DEFAULT_FOLDER = Path(".vagus/log")
STORE, KEY, SECRET = "log.sqlite", "log", "secret"


def prepare_ledger(folder: Path = DEFAULT_FOLDER) -> Path:
    """Create the key and the secret of a log folder where they do not exist yet; return the folder."""
    keys = folder / "keys"
    keys.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (keys / f"{KEY}.key").is_file():
        create_key(keys, KEY)
    if not (keys / SECRET).is_file():
        create_secret(keys / SECRET)
    return folder


def open_ledger(
    folder: Path = DEFAULT_FOLDER, *, store: str | Path | None = None, retention_days: int = MIN_RETENTION_DAYS
) -> Log:
    """Open the log of a prepared folder; `store` names another place for the entries, such as postgresql://.

    Raises InvalidInput where the folder has no keys.
    """
    keys = folder / "keys"
    key, secret = load_key(keys / f"{KEY}.key"), read_secret(keys / SECRET)
    return open_log(store or folder / STORE, key=key, secret=secret, retention_days=retention_days)


def rotate_ledger_key(folder: Path = DEFAULT_FOLDER, *, actor: str, store: str | Path | None = None) -> str:
    """Replace the signing key of a log folder; return the new public key. Other writers must reopen the log.

    The new key is announced under the old one, which is kept as `log-<key id>.key`. A rotation that was cut short is
    finished by the next call.
    """
    keys = folder / "keys"
    old, new = keys / f"{KEY}.key", keys / f"{KEY}-next.key"
    if not new.is_file():
        create_key(keys, f"{KEY}-next")
    fresh = load_key(new)
    announced = LogReader(open_store(store or folder / STORE, create=False)).meta["signing_key"]
    if announced != public_text(fresh):
        log = open_ledger(folder, store=store)
        try:
            log.rotate_key(fresh, actor=actor)
        finally:
            log.close()
    retired = keys / f"{KEY}-{key_id(public_text(load_key(old)))}.key"
    # The key last, and in one step: whenever the machine stops, one of the two stands at its place.
    for suffix in (".pub", ".key"):
        if not retired.with_suffix(suffix).exists():
            shutil.copy2(old.with_suffix(suffix), retired.with_suffix(suffix))
        if new.with_suffix(suffix).exists():
            new.with_suffix(suffix).replace(old.with_suffix(suffix))
    return public_text(fresh)


def note(kind: str, actor: str, facts: Mapping[str, Any], folder: Path = DEFAULT_FOLDER) -> bytes:
    """Put one event about no person into the log of a folder, prepared if need be, and return its receipt."""
    log = open_ledger(prepare_ledger(folder))
    try:
        return log.append([Event(kind, actor, facts)])[0]
    finally:
        log.close()
