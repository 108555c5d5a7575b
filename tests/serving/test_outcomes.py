"""Outcomes meet their predictions, of the tenant that asked and no other; steered ones do not count as evidence."""

from __future__ import annotations

import pytest

from serving.access import Access, Principal
from serving.answering import answer_patients
from serving.budget import Budget
from serving.desk import Desk
from serving.faults import RequestError
from serving.outcomes import Outcome, Outcomes
from serving.schemas import PredictRequest, convert
from serving.settings import Settings
from serving.switch import Switch

NORTH, SOUTH = Principal("k1", "", "clinic", "north"), Principal("k2", "", "clinic", "south")


@pytest.fixture
def desk(bundles, tmp_path):
    return Desk(Settings(), bundles, Access([]), Budget(0, 0), Switch(None), outcomes=Outcomes(tmp_path / "o.db"))


def ask(desk, who, *patients):
    request = convert({"patients": list(patients)}, PredictRequest)
    return [p["prediction_id"] for p in answer_patients(desk, who, request, "/predict")["predictions"]]


def test_coverage_and_error_by_hand(desk, patient):
    ids = ask(desk, NORTH, *[patient] * 12)  # predicted: 14 -> 4, interval of the change -14 to -6
    seen = [5.0] * 6 + [1.0] * 3 + [9.0] * 3  # changes -9, -13, -5: the last three fall outside
    outcomes = [Outcome(i, score, False) for i, score in zip(ids, seen, strict=True)]
    assert desk.outcomes.seen("north", outcomes) == 12
    found = desk.outcomes.summary("north")
    assert (found["answered"], found["refused"]) == (12, 0)
    assert found["calibration"]["coverage"] == 9 / 12
    assert found["calibration"]["mean_error"] == pytest.approx((6 * 1 + 3 * -3 + 3 * 5) / 12)


def test_the_same_outcome_twice_counts_once_and_steered_ones_stand_apart(desk, patient):
    ids = ask(desk, NORTH, *[patient] * 12)
    outcomes = [Outcome(i, 5.0, steered=k < 3) for k, i in enumerate(ids)]
    assert [desk.outcomes.seen("north", outcomes) for _ in range(2)] == [12, 0]
    assert desk.outcomes.summary("north")["calibration"] == {
        "outcomes": 12, "steered": 3, "coverage": None, "mean_error": None,
    }  # fmt: skip


def test_another_tenant_neither_sees_nor_touches_a_prediction(desk, patient):
    (known,) = ask(desk, NORTH, patient)
    with pytest.raises(RequestError) as caught:
        desk.outcomes.seen("south", [Outcome(known, 5.0, False)])
    with pytest.raises(RequestError) as unknown:
        desk.outcomes.seen("south", [Outcome("CANARY", 5.0, False)])
    assert caught.value.body() == unknown.value.body()
    assert desk.outcomes.summary("south")["answered"] == 0
    assert desk.outcomes.summary("north")["calibration"]["outcomes"] == 0


def test_refusals_are_counted_by_reason(desk, patient):
    ask(desk, NORTH, {**patient, "flags": ["pregnancy"]}, {**patient, "flags": ["pregnancy", "bipolar"]})
    assert desk.outcomes.summary("north")["reasons"] == {"pregnancy": 2, "bipolar": 1}


def test_all_or_none_of_a_body_is_taken(desk, patient):
    (known,) = ask(desk, NORTH, patient)
    with pytest.raises(RequestError):
        desk.outcomes.seen("north", [Outcome(known, 5.0, False), Outcome("other", 5.0, False)])
    assert desk.outcomes.summary("north")["calibration"]["outcomes"] == 0


def test_the_running_service_takes_outcomes_back(server, person):
    with server.client() as client:
        told = client.post("/predict", json={"patients": [person(1)]}).json()["predictions"][0]
        body = {"outcomes": [{"prediction_id": told["prediction_id"], "follow_up": 7, "steered": False}]}
        assert client.post("/outcomes", json=body).json() == {"received": 1, "new": 1}
        assert client.get("/monitor").json()["calibration"]["outcomes"] >= 1
