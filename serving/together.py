"""Requests that wait at the same time are predicted together: many rows cost little more than one.

A row's numbers do not depend on the rows beside it, so whoever else asks changes no bit of an answer.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict

from serving.predict import Asked, Json, answers

Waiting = tuple[Asked, "asyncio.Future[list[Json]]"]


class Together:
    """Gathers what the event loop has read so far; used from the event loop alone."""

    def __init__(self) -> None:
        """Start with nobody waiting."""
        self._waiting: list[Waiting] = []

    async def answers(self, asked: Asked) -> list[Json]:
        """Return one reply per question, in order."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[list[Json]] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._answer)  # after all that is ready to run by now
        self._waiting.append((asked, done))
        return await done

    def _answer(self) -> None:
        waiting, self._waiting = self._waiting, []
        alike: dict[tuple[int, int], list[Waiting]] = defaultdict(list)
        for one in waiting:
            alike[id(one[0].bundle), id(one[0].site)].append(one)
        for group in alike.values():
            _answer_alike(group)


def _answer_alike(group: list[Waiting]) -> None:
    """Answer what is asked of one bundle about one site."""
    (first, _), *_ = group
    try:
        replies = iter(
            answers(first.bundle, [question for asked, _ in group for question in asked.questions], first.site)
        )
        told = [[next(replies) for _ in asked.questions] for asked, _ in group]
    except Exception as error:
        for _, done in group:
            if not done.done():
                done.set_exception(error)
        return
    for (_, done), own in zip(group, told, strict=True):
        if not done.done():  # a client that left took its question with it
            done.set_result(own)
