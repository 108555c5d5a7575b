"""What a serving process is told by its environment: a frozen Settings, or an error that names the variable.

Every variable begins with `VAGUS_`. All workers of a service read the same environment.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from features.errors import invalid

DEFAULT_PORT = 3000
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Settings:
    """Where to listen, which bundles to serve, who may ask, and how much at once.

    `models` are bundle folders, one per instrument; `keys` is the file of hashed access keys; `key_digest` is
    the SHA-256 of a key that lives only as long as the process; `body_limit` is in bytes, `row_limit` in
    patients. Each key may ask `rate` times per second on average and `burst` times at once, per worker (0 = no
    limit). `issuer`, `audience` and `jwks` (a file) name the identity provider whose tokens are taken; `state`
    is a folder that the workers share; `log` is the folder of the append-only log, None = nothing is logged;
    `sites` is a file of site references; `outcomes` is the file that outcomes are kept in, None = not taken;
    `shadows` are bundles of challengers that answer unseen; `inputs` is the file that what was asked is kept in, None = it
    is not kept.
    """

    models: tuple[Path, ...] = ()
    host: str = LOOPBACK
    port: int = DEFAULT_PORT
    workers: int = 1
    open_door: bool = False
    keys: Path | None = None
    key_digest: str = ""
    body_limit: int = 16 * 1024 * 1024
    row_limit: int = 1000
    rate: float = 100.0
    burst: float = 1000.0
    issuer: str = ""
    audience: str = ""
    jwks: Path | None = None
    state: Path | None = None
    log: Path | None = None
    sites: Path | None = None
    outcomes: Path | None = None
    shadows: tuple[Path, ...] = ()
    inputs: Path | None = None

    def __post_init__(self) -> None:
        """Refuse settings that contradict each other."""
        if self.open_door and not is_loopback(self.host):
            message = "without authentication the service listens on the loopback address only"
            raise invalid("open_door", message, "Leave out --no-auth, or --host", column="--no-auth")
        if self.shadows and self.outcomes is None:
            message = "a challenger's answers need a place to be kept"
            raise invalid("shadow_without_state", message, "Add --state FOLDER", column="--shadow")
        if self.inputs and self.outcomes is None:
            message = "what is asked needs a place to be kept"
            raise invalid("inputs_without_state", message, "Add --state FOLDER", column="--keep-inputs")
        if not 0 <= self.port <= 65_535:
            raise invalid("port", "a port is a number from 0 to 65535", "Choose another", column="--port")
        if not 1 <= self.workers <= 64:
            raise invalid("workers", "workers are 1 to 64", "Choose another number", column="--workers")

    def environ(self) -> dict[str, str]:
        """Return the variables from which `from_environ` makes the same settings again."""
        return {
            "VAGUS_MODELS": os.pathsep.join(str(path) for path in self.models),
            "VAGUS_HOST": self.host,
            "VAGUS_PORT": str(self.port),
            "VAGUS_WORKERS": str(self.workers),
            "VAGUS_NO_AUTH": str(int(self.open_door)),
            "VAGUS_KEYS": str(self.keys or ""),
            "VAGUS_KEY_DIGEST": self.key_digest,
            "VAGUS_BODY_LIMIT": str(self.body_limit),
            "VAGUS_ROW_LIMIT": str(self.row_limit),
            "VAGUS_RATE": repr(self.rate),
            "VAGUS_BURST": repr(self.burst),
            "VAGUS_ISSUER": self.issuer,
            "VAGUS_AUDIENCE": self.audience,
            "VAGUS_JWKS": str(self.jwks or ""),
            "VAGUS_STATE": str(self.state or ""),
            "VAGUS_LOG": str(self.log or ""),
            "VAGUS_SITES": str(self.sites or ""),
            "VAGUS_OUTCOMES": str(self.outcomes or ""),
            "VAGUS_SHADOWS": os.pathsep.join(str(path) for path in self.shadows),
            "VAGUS_INPUTS": str(self.inputs or ""),
        }

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Return the settings an environment describes; unset variables keep their defaults."""
        models, shadows = (
            tuple(Path(part) for part in environ.get(name, "").split(os.pathsep) if part)
            for name in ("VAGUS_MODELS", "VAGUS_SHADOWS")
        )
        return cls(
            models=models,
            shadows=shadows,
            host=environ.get("VAGUS_HOST") or LOOPBACK,
            port=_whole(environ, "VAGUS_PORT", DEFAULT_PORT),
            workers=_whole(environ, "VAGUS_WORKERS", 1),
            open_door=environ.get("VAGUS_NO_AUTH") == "1",
            keys=_path(environ, "VAGUS_KEYS"),
            key_digest=environ.get("VAGUS_KEY_DIGEST", ""),
            body_limit=_whole(environ, "VAGUS_BODY_LIMIT", cls.body_limit),
            row_limit=_whole(environ, "VAGUS_ROW_LIMIT", cls.row_limit),
            rate=_number(environ, "VAGUS_RATE", cls.rate),
            burst=_number(environ, "VAGUS_BURST", cls.burst),
            issuer=environ.get("VAGUS_ISSUER", ""),
            audience=environ.get("VAGUS_AUDIENCE", ""),
            jwks=_path(environ, "VAGUS_JWKS"),
            state=_path(environ, "VAGUS_STATE"),
            log=_path(environ, "VAGUS_LOG"),
            sites=_path(environ, "VAGUS_SITES"),
            outcomes=_path(environ, "VAGUS_OUTCOMES"),
            inputs=_path(environ, "VAGUS_INPUTS"),
        )


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    return Path(environ[name]) if environ.get(name) else None


def _number(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name) or repr(default)
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise invalid("setting", "a setting is not a number from 0", "Correct or unset it", column=name)
    return number


def is_loopback(host: str) -> bool:
    """Return whether an address is reachable from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _whole(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isdecimal():
        raise invalid("setting", "a setting is not a whole number", "Correct or unset it", column=name)
    return int(text)
