"""Bodies in and out of ASGI: read whole under a limit, read in chunks, send whole, send as it comes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from serving.faults import INTERNAL, RequestError
from serving.wire import NDJSON, Reply

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

log = logging.getLogger("vagus")

_SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
]


async def read_body(headers: Mapping[bytes, bytes], receive: Receive, limit: int) -> bytes:
    """Return a whole body; raises RequestError (413) as soon as it is, or says it is, over the limit."""
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length) > limit:
        raise _too_large(limit)
    parts, size = [], 0
    async for part in chunks(receive):
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
    return b"".join(parts)


def _too_large(limit: int) -> RequestError:
    return RequestError(413, "too_large", "the body is too large", "", f"Send at most {limit} bytes")


async def chunks(receive: Receive) -> AsyncIterator[bytes]:
    """Yield a body as it arrives; a client that leaves ends it."""
    more = True
    while more:
        message = await receive()
        yield message.get("body", b"")
        more = message["type"] == "http.request" and message.get("more_body", False)


async def send_reply(send: Send, answer: Reply, head: bool) -> None:
    """Send a reply whole; of a HEAD request the headers only."""
    length = (b"content-length", str(len(answer.body)).encode())
    own = {name for name, _ in answer.headers}
    usual = [header for header in _SECURITY if header[0] not in own]
    headers = [(b"content-type", answer.media.encode()), length, *usual, *answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else answer.body})


async def send_stream(send: Send, parts: AsyncIterator[bytes]) -> None:
    """Send parts as they come. A client that sends all before it reads must not stop us from reading: hence a queue."""
    queue: asyncio.Queue[bytes | None] = asyncio.Queue()
    sender = asyncio.create_task(_drain(send, queue))
    try:
        async for part in parts:
            queue.put_nowait(part)
    except RequestError as fault:
        queue.put_nowait(fault.body() + b"\n")
    except Exception as error:
        log.error("internal fault %s", type(error).__name__)
        queue.put_nowait(INTERNAL.body() + b"\n")
    finally:
        queue.put_nowait(None)
        await sender


async def _drain(send: Send, queue: asyncio.Queue[bytes | None]) -> None:
    headers = [(b"content-type", NDJSON.encode()), *_SECURITY]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    while (part := await queue.get()) is not None:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
