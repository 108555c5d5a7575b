"""Serve until stopped: one worker in this process, several under BentoML's supervisor."""

from __future__ import annotations

import asyncio
import gc
import threading
from functools import lru_cache
from typing import Any

from serving.door import Door
from serving.settings import Settings
from serving.streams import Receive, Scope, Send
from serving.worker import desk, observe

_ONE_AT_A_TIME = threading.Lock()


def run(settings: Settings) -> int:
    """Serve until stopped and return the exit code."""
    if settings.workers > 1:
        from serving.service import VagusService

        with VagusService.serve_http(host=settings.host, port=settings.port):
            return 0
    import uvicorn

    config = uvicorn.Config(
        # The door stands before BentoML's tracing and timeouts too: they cost more than a prediction.
        Door(framework, desk, observe),
        host=settings.host,
        port=settings.port,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=20,
    )
    desk()
    # What was imported and loaded stays: the collector need not look at it again.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # a batch makes tens of thousands of objects that live as long as it
    gc.enable()
    uvicorn.Server(config).run()
    return 0


async def framework(scope: Scope, receive: Receive, send: Send) -> None:
    """BentoML's own application, imported and made when first asked: of one process it answers the schema alone.

    To import it takes longer than all the rest of a start; other requests do not wait meanwhile.
    """
    application = await asyncio.to_thread(_application)
    await application(scope, receive, send)


def _application() -> Any:
    with _ONE_AT_A_TIME:
        return _made()


@lru_cache(maxsize=1)
def _made() -> Any:
    from serving.service import VagusService

    return VagusService.to_asgi(is_main=True)
