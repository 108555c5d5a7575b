"""CDS Hooks: discovery, the `patient-view` service, its feedback. It works from prefetch alone and fetches nothing.

Cards inform; they hold no suggestion and no action, least of all about medication.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Raw, Struct

from models.bundle import Bundle
from serving.access import Principal
from serving.answering import answer_patients
from serving.desk import Desk
from serving.faults import RequestError
from serving.fhir import read_resources
from serving.fhir_types import Bundle as FhirBundle
from serving.fhir_types import Typed
from serving.languages import Words, words_for
from serving.predict import comparison_reasons
from serving.schemas import PredictRequest, Text, decode, decoder
from serving.wire import Call, Reply, reply

Json = dict[str, Any]
SERVICE = "gut-response"
#: Prefetch key of a score -> instrument and LOINC code of its total.
SCORES = {"phq9": ("PHQ-9", "44261-6"), "gad7": ("GAD-7", "70274-6")}
#: What else is read where the client has it.
EXTRAS = {
    "gut": "DiagnosticReport?patient={{context.patientId}}&category=LAB&_sort=-date&_count=1",
    "conditions": "Condition?patient={{context.patientId}}&clinical-status=active",
    "plan": "ServiceRequest?patient={{context.patientId}}&status=active&_sort=-authored&_count=1",
}
TITLE = "Response outlook under a microbiota plan"
OVERRIDES = ("not-relevant", "disagree", "data-outdated")
LONGEST_SUMMARY = 139


class Context(Struct, rename="camel", frozen=True):
    """The context of `patient-view`."""

    user_id: Text
    patient_id: Text


class Request(Struct, rename="camel", frozen=True):
    """The body of a call. Unknown fields and extensions are allowed, as the standard says."""

    hook: Literal["patient-view"]
    hook_instance: uuid.UUID
    context: Context
    prefetch: dict[str, Raw] = {}
    fhir_server: str | None = None
    fhir_authorization: dict[str, Any] | None = None


class Override(Struct, rename="camel", frozen=True):
    """Why a card was overridden."""

    reason: dict[str, Any] | None = None
    user_comment: str | None = None


class Verdict(Struct, rename="camel", frozen=True):
    """What was done with one card."""

    card: uuid.UUID
    outcome: Literal["accepted", "overridden"]
    outcome_timestamp: str
    accepted_suggestions: list[dict[str, Any]] = []
    override_reason: Override | None = None


class Feedback(Struct, frozen=True):
    """The body of the feedback endpoint."""

    feedback: Annotated[list[Verdict], Meta(min_length=1, max_length=1000)]


_REQUEST, _FEEDBACK, _TYPED, _SEARCH = decoder(Request), decoder(Feedback), decoder(Typed), decoder(FhirBundle)


def discovery(desk: Desk, call: Call) -> Reply:
    """Answer `GET /cds-services`."""
    scores = {
        key: f"Observation?patient={{{{context.patientId}}}}&code={loinc}&_sort=-date&_count=1"
        for key, (instrument, loinc) in SCORES.items()
        if instrument in desk.bundles
    }
    if not scores:
        return reply({"services": []})
    prefetch = {"patient": "Patient/{{context.patientId}}", **scores, **EXTRAS}
    description = "Prognostic estimate of symptom change with interval and baseline-only floor"
    return reply({"services": [
        {"hook": "patient-view", "id": SERVICE, "title": TITLE, "description": description, "prefetch": prefetch}
    ]})  # fmt: skip


def patient_view(desk: Desk, call: Call) -> Reply:
    """Answer `POST /cds-services/gut-response` with one card per instrument that was measured."""
    request = decode(call.body, _REQUEST)
    if request.fhir_authorization is not None and not request.fhir_server:
        message, hint = "an authorisation without its server", "Send fhirServer as well"
        raise RequestError(422, "missing_field", message, "fhirServer", hint)
    _prefetched(request, desk.bundles)
    today = datetime.now(UTC).date()
    words = words_for(call.headers)
    cards = [_card(desk, call.principal, request, key, today, words) for key in SCORES if _resources(request, key)]
    return reply({"cards": cards})._replace(headers=words.headers)


def feedback(desk: Desk, call: Call) -> Reply:
    """Answer `POST /cds-services/gut-response/feedback`; the same feedback twice counts once."""
    for i, verdict in enumerate(decode(call.body, _FEEDBACK).feedback):
        why = verdict.override_reason
        if verdict.outcome == "accepted" and not verdict.accepted_suggestions:
            place = f"feedback[{i}].acceptedSuggestions"
            raise RequestError(422, "missing_field", "an accepted card names its suggestions", place, "Name them")
        if why is not None and why.reason is None and why.user_comment is None:
            place = f"feedback[{i}].overrideReason"
            raise RequestError(422, "missing_field", "an override reason is empty", place, "Send reason or userComment")
        desk.verdicts[str(verdict.card)] = verdict.outcome
    return reply({})


def _prefetched(request: Request, bundles: Mapping[str, Bundle]) -> None:
    """412 where something is missing that cannot be fetched; a null is an answer: there are no data."""
    served = [key for key, (instrument, _) in SCORES.items() if instrument in bundles]
    needed = ["patient"] if any(key in request.prefetch for key in served) else ["patient", *served[:1]]
    for key in needed:
        if key not in request.prefetch:
            hint = "Send it in prefetch; nothing is fetched"
            raise RequestError(412, "missing_prefetch", "data are missing", f"prefetch.{key}", hint)


def _resources(request: Request, key: str) -> list[bytes]:
    """The resources of a prefetch key: none where absent or null, the entries of a searchset, or the one resource."""
    raw = bytes(request.prefetch.get(key, Raw(b"null")))
    if raw.strip() == b"null":
        return []
    kind = decode(raw, _TYPED).resource_type
    if kind == "OperationOutcome":
        hint = "Send the data, or null where there are none"
        raise RequestError(412, "prefetch_failed", "data could not be read", f"prefetch.{key}", hint)
    if kind != "Bundle":
        return [raw]
    return [bytes(entry.resource) for entry in decode(raw, _SEARCH).entry if bytes(entry.resource)]


def _card(desk: Desk, who: Principal, request: Request, key: str, today: date, words: Words) -> Json:
    instrument, _ = SCORES[key]
    bundle = desk.bundles.get(instrument)
    if bundle is None:
        hint = "Instruments: " + ", ".join(desk.bundles)
        raise RequestError(422, "unknown_instrument", "no model here predicts this", f"prefetch.{key}", hint)
    raws = [raw for name in ("patient", key, *EXTRAS) for raw in _resources(request, name)]
    planned = bool(_resources(request, "plan"))
    arms = [None] if planned else _arms(bundle)
    patients = [read_resources(raws, arm, None, today)[0] for arm in arms]
    answers = answer_patients(desk, who, PredictRequest(patients), "/cds-services")["predictions"]
    rows = list(zip([patient.intervention for patient in patients], answers, strict=True))
    return {
        "uuid": str(uuid.uuid4()),
        "summary": _summary(instrument, rows, words)[:LONGEST_SUMMARY],
        "indicator": _indicator(answers),
        "detail": _detail(instrument, rows, words),
        "source": {"label": "Vagus"},
        "overrideReasons": [
            {"system": "urn:vagus:override-reasons", "code": code, "display": words.say(f"override.{code}")}
            for code in OVERRIDES
        ],
    }


def _arms(bundle: Bundle) -> list[str]:
    """Without a plan: every arm where they may be compared, else the comparator's course alone."""
    if not comparison_reasons(bundle.manifest):
        return list(bundle.arms)
    return [bundle.manifest["comparator"] or bundle.arms[0]]


