"""Who is asking: bearer keys, kept only as SHA-256 digests, each with a role and a tenant.

A key is 32 random bytes, so a plain digest cannot be guessed backwards; the key itself is stored nowhere.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from features.errors import invalid
from serving.faults import RequestError

ROLES = ("clinic", "data_scientist", "auditor", "operator")
PREFIX = "vagus_"


@dataclass(frozen=True)
class Principal:
    """Whoever holds a key: its id, role and tenant. Times are Unix seconds, 0 = never."""

    key_id: str
    digest: str
    role: str
    tenant: str = ""
    created: float = 0.0
    expires: float = 0.0


OPEN_DOOR = Principal("open", "", "operator")


def digest_of(key: str) -> str:
    """Return the SHA-256 of a key as hex digits."""
    return hashlib.sha256(key.encode()).hexdigest()


def new_key() -> str:
    """Return a fresh key."""
    return PREFIX + secrets.token_urlsafe(32)


def read_keys(path: Path) -> list[Principal]:
    """Return the holders in a key file; raises InvalidInput, naming the line, where it is not one."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise invalid("keys", "the key file cannot be read", "Check VAGUS_KEYS", file=path.name) from error
    return [_read(line, path.name, row) for row, line in enumerate(lines, start=1) if line.strip()]


def _read(line: str, file: str, row: int) -> Principal:
    try:
        principal = Principal(**json.loads(line))
    except (ValueError, TypeError):
        remedy = "Remove it, or restore the file from its backup"
        raise invalid("keys", "a line is not a key", remedy, file=file, row=row) from None
    if principal.role not in ROLES:
        raise invalid("keys", "no such role", f"Roles: {', '.join(ROLES)}", file=file, row=row, column="role")
    return principal


def write_keys(path: Path, principals: list[Principal]) -> None:
    """Replace a key file as a whole, readable by its owner alone."""
    draft = path.with_suffix(".new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(principal), sort_keys=True) + "\n" for principal in principals)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def add_key(path: Path, role: str, tenant: str, days: float) -> tuple[str, Principal]:
    """Append a fresh key that expires after some days (0 = never); return it, this once, and its holder."""
    if role not in ROLES:
        raise invalid("role", "no such role", f"Roles: {', '.join(ROLES)}", column="--role")
    key, now = new_key(), time.time()
    expires = now + days * 86_400 if days else 0.0
    principal = Principal(secrets.token_hex(4), digest_of(key), role, tenant, now, expires)
    held = read_keys(path) if path.exists() else []
    write_keys(path, [*held, principal])
    return key, principal


def revoke_key(path: Path, key_id: str) -> None:
    """Remove a key; raises InvalidInput where the file has none of that id."""
    held = read_keys(path)
    kept = [principal for principal in held if principal.key_id != key_id]
    if len(kept) == len(held):
        raise invalid("keys", "no key has this id", "List them with `keys list`", file=path.name)
    write_keys(path, kept)


class Access:
    """The door's list: digest -> holder. With `open_door` everyone is the operator (loopback only)."""

    def __init__(self, principals: list[Principal], *, open_door: bool = False) -> None:
        """Take the holders; an empty list with a closed door lets nobody in."""
        self.open_door = open_door
        self._holders = {principal.digest: principal for principal in principals}

    def principal(self, headers: Mapping[bytes, bytes]) -> Principal:
        """Return who holds the bearer key of a request; raises RequestError (401) where nobody does."""
        if self.open_door:
            return OPEN_DOOR
        scheme, _, key = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        digest = digest_of(key.strip())
        holder = self._holders.get(digest)
        known = holder is not None and hmac.compare_digest(holder.digest, digest)
        if scheme.lower() != "bearer" or holder is None or not known or _expired(holder):
            hint = "Send Authorization: Bearer KEY"
            raise RequestError(401, "unauthorised", "no valid key was sent", "Authorization", hint)
        return holder


def _expired(principal: Principal) -> bool:
    return bool(principal.expires) and time.time() > principal.expires
