"""What one worker holds: its settings from the environment, its desk, and the counter of what it answered."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING

from serving import swap
from serving.desk import Desk
from serving.settings import Settings

if TYPE_CHECKING:
    import prometheus_client

SETTINGS = Settings.from_environ(os.environ)


@lru_cache(maxsize=1)
def desk() -> Desk:
    """Return this worker's desk; the first call verifies and loads every bundle."""
    # Not at the top: BentoML tells its workers where their counters go after it has imported the service.
    from prometheus_client import generate_latest

    opened = Desk.open(SETTINGS)
    opened.metrics = generate_latest
    swap.mark(opened)
    return opened


def observe(route: str, status: int) -> None:
    """Count one answered request by route of the table and status; nothing a client chose becomes a label."""
    _count_of(route, status).inc()


@lru_cache(maxsize=4096)
def _count_of(route: str, status: int) -> prometheus_client.Counter:
    return _requests_total().labels(route=route, status=str(status))


@lru_cache(maxsize=1)
def _requests_total() -> prometheus_client.Counter:
    from prometheus_client import Counter

    return Counter("vagus_requests_total", "Requests answered", ["route", "status"])
