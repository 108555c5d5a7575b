"""One thread that writes what was answered: whatever waits at the same time is written in one commit.

An answer leaves only after its log entry is on disk; so the more ask at once, the less each waits for the disk.
"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from models.log import Batch
from serving.access import Principal
from serving.journal import Journal
from serving.outcomes import Outcomes

Json = dict[str, Any]
AT_ONCE = 256  # answers, at most, in one commit
FEW = 20  # people, at most, of an answer that is carried to the thread; to carry more costs more than a commit of their own
PATIENCE = 0.003  # seconds to wait for one more of those expected


class Answer(NamedTuple):
    """What was asked about people (as JSON, or its canonical bytes), what they were told, and the facts of the log entries.

    `kept`: outcomes are expected back.
    """

    who: Principal
    asked: Sequence[Json | bytes]
    told: Sequence[Json]
    facts: Json
    kept: bool = True


_Done = Future[None] | asyncio.Future[None]
_Prepared = tuple[Answer, Batch | None]
_Waiting = tuple[_Prepared, _Done]


class Scribe:
    """Adds a receipt to each prediction of an answer and keeps its numbers for when the outcome comes back."""

    def __init__(self, journal: Journal | None, outcomes: Outcomes | None) -> None:
        """Start the thread; it ends with the process."""
        self._journal, self._outcomes = journal, outcomes
        self._queue: SimpleQueue[_Waiting] = SimpleQueue()
        threading.Thread(target=self._work, name="scribe", daemon=True).start()

    def write(self, answer: Answer) -> Future[None]:
        """Hand an answer over from a thread; the future is done when it is on disk, or holds the error."""
        done: Future[None] = Future()
        if len(answer.told) > FEW:
            _settle([(done, self._written([self._prepared(answer)])[0])])
        else:
            self._queue.put((self._prepared(answer), done))
        return done

    async def written(self, answer: Answer) -> None:
        """Return when an answer is on disk, as `write` does for those in a thread."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put((self._prepared(answer), done))
        await done

    def _prepared(self, answer: Answer) -> _Prepared:
        """With its log entries, made by whoever has the answer at hand; the thread is left with the disk."""
        return answer, None if self._journal is None else self._journal.prepare(answer)

    def _work(self) -> None:
        batch: list[_Waiting] = []
        while True:
            batch = self._gather(len(batch))
            errors = self._written([prepared for prepared, _ in batch])
            _tell([(done, error) for (_, done), error in zip(batch, errors, strict=True)])

    def _gather(self, before: int) -> list[_Waiting]:
        """Wait for an answer, then for as many as were written `before`, as long as they come one upon the other.

        Those who were answered together tend to ask again together: without the wait each would get a commit of its own.
        """
        batch = [self._queue.get()]
        try:
            while len(batch) < before:
                batch.append(self._queue.get(timeout=PATIENCE))
            while len(batch) < AT_ONCE:
                batch.append(self._queue.get_nowait())
        except Empty:
            pass
        return batch

    def _written(self, answers: Sequence[_Prepared]) -> Sequence[Exception | None]:
        """Write the log, then the numbers of those that are logged; an error is told to whom it concerns."""
        errors: list[Exception | None] = [None] * len(answers)
        try:
            if self._journal is not None:
                errors = self._journal.predictions([(answer, batch) for answer, batch in answers if batch is not None])
            if self._outcomes is not None:
                pairs = zip(answers, errors, strict=True)
                logged = [answer for (answer, _), error in pairs if error is None and answer.kept]
                self._outcomes.told([(one.who.tenant, one.facts["model_digest"], one.told) for one in logged])
        except Exception as error:
            return [own or error for own in errors]
        return errors


def _tell(results: Sequence[tuple[_Done, Exception | None]]) -> None:
    """Settle what is waited for; an event loop is woken once for all that waits there."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[_Done, Exception | None]]] = defaultdict(list)
    for done, error in results:
        if isinstance(done, asyncio.Future):
            loops[done.get_loop()].append((done, error))
        else:
            _settle([(done, error)])
    for loop, own in loops.items():
        with suppress(RuntimeError):  # the loop was closed: nobody waits there any more
            loop.call_soon_threadsafe(_settle, own)


def _settle(results: Sequence[tuple[_Done, Exception | None]]) -> None:
    for done, error in results:
        if done.done():  # whoever asked has left
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
