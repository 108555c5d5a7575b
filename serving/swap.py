"""Hot swap: what now lies where a bundle lay is verified and taken into service, while requests go on.

The operator moves a symbolic link (or replaces a folder) and calls `POST /reload`. A bundle that does not verify changes
nothing: the one in service stays. Workers tell each other through a file of the state folder, as with the stop switch.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path

from features.errors import InvalidInput, VerificationFailed
from serving.desk import Desk, load_bundles
from serving.faults import RequestError

log = logging.getLogger("vagus")
LOOK_AGAIN = 0.5  # seconds for which a worker trusts its last look


def reload(desk: Desk, actor: str) -> list[dict[str, str]]:
    """Take the bundles of the settings' folders into service and tell the other workers; return what is served now.

    `actor` is the key that asked, as the log has it. Raises RequestError (409) where a bundle does not verify.
    """
    try:
        _take(desk, actor)
    except (InvalidInput, VerificationFailed, OSError) as error:
        hint = "Nothing was changed. Export the bundle again and call once more"
        raise RequestError(409, "bundle_refused", "a bundle does not verify or cannot be read", "", hint) from error
    call = _call(desk)
    if call is not None:
        call.touch()
        desk.reloaded = call.stat().st_mtime_ns
    return [{"instrument": name, "model": bundle.digest} for name, bundle in desk.bundles.items()]


def follow(desk: Desk) -> None:
    """Reload where another worker was told to; a bundle that does not verify leaves this worker as it is."""
    now = time.monotonic()
    if now - desk.looked < LOOK_AGAIN:
        return
    desk.looked = now
    call = _call(desk)
    if call is None:
        return
    told = call.stat().st_mtime_ns if call.exists() else 0
    if told != desk.reloaded:
        desk.reloaded = told
        try:
            _take(desk, "service")
        except (InvalidInput, VerificationFailed, OSError) as error:
            log.error("reload refused: %s", type(error).__name__)


def mark(desk: Desk) -> None:
    """Note at the start which reload has been followed already."""
    call = _call(desk)
    desk.reloaded = call.stat().st_mtime_ns if call is not None and call.exists() else 0


def _call(desk: Desk) -> Path | None:
    return None if desk.settings.state is None else desk.settings.state / "reload"


def _take(desk: Desk, actor: str) -> None:
    fresh = load_bundles(desk.settings.models)
    if desk.journal is not None:
        for bundle in fresh.values():
            desk.journal.note("load", actor, {"bundle_digest": bundle.digest})
    desk.bundles = fresh
