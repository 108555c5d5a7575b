"""Asked twice, answered once: a request that is sent again with the same `Idempotency-Key` gets the same bytes."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from serving.faults import RequestError
from serving.wire import Call, Reply

KEPT = 1000  # replies that are remembered, per worker
LONGEST = 200


class Repeats:
    """Replies by key of the client, digest of the body, and who asked; the oldest are forgotten first."""

    def __init__(self) -> None:
        """Start with nothing remembered."""
        self._kept: OrderedDict[tuple[str, bytes], tuple[bytes, Reply]] = OrderedDict()

    async def once(self, call: Call, act: Callable[[], Awaitable[Reply]]) -> Reply:
        """Return the remembered reply, or act and remember; raises RequestError (409) for another body."""
        key = call.headers.get(b"idempotency-key")
        if key is None:
            return await act()
        if not key or len(key) > LONGEST:
            hint = f"Send 1 to {LONGEST} characters"
            raise RequestError(422, "wrong_length", "the idempotency key is empty or too long", "Idempotency-Key", hint)
        place, digest = (call.principal.key_id, key), hashlib.sha256(call.body).digest()
        if place in self._kept:
            before, kept = self._kept[place]
            if before != digest:
                message, hint = "the key was used with another body", "Send a fresh key"
                raise RequestError(409, "idempotency_conflict", message, "Idempotency-Key", hint)
            return kept
        self._kept[place] = digest, await act()
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return self._kept[place][1]
