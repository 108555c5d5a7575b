"""Canonical bytes and SHA-256 digests of JSON, tables and folders.

A digest is written `sha256:<hex>`. Canonical JSON sorts keys, writes no spaces, refuses NaN and infinity, and
writes a float as its shortest round-trip text (the form of RFC 8785 for the values used here).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

#: Made once: `json.dumps` makes an encoder for every call with such settings.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_OPTIONS = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_PASSTHROUGH_SUBCLASS
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
)
_HOLDERS = frozenset({dict, list, tuple})
_EXPONENT = re.compile(rb"e[+-]?\d+(?:[],}]|$)")


def canonical_json(value: Any) -> bytes:
    """Return the one byte string that stands for a JSON value; raises ValueError on NaN or infinity."""
    try:
        text = orjson.dumps(value, option=_OPTIONS)  # a quarter of the time, and the same bytes unless:
    except TypeError:
        return _ENCODER.encode(value).encode()
    if b"0.0000" in text or _EXPONENT.search(text):  # it writes the smallest and the largest numbers otherwise,
        return _ENCODER.encode(value).encode()
    if b"null" in text and text.count(b"null") != _nulls_in(value):  # and NaN as null
        return _ENCODER.encode(value).encode()
    return text


def _nulls_in(value: Any) -> int:
    if type(value) is dict:
        return sum(
            [1 if own is None else _nulls_in(own) for own in value.values() if own is None or type(own) in _HOLDERS]
        )
    if type(value) in _HOLDERS:
        return sum([1 if own is None else _nulls_in(own) for own in value if own is None or type(own) in _HOLDERS])
    return int(value is None)


def sha256(data: bytes) -> str:
    """Return `sha256:<hex>` of bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def json_digest(value: Any) -> str:
    """Return the digest of a JSON value's canonical bytes."""
    return sha256(canonical_json(value))


def rows_digest(rows: Iterable[Any]) -> str:
    """Return the digest of rows as a set of lines: sorted canonical JSON, so the order on disk does not count."""
    lines = sorted(canonical_json(row) for row in rows)
    return sha256(b"\n".join(lines))


def file_digest(path: Path) -> str:
    """Return the digest of a file's bytes."""
    with path.open("rb") as handle:
        return "sha256:" + hashlib.file_digest(handle, "sha256").hexdigest()


def folder_digests(folder: Path, *, leave_out: frozenset[str] = frozenset()) -> dict[str, str]:
    """Return relative path -> digest for every file below a folder, sorted, but for the names left out."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in files}
    return {name: file_digest(path) for name, path in names.items() if name not in leave_out}
