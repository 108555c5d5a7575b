"""The one way from a request to an answer, whatever protocol asked: predict, then log, then tell."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import to_builtins

from serving.access import Principal
from serving.desk import Desk
from serving.predict import compare, predict
from serving.schemas import CompareRequest, PredictRequest

Json = dict[str, Any]


def answer_patients(desk: Desk, who: Principal, request: PredictRequest, route: str, sent: bytes | None = None) -> Json:
    """Return the reply to a request about patients; each prediction carries its receipt where there is a log.

    `sent` is the body as it came: a receipt then opens to each patient exactly as sent, otherwise as it was read.
    """
    reply = predict(desk.bundles, request, desk.sites)
    if desk.journal is not None:
        instrument = request.patients[0].baseline.instrument
        asked = to_builtins(request.patients) if sent is None else msgspec.json.decode(sent)["patients"]
        facts = _facts(reply, instrument, route)
        desk.journal.predictions(who, asked, reply["predictions"], facts)
    if desk.outcomes is not None:
        desk.outcomes.told(who.tenant, reply["model"]["digest"], reply["predictions"])
    return reply


def answer_comparison(desk: Desk, who: Principal, request: CompareRequest) -> Json:
    """Return the reply to a request to compare; each row carries its receipt where there is a log."""
    reply = compare(desk.bundles, request, desk.sites)
    if desk.journal is not None and reply["comparisons"]:
        facts = _facts(reply, request.patient.baseline.instrument, "/compare")
        asked = [to_builtins(request.patient)] * len(reply["comparisons"])
        desk.journal.predictions(who, asked, reply["comparisons"], facts)
    return reply


def _facts(reply: Json, instrument: str, route: str) -> Json:
    model = reply["model"]
    named = {"model_name": model["name"], "model_version": model["version"], "model_digest": model["digest"]}
    return {**named, "run_id": model["run_id"], "instrument": instrument, "route": route}
