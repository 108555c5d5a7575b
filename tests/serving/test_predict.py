"""Replies worked out by hand from the toy model: numbers, refusals, flags, and blanks."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from features.derived import planned
from features.gut_brain import read_modules
from serving.faults import RequestError
from serving.predict import compare, predict
from serving.schemas import CompareRequest, PredictRequest, convert


def ask(bundles, *patients):
    return predict(bundles, convert({"patients": list(patients)}, PredictRequest))


def one(bundles, patient, **changes):
    return ask(bundles, {**patient, **changes})["predictions"][0]


def test_the_numbers_of_one_patient(bundles, patient):
    reply = one(bundles, patient)
    assert reply["id"] == "p-17"
    assert reply["answered"] is True
    assert reply["change"] == -10.0  # 14 / 2 and 300 reads of Blautia
    assert reply["follow_up"] == 4.0
    assert reply["interval"] == {"level": 0.9, "lower": -14.0, "upper": -6.0}
    assert reply["floor_change"] == -7.0
    assert reply["response_probability"] == 0.25
    assert reply["remission_probability"] is None
    assert reply["contributions"] == {"baseline": -7.0, "microbiome": -3.0}
    assert reply["claim"] == "prognostic"
    assert reply["reasons"] == []


def test_the_reply_says_which_model_answered_and_numbers_each_prediction(bundles, patient):
    reply = ask(bundles, patient, patient)
    assert reply["model"] == {
        "name": "toy", "version": "3", "run_id": "run-1", "digest": "sha256:" + "0" * 64,
    }  # fmt: skip
    first, second = (row["prediction_id"] for row in reply["predictions"])
    assert first != second


def test_a_patient_alone_gets_the_bytes_of_the_same_row_in_a_batch(bundles, patient):
    shares = {**patient, "id": "q", "microbiome": None, "baseline": {"instrument": "phq9", "score": 9}}
    batch = ask(bundles, shares, patient, shares)["predictions"][1]
    alone = one(bundles, patient)
    del batch["prediction_id"], alone["prediction_id"]
    assert msgspec.json.encode(batch) == msgspec.json.encode(alone)


def test_an_interval_across_zero_is_answered_and_flagged(bundles, patient):
    reply = one(bundles, patient, baseline={"instrument": "PHQ-9", "score": 2}, microbiome=None)
    assert reply["interval"] == {"level": 0.9, "lower": -5.0, "upper": 3.0}
    assert (reply["answered"], reply["reasons"]) == (True, ["direction_uncertain"])


REFUSED = [
    ({"flags": ["pregnancy"]}, ["pregnancy"]),
    ({"lifestyle": {"age_years": 17}}, ["under_18"]),
    ({"flags": ["immunocompromised"]}, ["immunocompromised"]),
    ({"flags": ["eating_disorder", "psychosis"]}, ["psychosis", "eating_disorder"]),
    ({"flags": ["bipolar"]}, ["bipolar"]),
    ({"antibiotics_days_ago": 89}, ["antibiotics_recent"]),
    ({"microbiome": {"unit": "counts", "sample_age_days": 31, "taxa": {"a": 1}}}, ["sample_too_old"]),
    ({"microbiome": {"unit": "counts", "sample_age_days": -1, "taxa": {"a": 1}}}, ["sample_after_start"]),
    ({"baseline": {"instrument": "PHQ-9", "score": 14, "days_ago": -2}}, ["baseline_after_start"]),
    ({"weeks": 52}, ["weeks_outside_training"]),
    ({"weeks": 1}, ["weeks_outside_training"]),
    ({"microbiome": {"unit": "percent", "taxa": {"a": 1}}}, ["unit_mismatch"]),
    ({"baseline": {"instrument": "PHQ-9", "score": 26}}, ["out_of_domain"]),
]


@pytest.mark.parametrize(("changes", "reasons"), REFUSED)
def test_a_clinical_refusal_has_its_reason_and_no_numbers(bundles, patient, changes, reasons):
    reply = one(bundles, patient, **changes)
    assert (reply["answered"], reply["reasons"]) == (False, reasons)
    numbers = ("change", "follow_up", "interval", "response_probability", "floor_change", "contributions")
    assert [reply[name] for name in numbers] == [None] * len(numbers)
    assert reply["safety"]


@pytest.mark.parametrize(
    "changes",
    [
        {"flags": ["immunocompromised"], "intervention": "placebo"},
        {"antibiotics_days_ago": 90},
        {"lifestyle": {"age_years": 18}},
        {"microbiome": {"unit": "counts", "sample_age_days": 30, "taxa": {"a": 1}}},
        {"weeks": 10},
        {"weeks": None},
        {"microbiome": None},
        {"lifestyle": {}},
    ],
)
def test_just_inside_the_limits_is_answered(bundles, patient, changes):
    assert one(bundles, patient, **changes)["answered"] is True


@pytest.mark.parametrize(
    ("baseline", "status"),
    [
        ({"score": 14}, "not_assessed"),
        ({"items": [2, 2, 2, 2, 2, 2, 1, 1, 0]}, "negative"),
        ({"items": [2, 2, 2, 2, 2, 2, 1, 0, 1]}, "positive"),
    ],
)
def test_the_self_harm_item_is_always_listed_first(bundles, patient, baseline, status):
    for flags in ([], ["pregnancy"]):
        reply = one(bundles, patient, baseline={"instrument": "PHQ-9", **baseline}, flags=flags)
        assert reply["safety"][0] == {"code": "self_harm_item", "status": status}
    assert one(bundles, patient, baseline={"instrument": "PHQ-9", **baseline})["change"] == -10.0


MALFORMED = [
    ({"intervention": "CANARY"}, "unknown_intervention", "patients[0].intervention"),
    ({"flags": ["pregnancy", "CANARY"]}, "unknown_flag", "patients[0].flags[1]"),
    ({"lifestyle": {"CANARY": 1}}, "unknown_field", "patients[0].lifestyle"),
    ({"lifestyle": {"age_years": 7000}}, "out_of_range", "patients[0].lifestyle.age_years"),
    ({"lifestyle": {"age_years": "CANARY"}}, "not_a_number", "patients[0].lifestyle.age_years"),
    ({"lifestyle": {"sex": "CANARY"}}, "unknown_code", "patients[0].lifestyle.sex"),
    ({"lifestyle": {"site_visits": "CANARY"}}, "wrong_type", "patients[0].lifestyle.site_visits"),
    (
        {"microbiome": {"unit": "counts", "taxa": {"CANARY": 0}}},
        "empty_sample",
        "patients[0].microbiome.taxa",
    ),
]
BASELINES = [
    ({"instrument": "CANARY", "score": 1}, "unknown_instrument", "patients[0].baseline.instrument"),
    ({"instrument": "PHQ-9"}, "missing_field", "patients[0].baseline.score"),
    ({"instrument": "PHQ-9", "score": 28}, "out_of_range", "patients[0].baseline.score"),
    ({"instrument": "PHQ-9", "score": -1}, "out_of_range", "patients[0].baseline.score"),
    ({"instrument": "PHQ-9", "items": [1] * 8}, "items_incomplete", "patients[0].baseline.items"),
    ({"instrument": "PHQ-9", "items": [1] * 8 + [None]}, "items_incomplete", "patients[0].baseline.items"),
    ({"instrument": "PHQ-9", "items": [1] * 8 + [4]}, "answer_out_of_range", "patients[0].baseline.items[8]"),
    ({"instrument": "PHQ-9", "items": [1] * 9, "score": 8}, "score_disagrees", "patients[0].baseline.score"),
]


@pytest.mark.parametrize(
    ("changes", "code", "field"), MALFORMED + [({"baseline": b}, code, field) for b, code, field in BASELINES]
)
def test_what_the_model_cannot_be_asked_is_422_and_says_what_it_can(bundles, patient, changes, code, field):
    with pytest.raises(RequestError) as caught:
        one(bundles, patient, **changes)
    assert (caught.value.status, caught.value.code, caught.value.field) == (422, code, field)
    assert b"CANARY" not in caught.value.body()


def test_two_scales_need_a_name_and_are_converted(half_bundle, patient):
    who5 = {"WHO-5": half_bundle(instrument="WHO-5")}
    with pytest.raises(RequestError) as caught:
        one(who5, patient, baseline={"instrument": "WHO-5", "score": 13})
    assert caught.value.code == "scale_required"
    raw = {"instrument": "WHO-5", "score": 5, "scale": "who5-raw"}
    assert one(who5, patient, baseline=raw, microbiome=None)["change"] == -10.0  # 5 raw are 20 of 100 points


def test_one_request_is_about_one_instrument(bundles, patient):
    other = {**patient, "baseline": {"instrument": "GAD-7", "score": 9}}
    with pytest.raises(RequestError) as caught:
        ask(bundles, patient, other)
    assert caught.value.code == "mixed_instruments"


def test_a_horizon_in_days_is_compared_with_the_models_days(half_bundle, patient):
    days = {"PHQ-9": half_bundle(time_unit="day", lag={"low": 28, "high": 56})}
    assert one(days, patient, weeks=8)["answered"] is True
    assert one(days, patient, weeks=30)["reasons"] == ["weeks_outside_training"]


def compared(bundles, patient, *arms):
    person = {key: value for key, value in patient.items() if key != "intervention"}
    return compare(bundles, convert({"patient": person, "interventions": list(arms)}, CompareRequest))


def test_therapies_are_listed_in_the_order_asked_and_none_is_crowned(bundles, patient):
    reply = compared(bundles, patient, "probiotic", "placebo")
    assert (reply["answered"], reply["reasons"]) == (True, [])
    assert [row["intervention"] for row in reply["comparisons"]] == ["probiotic", "placebo"]
    assert [row["interval"]["lower"] for row in reply["comparisons"]] == [-14.0, -14.0]
    assert not {"best", "rank", "winner"} & set(reply)


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"randomised": False}, ["not_randomised"]),
        ({"arm_effect": "not shown"}, ["arm_effect_not_shown"]),
        ({"randomised": False, "arm_effect": None}, ["not_randomised", "arm_effect_not_shown"]),
    ],
)
def test_therapies_are_not_compared_without_the_evidence(half_bundle, patient, changes, reasons):
    reply = compared({"PHQ-9": half_bundle(**changes)}, patient, "probiotic", "placebo")
    assert (reply["answered"], reply["reasons"], reply["comparisons"]) == (False, reasons, [])


def test_a_site_reference_must_be_one_that_the_service_holds(bundles, patient):
    body = {"patients": [patient], "site_reference": "trial-1"}
    assert predict(bundles, convert(body, PredictRequest))["predictions"][0]["answered"] is True
    with pytest.raises(RequestError) as caught:
        predict(bundles, convert({**body, "site_reference": "CANARY"}, PredictRequest))
    assert (caught.value.code, caught.value.field) == ("unknown_site_reference", "site_reference")
    assert b"CANARY" not in caught.value.body()


def test_gene_families_reach_a_model_that_reads_modules_as_shares_of_the_whole_table(half_bundle, patient):
    bundle, seen = half_bundle(), []
    bundle.encoding.derived = planned({"modules": "x"}, read_modules(b"M1\tone\nK00001\n///\n"))
    plain = bundle.predict
    bundle.predict = lambda design, site=None: seen.append(design) or plain(design, site)
    measured = {**patient, "microbiome": {**patient["microbiome"], "functions": {"K00001": 12, "K00002": 36}}}
    predict({"PHQ-9": bundle}, convert({"patients": [measured, patient, measured]}, PredictRequest))
    assert seen[0].function_names == ("K00001",)
    np.testing.assert_array_equal(seen[0].functions, [[0.25], [np.nan], [0.25]])


def test_an_empty_table_of_gene_families_is_refused(bundles, patient):
    patient["microbiome"]["functions"] = {"K00001": 0}
    with pytest.raises(RequestError) as caught:
        predict(bundles, convert({"patients": [patient]}, PredictRequest))
    assert (caught.value.code, caught.value.field) == ("empty_sample", "patients[0].microbiome.functions")
