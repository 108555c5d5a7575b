"""A prediction as a FHIR R4 RiskAssessment: percentages, never fractions, and the words that go with them.

A predicted score is not written as an Observation: it could be read as measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from serving.languages import Words, words_in
from serving.schemas import Patient

Json = dict[str, Any]

#: The standard lets a reader take 0.4 for 0.4 % or 40 %; this extension states the unit.
PERCENT_URL = "urn:vagus:fhir:probability-percent"
OUTCOMES = {"response_probability": "response", "remission_probability": "remission"}


def risk_assessment(
    reply: Mapping[str, Any], patient: Patient, basis: list[str], now: datetime, words: Words | None = None
) -> Json:
    """Return the RiskAssessment of the one prediction of a reply, made at `now`, its texts in `words` (English if None)."""
    words = words or words_in("en")
    model, prediction = reply["model"], reply["predictions"][0]
    when = now.isoformat(timespec="seconds").replace("+00:00", "Z")
    resource: Json = {
        "resourceType": "RiskAssessment",
        "id": prediction["prediction_id"],
        "language": words.language,
        "status": "final",
        "subject": {"reference": f"Patient/{patient.id}"},
        "occurrenceDateTime": when,
        "performer": {"display": f"{model['name']} version {model['version']}"},
        "method": {"text": f"run {model['run_id']}, bundle {model['digest']}, claim={prediction['claim']}"},
        "basis": [{"reference": reference} for reference in basis if not reference.endswith("/")],
        "mitigation": patient.intervention,
        "prediction": _predictions(prediction, patient, now, words),
        "note": [{"text": text} for text in _notes(prediction, words)],
    }
    return {name: value for name, value in resource.items() if value != []}


def _predictions(prediction: Mapping[str, Any], patient: Patient, now: datetime, words: Words) -> list[Json]:
    if not prediction["answered"]:
        return []
    instrument = patient.baseline.instrument
    end = {} if patient.weeks is None else {"end": (now + timedelta(weeks=patient.weeks)).date().isoformat()}
    period = {"whenPeriod": {"start": now.date().isoformat(), **end}}
    found = [
        {"outcome": {"text": f"{instrument} {word}"}, **_percent(prediction[name]), **period}
        for name, word in OUTCOMES.items()
        if prediction[name] is not None
    ]
    change = {
        "outcome": {"text": f"{instrument} change in points"},
        **period,
        "rationale": _rationale(prediction, words),
    }
    return [*found, change]


def _percent(probability: float) -> Json:
    percent = round(100 * probability, 1)
    quantity = {"value": percent, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}
    return {"extension": [{"url": PERCENT_URL, "valueQuantity": quantity}], "probabilityDecimal": percent}


def _rationale(prediction: Mapping[str, Any], words: Words) -> str:
    parts = [words.say("fhir.change", change=words.number(prediction["change"]))]
    interval = prediction["interval"]
    if interval is not None:
        ends = {name: words.number(interval[name]) for name in ("lower", "upper")}
        parts.append(words.say("fhir.interval", **ends, level=f"{interval['level']:.0%}"))
    if prediction["floor_change"] is not None:
        parts.append(words.say("fhir.floor", floor=words.number(prediction["floor_change"])))
    return "; ".join(parts)


def _notes(prediction: Mapping[str, Any], words: Words) -> list[str]:
    safety = [words.say(f"safety.{one['status']}") for one in prediction["safety"] if one["code"] == "self_harm_item"]
    refused = [] if prediction["answered"] else [words.say("not_answered")]
    return [
        *safety,
        *refused,
        *(f"{code}: {words.reason(code)}" for code in prediction["reasons"]),
        words.say("closing"),
    ]


def capability_statement() -> Json:
    """Return the CapabilityStatement of the service."""
    definition = "urn:vagus:fhir:OperationDefinition/predict-response"
    operation = {"name": "predict-response", "definition": definition}
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-22",
        "kind": "instance",
        "implementation": {"description": "Vagus: prediction of symptom change, decision support for research"},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [{"mode": "server", "operation": [operation]}],
    }
