"""The words of an answer follow Accept-Language; codes and the messages of errors do not."""

from __future__ import annotations

import uuid

import pytest

from serving.languages import words_for


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"), ("de", "de"), ("de-AT,en;q=0.9", "de"), ("fr-FR, es;q=0.5, en;q=0.4", "es"), ("en;q=0.2, de;q=0.8", "de"),
        ("fr", "en"), ("*", "en"), ("de;q=0", "en"), ("es;q=oops", "en"), ("es;q=nan", "en"), (";;,=", "en"), ("DE", "de"),
    ],
)  # fmt: skip
def test_the_language_liked_best_is_spoken(header, language):
    assert words_for({b"accept-language": header.encode()}).language == language


def observation(score):
    return {"resourceType": "Observation", "id": "o", "status": "final", "subject": {"reference": "Patient/p1"},
            "code": {"coding": [{"system": "http://loinc.org", "code": "44261-6"}]}, "valueInteger": score}  # fmt: skip


PATIENT = {"resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1985-01-02"}


def card(client, **headers):
    body = {"hook": "patient-view", "hookInstance": str(uuid.uuid4()),
            "context": {"userId": "Practitioner/abc", "patientId": "p1"},
            "prefetch": {"patient": PATIENT, "phq9": observation(14)}}  # fmt: skip
    return client.post("/cds-services/gut-response", json=body, headers=headers)


def test_a_card_speaks_german(server):
    with server.client() as client:
        told, english = card(client, **{"Accept-Language": "de"}), card(client)
    assert (told.headers["content-language"], told.headers["vary"]) == ("de", "accept-language")
    (own,) = told.json()["cards"]
    assert "erwartete Veränderung" in own["summary"]
    assert "es gibt keine Stuhlprobe" in own["detail"]
    assert own["detail"].endswith("Ändern Sie auf dieser Grundlage keine Medikamente.")
    assert "expected change" not in own["summary"] + own["detail"]
    (other,) = english.json()["cards"]
    assert english.headers["content-language"] == "en"
    assert [one["code"] for one in own["overrideReasons"]] == [one["code"] for one in other["overrideReasons"]]


def test_a_fhir_reply_speaks_spanish_and_its_errors_english(server):
    entries = [{"resource": PATIENT}, {"resource": observation(14)}]
    with server.client() as client:
        ask = {"url": "/fhir/$predict-response?intervention=placebo&weeks=8", "headers": {"Accept-Language": "es"}}
        told = client.post(json={"resourceType": "Bundle", "type": "collection", "entry": entries}, **ask)
        refused = client.post(json={"resourceType": "Patient"}, **ask)
    resource = told.json()
    assert (told.headers["content-language"], resource["language"]) == ("es", "es")
    notes = [note["text"] for note in resource["note"]]
    assert notes[0] == "Seguridad: el ítem de autolesión no se evaluó."
    assert any(note.startswith("no_stool_sample: no hay") for note in notes)
    assert resource["prediction"][-1]["rationale"].startswith("cambio esperado de ")
    assert refused.json()["issue"][0]["diagnostics"].startswith("the resource is not a Bundle")