def _indicator(answers: list[Json]) -> str:
    if answers[0]["safety"][0]["status"] == "positive":
        return "critical"
    return "info" if all(answer["answered"] for answer in answers) else "warning"


def _summary(instrument: str, rows: list[tuple[str, Json]], words: Words) -> str:
    arm, answer = rows[0]
    if answer["safety"][0]["status"] == "positive":
        return words.say("card.safety", instrument=instrument)
    if not answer["answered"]:
        return words.say("card.refused", instrument=instrument)
    if len(rows) > 1:
        return words.say("card.several", instrument=instrument, count=str(len(rows)))
    return words.say("card.one", instrument=instrument, change=words.number(answer["change"]), arm=arm)


def _detail(instrument: str, rows: list[tuple[str, Json]], words: Words) -> str:
    """GitHub-flavoured markdown: safety first, then numbers beside the floor, then reasons."""
    lines = [words.say(f"safety.{rows[0][1]['safety'][0]['status']}"), ""]
    answered = [(arm, answer) for arm, answer in rows if answer["answered"]]
    if answered:
        heads = (words.say(f"card.{name}") for name in ("change", "interval", "floor"))
        lines += [f"| {instrument} | {' | '.join(heads)} |", "|---|---|---|---|"]
    for arm, answer in answered:
        numbers = (
            words.number(answer["change"]),
            _between(answer["interval"], words),
            words.number(answer["floor_change"]),
        )
        lines.append(f"| {arm} | {' | '.join(numbers)} |")
    codes = dict.fromkeys(code for _, answer in rows for code in answer["reasons"])
    return "\n".join([*lines, "", *(f"- {words.reason(code)}" for code in codes), "", words.say("closing")])


def _between(span: Json | None, words: Words) -> str:
    if span is None:
        return words.say("card.none")
    ends = {name: words.number(span[name]) for name in ("lower", "upper")}
    return words.say("card.between", **ends, level=f"{span['level']:.0%}")
