"""A challenger answers unseen: its numbers are kept beside the champion's, and compared on the same people."""

from __future__ import annotations

from dataclasses import replace

import pytest

from features.errors import InvalidInput
from serving.access import Access, Principal
from serving.answering import answer_patients
from serving.budget import Budget
from serving.desk import Desk
from serving.outcomes import Outcome, Outcomes
from serving.schemas import PredictRequest, convert
from serving.settings import Settings
from serving.shadow import Shadow
from serving.switch import Switch

NORTH = Principal("k1", "", "clinic", "north")
CHALLENGER = "sha256:" + "1" * 64


@pytest.fixture
def desk(bundles, half_bundle, tmp_path):
    """A service whose challenger says two points less of everyone."""
    challenger = half_bundle()
    usual, challenger.digest = challenger.predict, CHALLENGER

    def less(design, site=None):
        found = usual(design, site)
        return replace(found, change=found.change - 2, lower=found.lower - 2, upper=found.upper - 2)

    challenger.predict = less
    outcomes = Outcomes(tmp_path / "o.db")
    desk = Desk(Settings(), bundles, Access([]), Budget(0, 0), Switch(None), outcomes=outcomes)
    desk.shadow = Shadow({"PHQ-9": challenger}, outcomes, {})
    return desk


def ask(desk, *patients):
    told = answer_patients(desk, NORTH, convert({"patients": list(patients)}, PredictRequest), "/predict")
    if desk.shadow is not None:
        desk.shadow.wait()
    return told


def test_the_answer_is_the_champions_alone(desk, patient):
    with_shadow = ask(desk, patient)
    desk.shadow = None
    alone = ask(desk, patient)
    told = [
        {k: v for k, v in reply["predictions"][0].items() if k != "prediction_id"} for reply in (with_shadow, alone)
    ]
    assert told[0] == told[1]
    assert with_shadow["model"] == alone["model"]


def test_the_duel_by_hand(desk, patient):
    # champion: change -10 with interval [-14, -6]; challenger: -12 with [-16, -8]; seen: -9 nine times, -13 three times
    ids = [p["prediction_id"] for p in ask(desk, *[patient] * 12)["predictions"]]
    desk.outcomes.seen("north", [Outcome(i, 5.0 if k < 9 else 1.0, False) for k, i in enumerate(ids)])
    (found,) = desk.outcomes.duel("north")
    assert (found["model"], found["people"], found["declined"], found["outcomes"]) == (CHALLENGER, 12, 0, 12)
    assert found["mean_difference"] == pytest.approx(-2)
    assert found["champion_mae"] == pytest.approx((9 * 1 + 3 * 3) / 12)
    assert found["challenger_mae"] == pytest.approx((9 * 3 + 3 * 1) / 12)
    assert (found["champion_coverage"], found["challenger_coverage"]) == (1.0, 1.0)
    assert desk.outcomes.duel("south") == []


def test_of_fewer_than_ten_people_nothing_is_told(desk, patient):
    ids = [p["prediction_id"] for p in ask(desk, *[patient] * 9)["predictions"]]
    desk.outcomes.seen("north", [Outcome(i, 5.0, False) for i in ids])
    (found,) = desk.outcomes.duel("north")
    assert found["people"] == 9
    assert {found[name] for name in ("mean_difference", "champion_mae", "challenger_mae", "champion_coverage")} == {
        None
    }


def test_what_the_challenger_does_not_know_is_skipped_and_the_champion_answers(desk, patient):
    desk.shadow.bundles = {}
    assert ask(desk, patient)["predictions"][0]["answered"]
    assert desk.shadow.skipped == 1
    assert desk.outcomes.duel("north") == []


def test_a_shadow_without_a_place_is_refused(tmp_path):
    with pytest.raises(InvalidInput) as caught:
        Settings(models=(tmp_path,), shadows=(tmp_path,))
    assert caught.value.problems[0].code == "shadow_without_state"


@pytest.mark.slow
def test_a_live_service_with_a_challenger(start, bundle_folder, person, tmp_path):
    server = start(bundle_folder, "--shadow", str(bundle_folder), "--state", str(tmp_path / "state")).wait()
    with server.client() as client:
        assert client.post("/predict", json={"patients": [person(i) for i in range(12)]}).status_code == 200
        duels = (client.get("/monitor").json()["shadow"] for _ in range(200))
        found = next(duel for duel in duels if duel)
    assert found[0]["people"] == 12
    assert found[0]["mean_difference"] == 0.0
