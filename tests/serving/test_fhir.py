"""FHIR R4: real and hand-made Bundles in, valid RiskAssessments and OperationOutcomes out."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome
from fhir.resources.R4B.riskassessment import RiskAssessment
from fhirpathpy import evaluate

from serving.faults import RequestError
from serving.fhir import metadata, read_bundle
from serving.fhir_reader import PHQ9
from serving.predict import predict
from serving.risk_assessment import risk_assessment
from serving.schemas import PredictRequest
from serving.shapes import outcome

VECTORS = Path(__file__).resolve().parents[2].parent / "shared" / "vectors" / "fhir-phq9"
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
ANSWERS = ["LA6568-5", "LA6569-3", "LA6570-1", "LA6571-9"]
PATIENT = {"resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1985-11-23"}
SUBJECT = {"reference": "Patient/p1"}


def loinc(code):
    return {"coding": [{"system": "http://loinc.org", "code": code}]}


def total(code="44261-6", **value):
    return {"resourceType": "Observation", "id": "t", "status": "final", "code": loinc(code), "subject": SUBJECT,
            "effectiveDateTime": "2026-11-19T08:00:00Z", **value}  # fmt: skip


def form(answers, prefix="/", stated=None):
    items = [
        {"linkId": prefix + code, "answer": [{"valueCoding": {"system": "http://loinc.org", "code": ANSWERS[a]}}]}
        for code, a in zip(PHQ9, answers, strict=False)
    ]
    items += [] if stated is None else [{"linkId": prefix + "44261-6", "answer": [{"valueDecimal": stated}]}]
    return {"resourceType": "QuestionnaireResponse", "id": "q", "status": "completed", "subject": SUBJECT,
            "authored": "2026-11-19T08:00:00Z", "item": items}  # fmt: skip


def bundle(*resources):
    entries = [{"resource": resource} for resource in (PATIENT, *resources)]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def read(document, intervention="placebo", weeks=8.0):
    return read_bundle(json.dumps(document).encode(), intervention, weeks, NOW.date())[0]


EIGHT = [2, 2, 2, 2, 1, 1, 2, 0]
WAYS = [
    (total(valueInteger=12), 12, None),
    (total(valueString="12"), 12, None),
    (total(valueQuantity={"value": 12, "unit": "{score}", "code": "{score}"}), 12, None),
    (total("44249-1", component=[{"code": loinc("44261-6"), "valueInteger": 12}]), 12, None),
    (total("44249-1", valueInteger=12), 12, None),
    (form([*EIGHT, 0]), None, [*EIGHT, 0]),
    (form([*EIGHT, 0], prefix="", stated=12.0), 12, [*EIGHT, 0]),
    (form(EIGHT, stated=12.0), 12, None),
]


@pytest.mark.parametrize(("resource", "score", "items"), WAYS)
def test_every_way_a_total_is_written_in_the_wild_is_read(resource, score, items):
    patient = read(bundle(resource))
    assert (patient.baseline.instrument, patient.baseline.score, patient.baseline.items) == ("PHQ-9", score, items)
    assert patient.baseline.days_ago == 3
    assert patient.lifestyle == {"sex": "female", "age_years": 40}  # 41 tomorrow


@pytest.mark.shared
def test_the_published_examples_are_read_and_agree():
    if not VECTORS.is_dir():
        pytest.skip("the published examples are not beside the checkout")
    person = {"resourceType": "Patient", "id": "example"}
    resources = [json.loads(path.read_text()) for path in sorted(VECTORS.glob("*.json"))]
    entries = [{"resource": resource} for resource in (person, *resources)]
    patient = read({"resourceType": "Bundle", "entry": entries})
    assert patient.baseline.items == [2, 2, 2, 2, 1, 1, 2, 0, 0]
    assert patient.baseline.score == 12


def with_taxa(unit="{count}", **parts):
    components = [{"code": {"text": name}, "valueQuantity": {"value": n, "code": unit}} for name, n in parts.items()]
    stool = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "stool profile"},
        "component": components,
    }
    return {"resourceType": "DiagnosticReport", "id": "gut", "status": "final", "code": {"text": "gut"},
            "subject": SUBJECT, "effectiveDateTime": "2026-11-12", "contained": [stool]}  # fmt: skip


def test_taxa_conditions_measures_and_the_plan_are_read():
    bmi = {"resourceType": "Observation", "status": "final", "code": loinc("39156-5"), "valueQuantity": {"value": 27.5}}
    condition = {"resourceType": "Condition", "id": "c", "subject": SUBJECT,
                 "code": {"coding": [{"system": "http://snomed.info/sct", "code": "77386006"}]}}  # fmt: skip
    past = {
        **condition,
        "code": {"coding": [{"code": "13746004"}]},
        "clinicalStatus": {"coding": [{"code": "resolved"}]},
    }
    plan = {"resourceType": "ServiceRequest", "id": "s", "status": "active", "code": {"text": "probiotic"},
            "occurrencePeriod": {"start": "2026-11-23", "end": "2027-01-18"}}  # fmt: skip
    resources = (total(valueInteger=14), with_taxa(g__Blautia=300, g__Roseburia=100), bmi, condition, past, plan)
    patient = read(bundle(*resources), intervention=None, weeks=None)
    assert (patient.intervention, patient.weeks) == ("probiotic", 8.0)
    assert patient.microbiome.taxa == {"g__Blautia": 300, "g__Roseburia": 100}
    assert (patient.microbiome.unit, patient.microbiome.sample_age_days) == ("counts", 10)
    assert patient.flags == ["pregnancy"]
    assert patient.lifestyle["bmi"] == 27.5


OTHER = {"reference": "Patient/CANARY"}
REFUSED = [
    ({"resourceType": "Patient", "id": "CANARY"}, "not_a_bundle"),
    ({"resourceType": "Bundle", "entry": [{"resource": total(valueInteger=3)}]}, "missing_patient"),
    (bundle(PATIENT, total(valueInteger=3)), "several_patients"),
    (bundle(total(valueInteger=3, subject=OTHER)), "other_patient"),
    (bundle({**form(EIGHT), "subject": OTHER}), "other_patient"),
    (bundle(total(valueInteger=3, status="entered-in-error")), "status"),
    (bundle(total(valueInteger=3, modifierExtension=[{"url": "CANARY"}])), "modifier_extension"),
    (bundle(total(valueInteger=3), total(valueInteger=4)), "several_totals"),
    (bundle(total(valueInteger=3), total("70274-6", valueInteger=4)), "one_instrument"),
    (bundle(), "one_instrument"),
    (bundle(form([3] * 8, stated=12.0)), "score_disagrees"),
    (bundle(total(valueInteger=3, effectiveDateTime="CANARY....")), "date"),
    (bundle(total(valueInteger="CANARY")), "wrong_type"),
    (bundle(total(valueInteger=3), with_taxa(unit="CANARY", g__Blautia=3)), "unit"),
    (bundle({"resourceType": "Observation", "status": "final"}), "missing_field"),
    ({"resourceType": "Bundle", "entry": "CANARY"}, "wrong_type"),
    ([], "wrong_type"),
]


@pytest.mark.parametrize(("document", "code"), REFUSED)
def test_what_cannot_be_trusted_is_refused_as_an_operation_outcome(document, code):
    with pytest.raises(RequestError) as caught:
        read(document)
    assert caught.value.code == code
    body = outcome(caught.value).body
    assert b"CANARY" not in body
    OperationOutcome.model_validate_json(body)


def test_a_total_that_differs_from_its_items_is_refused(bundles):
    patient = read(bundle(form([*EIGHT, 0], stated=13.0)))
    with pytest.raises(RequestError) as caught:
        predict(bundles, PredictRequest([patient]))
    assert caught.value.code == "score_disagrees"


def assessed(bundles, *resources, **options):
    patient = read(bundle(*resources), **options)
    resource = risk_assessment(predict(bundles, PredictRequest([patient])), patient, ["QuestionnaireResponse/q"], NOW)
    RiskAssessment.model_validate(copy.deepcopy(resource))
    # ras-2 of R4: a decimal probability is a percentage of at most 100.
    assert evaluate(resource, "prediction.probability.where($this is decimal).all($this <= 100)") in ([], [True])
    return resource


def test_a_prediction_is_a_valid_risk_assessment_in_percent(bundles):
    resource = assessed(bundles, total(valueInteger=14), with_taxa(g__Blautia=300))
    response, change = resource["prediction"]
    assert response["probabilityDecimal"] == 25.0
    assert response["extension"][0]["valueQuantity"]["code"] == "%"
    assert response["whenPeriod"] == {"start": "2026-11-22", "end": "2027-01-17"}
    assert "expected change -10.0 points" in change["rationale"]
    assert "floor (baseline severity only) -7.0" in change["rationale"]
    assert resource["subject"] == {"reference": "Patient/p1"}


def test_a_positive_item_nine_is_the_first_note(bundles):
    notes = assessed(bundles, form([2, 2, 2, 2, 2, 2, 1, 0, 1]))["note"]
    assert notes[0]["text"].startswith("SAFETY")
    assert "not advice" in notes[-1]["text"]


def test_a_refused_person_has_reasons_and_no_number(bundles):
    pregnant = {"resourceType": "Condition", "id": "c", "subject": SUBJECT,
                "code": {"coding": [{"code": "77386006"}]}}  # fmt: skip
    resource = assessed(bundles, total(valueInteger=14), pregnant)
    assert "prediction" not in resource
    assert [note for note in resource["note"] if note["text"].startswith("pregnancy")]


def test_the_capability_statement_is_valid():
    CapabilityStatement.model_validate_json(metadata(None, None).body)


def test_a_clinic_s_bundle_is_answered_by_the_running_service(server):
    score = total(valueInteger=14, effectiveDateTime=(datetime.now(UTC) - timedelta(days=2)).isoformat())
    with server.client() as client:
        client.headers["Content-Type"] = "application/fhir+json"
        url = "/fhir/$predict-response?intervention=probiotic&weeks=8"
        reply = client.post(url, content=json.dumps(bundle(score)))
        wrong = client.post(url, content=json.dumps(bundle()))
        nameless = client.post("/fhir/$predict-response", content=json.dumps(bundle(score)))
        lost = client.get("/fhir/nowhere")
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/fhir+json"
    RiskAssessment.model_validate_json(reply.content)
    for fault, status in ((wrong, 422), (nameless, 422), (lost, 404)):
        assert fault.status_code == status
        OperationOutcome.model_validate_json(fault.content)
