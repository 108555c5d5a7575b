"""What is answered is logged first: every prediction and refusal leaves with the receipt of its log entry.

The log holds keyed digests of who, what was sent and what was said, never the values. Where it cannot be written,
nothing is answered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec

from models.ledger import open_ledger
from models.log import Batch, Log
from models.log_store import LogError
from models.record import Event
from serving.faults import RequestError

if TYPE_CHECKING:
    from serving.scribe import Answer


class Journal:
    """The open log of a service."""

    def __init__(self, log: Log) -> None:
        """Write to an open log."""
        self.log = log

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the log of a prepared folder."""
        return cls(open_ledger(folder))

    def note(self, kind: str, actor: str, facts: Mapping[str, Any]) -> None:
        """Log an event that is about no person."""
        self._append([Event(kind, actor, facts)])

    def prepare(self, answer: Answer) -> Batch:
        """Return the entries of an answer about people, one per person, for `predictions`."""
        return self.log.prepare(_events(answer))

    def predictions(self, answers: Sequence[tuple[Answer, Batch]]) -> list[Exception | None]:
        """Log answers in one commit; add the `receipt` to each prediction.

        Returns, per answer, None or the error that kept it out of the log.
        """
        errors: list[Exception | None] = []
        appended = self.log.append_each([batch for _, batch in answers])
        for (answer, _), logged in zip(answers, appended, strict=True):
            if isinstance(logged, Exception):
                errors.append(_unavailable() if isinstance(logged, LogError) else logged)
                continue
            errors.append(None)
            for told, receipt in zip(answer.told, logged, strict=True):
                told["receipt"] = msgspec.Raw(receipt)
        return errors

    def _append(self, events: Sequence[Event]) -> list[bytes]:
        try:
            return self.log.append(events)
        except LogError:
            raise _unavailable() from None


def _unavailable() -> RequestError:
    message, hint = "the log cannot be written, so nothing is answered", "Tell the operator; try again later"
    return RequestError(503, "log_unavailable", message, "", hint)


def _events(answer: Answer) -> list[Event]:
    facts = {flag: {**answer.facts, "answered": flag} for flag in (False, True)}
    return [
        Event(
            "prediction" if told["answered"] else "refusal",
            answer.who.key_id,
            facts[told["answered"]],
            subject=f"{answer.who.tenant}/{told['id']}",
            input=person,
            answer=told,
            id=told["prediction_id"],
        )
        for person, told in zip(answer.asked, answer.told, strict=True)
    ]
