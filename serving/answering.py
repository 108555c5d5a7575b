"""The one way from a request to an answer, whatever protocol asked: predict, then log, then tell."""

from __future__ import annotations

from typing import Any

from serving.access import Principal
from serving.desk import Desk
from serving.predict import compare, predict
from serving.schemas import CompareRequest, PredictRequest

Json = dict[str, Any]


def answer_patients(desk: Desk, who: Principal, request: PredictRequest, route: str) -> Json:
    """Return the reply to a request about patients; each prediction carries its receipt where there is a log."""
    reply = predict(desk.bundles, request)
    if desk.journal is not None:
        instrument = request.patients[0].baseline.instrument
        desk.journal.predictions(who, request.patients, reply["predictions"], _facts(reply, instrument, route))
    return reply


def answer_comparison(desk: Desk, who: Principal, request: CompareRequest) -> Json:
    """Return the reply to a request to compare; each row carries its receipt where there is a log."""
    reply = compare(desk.bundles, request)
    if desk.journal is not None and reply["comparisons"]:
        facts = _facts(reply, request.patient.baseline.instrument, "/compare")
        people = [request.patient] * len(reply["comparisons"])
        desk.journal.predictions(who, people, reply["comparisons"], facts)
    return reply


def _facts(reply: Json, instrument: str, route: str) -> Json:
    model = reply["model"]
    named = {"model_name": model["name"], "model_version": model["version"], "model_digest": model["digest"]}
    return {**named, "run_id": model["run_id"], "instrument": instrument, "route": route}
