"""How much one key may ask: a bucket of tokens per key that refills steadily; an empty bucket is a 429."""

from __future__ import annotations

import math
import time

from serving.faults import RequestError


class Budget:
    """Token buckets of one worker: `rate` requests per second on average, `burst` at once; 0 = no limit."""

    def __init__(self, rate: float, burst: float) -> None:
        """Start with every bucket full."""
        self.rate, self.burst = rate, burst
        self._buckets: dict[str, tuple[float, float]] = {}

    def spend(self, key_id: str, cost: float = 1.0, now: float | None = None) -> None:
        """Take tokens from a key's bucket; raises RequestError (429, with `retry_after` seconds) if too few."""
        if not self.rate:
            return
        now = time.monotonic() if now is None else now
        level, since = self._buckets.get(key_id, (self.burst, now))
        level = min(self.burst, level + (now - since) * self.rate)
        self._buckets[key_id] = (level - cost if level >= cost else level, now)
        if level < cost:
            wait = math.ceil((cost - level) / self.rate)
            fault = RequestError(429, "too_many", "too many requests with this key", "", f"Wait {wait} s")
            fault.retry_after = wait
            raise fault
