"""`vagus audit verify PATH`: receipt, bundle, run folder, backup, log or model signature, each by its own rules."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from features.digest import canonical_json
from features.errors import VerificationFailed, invalid
from models.checkpoint import Checkpoint
from models.log_audit import verify_log
from models.log_reader import LogReader
from models.log_store import open_store
from models.manifest import MANIFEST_NAME, read_manifest
from models.receipt import verify_receipt
from models.seal import verify_seal
from training.audit.model_signing import key_pem, read_signature, verify_model

LOG_NAME = "log.sqlite"


def verify(
    path: str,
    trusted: Sequence[str] | None = None,
    receipts: Sequence[Path] = (),
    *,
    reformatted: bool = False,
    covers: Path | None = None,
) -> dict[str, Any]:
    """Return what was verified at a path or `postgresql://` address, as a JSON object with `what`.

    `trusted` pins public keys; `receipts` were kept elsewhere and must fit the log; `reformatted` accepts a receipt
    that a JSON tool has indented or reordered; `covers` is the folder an OpenSSF model signature should cover. Raises VerificationFailed
    naming the first thing that does not hold, and InvalidInput where there is nothing to verify.
    """
    place = Path(path)
    if path.startswith(("postgresql://", "postgres://")):
        return _log(path, trusted, receipts)
    if place.is_dir():
        return _folder(place, trusted, receipts)
    if not place.is_file():
        raise invalid("verify-path", "there is nothing at this path", "give a receipt, folder or log", file=place.name)
    with place.open("rb") as handle:
        head = handle.read(16)
    if head.startswith(b"SQLite format 3"):
        return _log(path, trusted, receipts)
    content = place.read_bytes()
    if b'"dsseEnvelope"' in content or b"dev.sigstore.bundle" in content:
        return _model_signature(content, trusted, covers)
    return _receipt(place, trusted, reformatted)


def restored(content: bytes) -> bytes:
    """Return the canonical form of a receipt that a JSON tool has indented or reordered."""
    try:
        return canonical_json(json.loads(content))
    except (ValueError, RecursionError) as error:
        raise VerificationFailed("receipt: not readable as JSON; it was altered or cut short") from error


def _receipt(path: Path, trusted: Sequence[str] | None, reformatted: bool) -> dict[str, Any]:
    content = path.read_bytes()
    receipt, checkpoint = verify_receipt(restored(content) if reformatted else content, trusted)
    entry = receipt["entry"]
    signer = {"public_key": receipt["public_key"], "status": "signed" if trusted is None else "trusted"}
    named = {name: entry[name] for name in ("id", "kind", "time", "actor", "facts")}
    return {"what": "receipt", **named, "index": receipt["index"], "log": checkpoint.origin, **signer}


def _folder(folder: Path, trusted: Sequence[str] | None, receipts: Sequence[Path]) -> dict[str, Any]:
    if not (folder / MANIFEST_NAME).is_file():
        raise VerificationFailed(f"{folder.name}: no {MANIFEST_NAME}; this folder cannot be verified")
    report = verify_seal(folder, trusted)
    manifest = read_manifest(folder)
    found = {"what": manifest.get("kind", "folder"), "files": len(manifest["files"]), **asdict(report)}
    if (folder / LOG_NAME).is_file():
        found["log"] = _log(str(folder / LOG_NAME), None, receipts)
    return found


def _log(address: str, trusted: Sequence[str] | None, receipts: Sequence[Path]) -> dict[str, Any]:
    known: list[Checkpoint] = [verify_receipt(path.read_bytes())[1] for path in receipts]
    store = open_store(address, create=False)
    try:
        report = verify_log(LogReader(store), trusted, known)
    finally:
        store.close()
    status = "signed" if trusted is None else "trusted"
    return {"what": "log", **asdict(report), "status": status, "known_checkpoints": len(known)}


def _model_signature(content: bytes, trusted: Sequence[str] | None, covers: Path | None) -> dict[str, Any]:
    found = read_signature(content, key_pem(trusted[0]) if trusted else None)
    if trusted and found.material != "publicKey":
        raise VerificationFailed("model signature: made with a certificate, not with the key you trust")
    if covers is not None:
        verify_model(covers, found)
    status = (
        "trusted" if trusted else "checked against its own certificate" if found.checked else "form only: give --trust"
    )
    return {
        "what": "model signature",
        **asdict(found),
        "status": status,
        "folder": str(covers or "not compared: --covers"),
    }
