"""Bearer tokens of an identity provider: JWTs signed with RS or ES keys, each accepted once.

The keys come from a JWKS file that the operator placed: nothing is fetched from an address in a token.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt

from features.errors import invalid
from serving.access import ROLES, Principal

#: No `none`, no shared secrets: a verifier must never be able to sign.
ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384")
REQUIRED = ["iss", "aud", "exp", "iat", "jti"]
LEEWAY = 30  # seconds of clock difference


@dataclass(frozen=True)
class Provider:
    """Whose tokens are believed: the issuer, the audience they must name, and the issuer's public keys."""

    issuer: str
    audience: str
    jwks: Path

    def keys(self) -> dict[str, Any]:
        """Return key id -> public key; raises InvalidInput where the file holds none."""
        try:
            found = jwt.PyJWKSet.from_json(self.jwks.read_text(encoding="utf-8")).keys
        except (OSError, ValueError, jwt.PyJWTError) as error:
            remedy = "Save the provider's JWKS there"
            raise invalid("jwks", "the JWKS file cannot be read", remedy, file=self.jwks.name) from error
        return {key.key_id: key.key for key in found if key.key_id and key.key_type in ("RSA", "EC")}


class Replays:
    """Token ids already used, in a file that all workers of a service share."""

    def __init__(self, path: Path) -> None:
        """Open or create the file."""
        self.path = path
        with self._connect() as store:
            store.execute("CREATE TABLE IF NOT EXISTS used (id TEXT PRIMARY KEY, expires REAL)")

    def first_use(self, token_id: str, expires: float) -> bool:
        """Note a token id until it expires; return False where it was used before."""
        digest = hashlib.sha256(token_id.encode()).hexdigest()
        with self._connect() as store:
            store.execute("DELETE FROM used WHERE expires < ?", (time.time() - LEEWAY,))
            done = store.execute("INSERT OR IGNORE INTO used VALUES (?, ?)", (digest, expires))
            return done.rowcount == 1

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=5, isolation_level=None)


class Tokens:
    """The verifier of one provider's tokens."""

    def __init__(self, provider: Provider, replays: Replays) -> None:
        """Read the provider's keys once."""
        self.provider, self.replays, self.keys = provider, replays, provider.keys()

    def principal(self, token: str) -> Principal | None:
        """Return who a token speaks for, or None where anything about it does not hold."""
        try:
            head = jwt.get_unverified_header(token)
            claims = jwt.decode(
                token,
                self.keys[head["kid"]],
                algorithms=list(ALGORITHMS),
                audience=self.provider.audience,
                issuer=self.provider.issuer,
                leeway=LEEWAY,
                options={"require": REQUIRED},
            )
            role, subject = str(claims.get("vagus_role", "")), str(claims.get("sub", ""))
            fresh = self.replays.first_use(f"{claims['iss']} {claims['jti']}", float(claims["exp"]))
        except (jwt.PyJWTError, KeyError, ValueError, TypeError):
            return None
        if role not in ROLES or not fresh:
            return None
        return Principal(f"jwt:{subject}", "", role, str(claims.get("tenant", "")))
