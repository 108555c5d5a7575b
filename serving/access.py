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
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

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


def rotate_key(path: Path, key_id: str, hours: float) -> tuple[str, Principal]:
    """Add a fresh key with the role and tenant of an old one, which then expires after some hours."""
    held = read_keys(path)
    old = next((principal for principal in held if principal.key_id == key_id), None)
    if old is None:
        raise invalid("keys", "no key has this id", "List them with `vagus keys list`", file=path.name)
    days = (old.expires - old.created) / 86_400 if old.expires else 0.0
    last = time.time() + hours * 3600
    ended = replace(old, expires=min(old.expires or last, last))
    write_keys(path, [ended if principal.key_id == key_id else principal for principal in held])
    return add_key(path, old.role, old.tenant, days)


def revoke_key(path: Path, key_id: str) -> None:
    """Remove a key; raises InvalidInput where the file has none of that id."""
    held = read_keys(path)
    kept = [principal for principal in held if principal.key_id != key_id]
    if len(kept) == len(held):
        raise invalid("keys", "no key has this id", "List them with `vagus keys list`", file=path.name)
    write_keys(path, kept)


class TokenReader(Protocol):
    """Whoever can say for whom a signed token speaks."""

    def principal(self, token: str) -> Principal | None:
        """Return the holder, or None where the token does not hold."""


class Access:
    """The door's list: digest -> holder. With `open_door` everyone is the operator (loopback only)."""

    def __init__(
        self, principals: list[Principal], tokens: TokenReader | None = None, *, open_door: bool = False
    ) -> None:
        """Take the holders, and who reads tokens; an empty list with a closed door lets nobody in."""
        self.open_door, self.tokens = open_door, tokens
        self._holders = {principal.digest: principal for principal in principals}

    def principal(self, headers: Mapping[bytes, bytes]) -> Principal:
        """Return who holds the bearer key of a request; raises RequestError (401) where nobody does."""
        if self.open_door:
            return OPEN_DOOR
        scheme, _, key = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        holder = self._holder(key.strip()) if scheme.lower() == "bearer" else None
        if holder is None or _expired(holder):
            hint = "Send Authorization: Bearer KEY"
            raise RequestError(401, "unauthorised", "no valid key was sent", "Authorization", hint)
        return holder

    def _holder(self, key: str) -> Principal | None:
        digest = digest_of(key)
        holder = self._holders.get(digest)
        if holder is not None and hmac.compare_digest(holder.digest, digest):
            return holder
        return self.tokens.principal(key) if self.tokens is not None and key.count(".") == 2 else None


def _expired(principal: Principal) -> bool:
    return bool(principal.expires) and time.time() > principal.expires
