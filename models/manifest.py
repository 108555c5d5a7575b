"""What a folder is: its fields and the digest of every file in it, as one canonical `manifest.json`.

Bundles (what is served) and run folders (what is audited) carry the same kind of manifest. A manifest is
strictly: its bytes must be the canonical form of what they say, so no two byte strings mean the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from features.digest import canonical_json, folder_digests, json_digest
from features.errors import VerificationFailed, invalid

FORMAT_VERSION = 1
MANIFEST_NAME = "manifest.json"
SEAL_NAME = "manifest.sig.json"

#: Keys that may differ between two folders that are "the same": who and when, never what.
VOLATILE = frozenset(
    {"run_id", "model_version", "created_at", "started_at", "finished_at", "signed_at", "timings", "key_id"}
    | {"public_key", "signature"}
)

_NOT_LISTED = frozenset({MANIFEST_NAME, SEAL_NAME})
_MAX_BYTES = 16 * 1024 * 1024


def write_manifest(folder: Path, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Write `manifest.json`: `format_version`, the fields, and `files` (relative path -> digest); return it.

    Raises InvalidInput when a field bears a reserved name, is not JSON, or the folder holds a symbolic link.
    """
    reserved = sorted({"format_version", "files"} & set(fields))
    if reserved:
        raise invalid("manifest-field", f"the field {reserved[0]} is written by the manifest", "rename the field")
    link = _first_link(folder)
    if link:
        raise invalid("manifest-link", "a sealed folder holds files, not links", "copy the file", file=link)
    files = folder_digests(folder, leave_out=_NOT_LISTED)
    manifest = {**fields, "format_version": FORMAT_VERSION, "files": files}
    try:
        content = canonical_json(manifest)
    except (TypeError, ValueError) as error:
        raise invalid("manifest-json", "a field of the manifest is not plain JSON", str(error)) from error
    (folder / MANIFEST_NAME).write_bytes(content)
    return dict(parse_canonical(content, MANIFEST_NAME))


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a folder; raises VerificationFailed where absent, altered or too new."""
    manifest = read_canonical(folder / MANIFEST_NAME)
    version = manifest.get("format_version")
    if type(version) is not int or not 1 <= version <= FORMAT_VERSION:
        raise VerificationFailed(f"{MANIFEST_NAME}: unknown format_version; update Vagus to read this folder")
    files = manifest.get("files")
    if not isinstance(files, dict) or not all(isinstance(digest, str) for digest in files.values()):
        raise VerificationFailed(f"{MANIFEST_NAME}: `files` is not a table of digests")
    return manifest


def verify_folder(folder: Path) -> dict[str, Any]:
    """Return the manifest after recomputing every digest.

    Raises VerificationFailed naming the first file (in alphabetical order) that is missing, added or changed.
    """
    manifest = read_manifest(folder)
    link = _first_link(folder)
    if link:
        raise VerificationFailed(f"{link}: a symbolic link in a sealed folder; replace it by the file")
    expected: dict[str, str] = manifest["files"]
    found = folder_digests(folder, leave_out=_NOT_LISTED)
    for name in sorted(expected.keys() | found.keys()):
        state = _difference(expected.get(name), found.get(name))
        if state:
            raise VerificationFailed(f"{name}: {state} since the manifest was written; fetch the folder again")
    return manifest


def folder_digest(manifest: Mapping[str, Any]) -> str:
    """Return the digest that stands for a folder: the manifest without run id, times and signature keys."""
    return json_digest(_without_volatile(manifest))


def read_canonical(path: Path) -> dict[str, Any]:
    """Return the JSON object of a file whose bytes must be canonical; raises VerificationFailed otherwise."""
    try:
        with path.open("rb") as handle:
            content = handle.read(_MAX_BYTES + 1)
    except OSError as error:
        raise VerificationFailed(f"{path.name}: missing or unreadable in {path.parent.name}") from error
    return parse_canonical(content, path.name)


def parse_canonical(content: bytes, name: str) -> dict[str, Any]:
    """Return the JSON object of canonical bytes; raises VerificationFailed naming `name` otherwise."""
    if len(content) > _MAX_BYTES:
        raise VerificationFailed(f"{name}: larger than {_MAX_BYTES} bytes")
    try:
        value = json.loads(content)
        same = canonical_json(value) == content
    except (ValueError, RecursionError) as error:
        raise VerificationFailed(f"{name}: not readable as JSON; it was altered or cut short") from error
    if not same or not isinstance(value, dict):
        raise VerificationFailed(f"{name}: not in canonical form; it was altered after it was written")
    return value


def _difference(expected: str | None, found: str | None) -> str:
    if expected == found:
        return ""
    if found is None:
        return "missing"
    return "added" if expected is None else "changed"


def _without_volatile(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _without_volatile(inner) for key, inner in value.items() if key not in VOLATILE}
    return value


def _first_link(folder: Path) -> str:
    links = sorted(path for path in folder.rglob("*") if path.is_symlink())
    return links[0].relative_to(folder).as_posix() if links else ""
