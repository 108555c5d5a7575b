"""Copies of the log and of the keys that can be trusted years later, and the way back.

A backup is a folder with a manifest and a seal, so every altered bit of it is seen. The log's backup may leave the
house; the backup of the keys holds secrets in clear (files of mode 0600) and belongs in a safe.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from features.errors import InvalidInput, Refused, VerificationFailed, invalid
from models.log_audit import LogReport, verify_log
from models.log_reader import LogReader
from models.log_store import open_store
from models.manifest import verify_folder, write_manifest
from models.seal import sign_folder, verify_seal

LOG_NAME = "log.sqlite"
_KEY_FILES = ("*.key", "*.pub", "*.secret")


def backup_log(address: str | Path, folder: Path, key: Ed25519PrivateKey) -> LogReport:
    """Write a verified, sealed copy of a log to a new folder, while others go on writing; return what it holds."""
    _new_folder(folder)
    store = open_store(address, create=False)
    try:
        store.backup(folder / LOG_NAME)
    finally:
        store.close()
    report = _verified(folder / LOG_NAME)
    fields = {"origin": report.origin, "size": report.size, "root": report.root, "created_at": _now()}
    write_manifest(folder, {"kind": "log backup", **fields})
    sign_folder(folder, key)
    return report


def restore_log(folder: Path, path: Path, trusted: Sequence[str] | None = None) -> LogReport:
    """Put a sealed backup in the place of a log; no writer may be at work.

    Raises VerificationFailed where the backup does not hold, and Refused where the log at `path` is sound and has
    entries that the backup lacks.
    """
    verify_seal(folder, trusted)
    report = _verified(folder / LOG_NAME, trusted)
    if path.exists():
        _refuse_loss(path, report)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".restored")
    shutil.copyfile(folder / LOG_NAME, fresh)
    with fresh.open("rb") as handle:
        os.fsync(handle.fileno())
    for old in (path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        old.unlink(missing_ok=True)
    fresh.replace(path)
    return _verified(path, trusted)


def backup_keys(keys: Path, folder: Path) -> list[str]:
    """Copy keys and secrets to a new folder (0700, files 0600) with a manifest; return their names."""
    found = sorted(path for pattern in _KEY_FILES for path in keys.glob(pattern))
    if not found:
        raise invalid("keys-absent", "there are no keys in this folder", "give the folder of the keys", file=keys.name)
    _new_folder(folder)
    for path in found:
        _copy_private(path, folder / path.name)
    write_manifest(folder, {"kind": "key backup", "created_at": _now()})
    return [path.name for path in found]


def restore_keys(folder: Path, keys: Path) -> list[str]:
    """Copy the keys of a backup back; raises Refused where another key of that name stands there already."""
    names = sorted(verify_folder(folder)["files"])
    keys.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in names:
        if (keys / name).exists() and (keys / name).read_bytes() != (folder / name).read_bytes():
            raise Refused("key-exists", f"{name} exists and is another key; move it away first")
    for name in names:
        if not (keys / name).exists():
            _copy_private(folder / name, keys / name)
    return names


def _verified(path: Path, trusted: Sequence[str] | None = None) -> LogReport:
    store = open_store(path, create=False)
    try:
        return verify_log(LogReader(store), trusted)
    finally:
        store.close()


def _refuse_loss(path: Path, backup: LogReport) -> None:
    """Raise Refused where the log that would be replaced is sound and is not a part of the backup."""
    try:
        current = _verified(path)
    except (VerificationFailed, InvalidInput):
        return  # a damaged log is what a backup is for
    # A backup of the same log that is as long or longer has all of its entries: a log never forks.
    if current.size > backup.size or current.origin != backup.origin:
        raise Refused("restore-loss", f"the log at {path.name} has entries that the backup lacks; move it away first")


def _new_folder(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        raise invalid("backup-folder", "the folder is not empty", "give a new folder", file=folder.name)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def _copy_private(source: Path, target: Path) -> None:
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(source.read_bytes())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
