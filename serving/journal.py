"""What is answered is logged first: every prediction and refusal leaves with the receipt of its log entry.

The log holds keyed digests of who, what was sent and what was said, never the values. Where it cannot be written,
nothing is answered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec

from models.ledger import open_ledger
from models.log import Log
from models.log_store import LogError
from models.record import Event
from serving.access import Principal
from serving.faults import RequestError


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

    def predictions(
        self, who: Principal, asked: Sequence[dict[str, Any]], told: Sequence[dict[str, Any]], facts: Mapping[str, Any]
    ) -> None:
        """Log answers about people (`asked`, as JSON), one entry each, and add the `receipt` to each answer."""
        events = [
            Event(
                "prediction" if answer["answered"] else "refusal",
                who.key_id,
                {**facts, "answered": answer["answered"]},
                subject=f"{who.tenant}/{person['id']}",
                input=person,
                answer=answer,
                id=answer["prediction_id"],
            )
            for person, answer in zip(asked, told, strict=True)
        ]
        for answer, receipt in zip(told, self._append(events), strict=True):
            answer["receipt"] = msgspec.Raw(receipt)

    def _append(self, events: Sequence[Event]) -> list[bytes]:
        try:
            return self.log.append(events)
        except LogError:
            message, hint = "the log cannot be written, so nothing is answered", "Tell the operator; try again later"
            raise RequestError(503, "log_unavailable", message, "", hint) from None
