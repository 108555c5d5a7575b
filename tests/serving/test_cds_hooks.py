"""CDS Hooks: discovery, cards from prefetch alone, feedback; the published invariants hold of everything we send."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import httpx
import pytest
from fhirpathpy import evaluate

INVARIANTS = Path(__file__).resolve().parents[2].parent / "shared" / "vectors" / "cds-hooks" / "invariants.json"
PATIENT = {"resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1985-01-02"}


def observation(code, **value):
    return {"resourceType": "Observation", "id": "o", "status": "final", "subject": {"reference": "Patient/p1"},
            "code": {"coding": [{"system": "http://loinc.org", "code": code}]}, **value}  # fmt: skip


def searchset(*resources):
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": r} for r in resources]}


PHQ9 = searchset(observation("44261-6", valueInteger=14))
ITEM9 = searchset({
    "resourceType": "QuestionnaireResponse", "status": "completed", "item": [
        {"linkId": "/" + code, "answer": [{"valueCoding": {"code": "LA6569-3"}}]}
        for code in ("44250-9", "44255-8", "44259-0", "44254-1", "44251-7", "44258-2", "44252-5", "44253-3", "44260-8")
    ],
})  # fmt: skip


def call(prefetch, **changes):
    return {"hook": "patient-view", "hookInstance": str(uuid.uuid4()),
            "context": {"userId": "Practitioner/abc", "patientId": "p1"}, "prefetch": prefetch, **changes}  # fmt: skip


@pytest.fixture
def ask(server):
    with server.client() as client:
        yield lambda body: client.post("/cds-services/gut-response", json=body)


def test_discovery_needs_no_key_and_names_what_to_prefetch(server):
    services = httpx.get(server.url + "/cds-services").json()["services"]
    assert [(s["hook"], s["id"]) for s in services] == [("patient-view", "gut-response")]
    assert services[0]["prefetch"]["phq9"].startswith("Observation?patient={{context.patientId}}&code=44261-6")
    assert "gad7" not in services[0]["prefetch"]  # no model for it is served here


def holds(name, resource):
    """Return whether a published invariant holds of a resource."""
    if not INVARIANTS.is_file():
        pytest.skip("the published invariants are not beside the checkout")
    expression = {rule["id"]: rule["expression"] for rule in json.loads(INVARIANTS.read_text())}[name]
    return evaluate(resource, expression) in ([True], [])


def no_empty(value):
    """The standard allows no null, empty text, empty list or empty object in a reply."""
    if isinstance(value, dict):
        return bool(value) and all(map(no_empty, value.values()))
    if isinstance(value, list):
        return bool(value) and all(map(no_empty, value))
    return value is not None and value != ""


@pytest.mark.parametrize("score", [PHQ9, observation("44261-6", valueString="14"), ITEM9])
def test_a_card_informs_and_suggests_nothing(ask, score):
    reply = ask(call({"patient": PATIENT, "phq9": score}))
    assert reply.status_code == 200
    (card,) = reply.json()["cards"]
    assert no_empty(card)
    assert len(card["summary"]) < 140
    assert card["source"]["label"]
    assert "suggestions" not in card
    assert all(reason["display"] for reason in card["overrideReasons"])
    assert "baseline severity alone" in card["detail"]
    assert "medication" in card["detail"]
    for name in ("cds-resp-1", "cds-resp-6", "cds-resp-7"):
        assert holds(name, card)
    assert holds("cds-resp-4", card["overrideReasons"])


def test_a_positive_self_harm_item_outranks_the_prediction(ask):
    (card,) = ask(call({"patient": PATIENT, "phq9": ITEM9})).json()["cards"]
    assert card["indicator"] == "critical"
    assert card["summary"].startswith("SAFETY")
    assert card["detail"].startswith("SAFETY")


def test_the_plan_names_the_intervention(ask):
    plan = {"resourceType": "ServiceRequest", "subject": {"reference": "Patient/p1"}, "code": {"text": "probiotic"}}
    (card,) = ask(call({"patient": PATIENT, "phq9": PHQ9, "plan": plan})).json()["cards"]
    assert "| probiotic |" in card["detail"]


def test_no_data_is_no_card(ask):
    assert ask(call({"patient": PATIENT, "phq9": None})).json() == {"cards": []}


@pytest.mark.parametrize(
    "prefetch", [{}, {"patient": PATIENT}, {"phq9": PHQ9},
                 {"patient": PATIENT, "phq9": {"resourceType": "OperationOutcome", "issue": []}}],
)  # fmt: skip
def test_data_that_would_have_to_be_fetched_are_412(ask, prefetch):
    assert ask(call(prefetch, fhirServer="https://ehr.test")).status_code == 412


@pytest.mark.parametrize(
    "changes",
    [
        {"hook": "order-sign"},
        {"hookInstance": "CANARY"},
        {"context": {"userId": "CANARY"}},
        {"fhirAuthorization": {"access_token": "CANARY", "scope": "patient/*.rs"}},
    ],
)
def test_a_malformed_call_is_refused_without_repeating_it(ask, changes):
    reply = ask(call({"patient": PATIENT, "phq9": PHQ9}, **changes))
    assert reply.status_code == 422
    assert "CANARY" not in reply.text
    if "fhirAuthorization" in changes:
        assert not holds("cds-r-1", call({}, **changes))


def verdict(**changes):
    return {"card": str(uuid.uuid4()), "outcome": "overridden", "outcomeTimestamp": "2026-11-22T10:00:00Z", **changes}


@pytest.mark.parametrize(
    ("entry", "status", "broken"),
    [
        (verdict(), 200, None),
        (verdict(overrideReason={"reason": {"code": "disagree"}}), 200, None),
        (verdict(outcome="accepted", acceptedSuggestions=[{"id": "s"}]), 200, None),
        (verdict(outcome="ignored"), 422, "cds-fb-1"),
        (verdict(outcome="accepted"), 422, "cds-fb-2"),
        (verdict(overrideReason={"code": "x"}), 422, None),
    ],
)
def test_feedback_is_taken_twice_and_judged_as_the_standard_judges(server, entry, status, broken):
    with server.client() as client:
        replies = [client.post("/cds-services/gut-response/feedback", json={"feedback": [entry]}) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [status, status]
    for name in ("cds-fb-1", "cds-fb-2"):
        assert holds(name, entry) == (name != broken)
