"""FHIR R4: a Bundle about one patient in, a RiskAssessment out."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from serving.answering import answer_patients
from serving.desk import Desk
from serving.faults import RequestError
from serving.fhir_reader import READERS, SIZES, TOTALS, Found, codes, read_date, read_resource
from serving.fhir_types import Bundle
from serving.languages import words_for
from serving.risk_assessment import capability_statement, risk_assessment
from serving.schemas import Patient, PredictRequest, convert, decode, decoder
from serving.wire import FHIR, Call, Reply, reply

_BUNDLE = decoder(Bundle)


def predict_response(desk: Desk, call: Call) -> Reply:
    """Answer `POST /fhir/$predict-response?intervention=NAME&weeks=N`."""
    now = datetime.now(UTC)
    patient, basis = read_bundle(call.body, call.parameter("intervention"), _weeks(call), now.date())
    told = answer_patients(desk, call.principal, PredictRequest([patient]), "/fhir")
    words = words_for(call.headers)
    return reply(risk_assessment(told, patient, basis, now, words), media=FHIR)._replace(headers=words.headers)


def metadata(desk: Desk, call: Call) -> Reply:
    """Answer `GET /fhir/metadata`: the CapabilityStatement."""
    return reply(capability_statement(), media=FHIR)


def _weeks(call: Call) -> float | None:
    text = call.parameter("weeks")
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        raise RequestError(422, "wrong_type", "the weeks are not a number", "weeks", "Send a number") from None


def read_bundle(body: bytes, intervention: str | None, weeks: float | None, today: date) -> tuple[Patient, list[str]]:
    """Return the patient of a Bundle and the references of what was read; raises RequestError (400, 422)."""
    bundle = decode(body, _BUNDLE)
    if bundle.resource_type != "Bundle":
        raise RequestError(422, "not_a_bundle", "the resource is not a Bundle", "Bundle", "Send a Bundle")
    resources = [bytes(entry.resource) for entry in bundle.entry if bytes(entry.resource)]
    return read_resources(resources, intervention, weeks, today)


def read_resources(
    raws: list[bytes], intervention: str | None, weeks: float | None, today: date
) -> tuple[Patient, list[str]]:
    """Return the patient that some resources are about, and the references of what was read."""
    found = Found(today)
    resources = [read_resource(raw, i) for i, raw in enumerate(raws)]
    for i, resource in enumerate(resources):
        if resource is not None:
            READERS[type(resource)](found, resource, f"Bundle.entry[{i}].resource")
    _one_subject(found, resources)
    return _patient(found, intervention, weeks), found.basis


def _one_subject(found: Found, resources: list[Any]) -> None:
    """H9: everything in the Bundle must be about the one patient in it."""
    if found.patient is None:
        hint = "Put the Patient into the Bundle"
        raise RequestError(422, "missing_patient", "the Bundle has no Patient", "Bundle.entry", hint)
    for i, resource in enumerate(resources):
        subject = getattr(resource, "subject", None)
        if subject is not None and subject.reference.rsplit("/", 1)[-1].rsplit(":", 1)[-1] != found.patient.id:
            place = f"Bundle.entry[{i}].resource.subject"
            hint = "Send one patient per Bundle"
            raise RequestError(422, "other_patient", "a resource is about another patient", place, hint)


def _patient(found: Found, intervention: str | None, weeks: float | None) -> Patient:
    """Put together what was found, and have it checked as any request is."""
    instrument = _instrument(found)
    plan = found.plan
    names = [] if plan is None or plan.code is None else [*codes(plan.code), plan.code.text]
    period = None if plan is None else plan.occurrence_period
    if weeks is None and period is not None and period.start and period.end:
        start, end = (read_date(text, "ServiceRequest.occurrencePeriod") for text in (period.start, period.end))
        weeks = (end - start).days / 7 if start and end else None
    chosen = intervention or next((name for name in names if name), None)
    if chosen is None:
        hint = "Add ?intervention=NAME, or a ServiceRequest with the intervention as its code"
        raise RequestError(422, "missing_intervention", "no intervention is named", "ServiceRequest.code", hint)
    taken = found.measured.get(instrument)
    baseline = {"instrument": instrument, **_answers(found, instrument)}
    baseline |= {"days_ago": (found.today - taken).days} if taken else {}
    person: dict[str, Any] = {"id": found.patient.id if found.patient else "", "intervention": chosen, "weeks": weeks}
    person |= {"baseline": baseline, "lifestyle": found.lifestyle, "flags": sorted(set(found.flags))}
    if found.taxa:
        age = {"sample_age_days": (found.today - found.sampled).days} if found.sampled else {}
        person["microbiome"] = {"unit": found.unit, "taxa": found.taxa, **age}
    return convert(person, Patient)


def _instrument(found: Found) -> str:
    names = sorted({*found.items, *found.totals})
    if len(names) != 1:
        hint = "Send the items or the total of one of: " + ", ".join(sorted(set(TOTALS.values())))
        raise RequestError(422, "one_instrument", "not exactly one instrument was found", "Bundle.entry", hint)
    return names[0]


def _answers(found: Found, instrument: str) -> dict[str, Any]:
    """Items if all are there; with some missing, the stated total, if the items that are there allow it."""
    answers, size = found.items.get(instrument, {}), SIZES.get(instrument, 0)
    stated = {"score": found.totals[instrument]} if instrument in found.totals else {}
    complete = [answers.get(i) for i in range(size)] if size else []
    if complete and None not in complete:
        return {"items": complete, **stated}
    if stated and sum(answer or 0 for answer in answers.values()) <= stated["score"]:
        return stated
    if stated:
        message, hint = "the stated total is less than its items", "Correct the total or the items"
        raise RequestError(422, "score_disagrees", message, "Observation.value", hint)
    return {"items": complete}
