"""The one way from a request to an answer, whatever protocol asked: predict, then log, then tell."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import to_builtins

from serving.access import Principal
from serving.desk import Desk
from serving.predict import compare, predict, read, reply_of
from serving.schemas import CompareRequest, PredictRequest
from serving.scribe import Answer

Json = dict[str, Any]
Sent = Callable[[], Sequence[Json | bytes]]


def answer_patients(desk: Desk, who: Principal, request: PredictRequest, route: str, sent: Sent | None = None) -> Json:
    """Return the reply to a request about patients; each prediction carries its receipt where there is a log.

    `sent` gives each patient as sent, which the receipt then opens to; without it, to the patient as it was read.
    """
    reply = predict(desk.bundles, request, desk.sites)
    if desk.writes:
        desk.scribe.write(_answer(who, request, reply, route, sent)).result()
    if desk.inputs is not None:
        desk.inputs.keep(who.tenant, request.patients, reply["predictions"])
    if desk.shadow is not None:
        desk.shadow.follow(request, reply)
    return reply


async def answer_soon(desk: Desk, who: Principal, request: PredictRequest, route: str, sent: Sent) -> Json:
    """Return what `answer_patients` returns, for a few patients; other requests are served while this one waits for the disk."""
    asked = read(desk.bundles, request, desk.sites)
    reply = reply_of(asked, await desk.together.answers(asked))
    if desk.writes:
        await desk.scribe.written(_answer(who, request, reply, route, sent))
    if desk.inputs is not None:
        await asyncio.to_thread(desk.inputs.keep, who.tenant, request.patients, reply["predictions"])
    if desk.shadow is not None:
        desk.shadow.follow(request, reply)
    return reply


def answer_comparison(desk: Desk, who: Principal, request: CompareRequest) -> Json:
    """Return the reply to a request to compare; each row carries its receipt where there is a log."""
    reply = compare(desk.bundles, request, desk.sites)
    if desk.journal is not None and reply["comparisons"]:
        facts = _facts(reply, request.patient.baseline.instrument, "/compare")
        asked = [to_builtins(request.patient)] * len(reply["comparisons"])
        desk.scribe.write(Answer(who, asked, reply["comparisons"], facts, kept=False)).result()
    return reply


def _answer(who: Principal, request: PredictRequest, reply: Json, route: str, sent: Sent | None) -> Answer:
    asked = to_builtins(request.patients) if sent is None else sent()
    return Answer(who, asked, reply["predictions"], _facts(reply, request.patients[0].baseline.instrument, route))


def _facts(reply: Json, instrument: str, route: str) -> Json:
    model = reply["model"]
    named = {"model_name": model["name"], "model_version": model["version"], "model_digest": model["digest"]}
    return {**named, "run_id": model["run_id"], "instrument": instrument, "route": route}
