"""Stability selection: true taxa survive, one study alone is never enough for a claim, noise claims nothing."""

import pytest

from features.synthetic import World, simulate
from training.importance import CLAIM, taxa
from training.problem import pose
from training.protocol import Evaluation, outer_splits

SHOWN = {"increment": [{"block": "microbiome", "verdict": "shown"}]}


def _taxa(record=SHOWN, **settings):
    cohort, truth = simulate(seed=7, **settings)
    problem = pose(cohort, "PHQ-9")
    folds = outer_splits(problem, repeats=1, seed=0)
    return taxa(problem, Evaluation(folds, {}, {}, ()), record, seed=0, jobs=1), truth


@pytest.fixture(scope="module")
def planted():
    return _taxa(subjects=300, studies=3, world=World(microbiome=3.0))


def test_survival_is_a_share_of_the_folds(planted):
    rows, _ = planted
    assert {row["folds"] for row in rows} == {5}
    assert all(row["survival"] in (0.2, 0.4, 0.6, 0.8, 1.0) for row in rows)
    assert rows == sorted(rows, key=lambda row: -row["survival"])


def test_a_claim_needs_folds_and_a_left_out_study(planted):
    rows, _ = planted
    assert any(row["claim"] == CLAIM for row in rows)
    for row in rows:
        assert (row["claim"] == CLAIM) == (row["survival"] >= 0.8 and row["studies"] > 0)


def test_no_claim_where_the_increment_is_not_shown(planted):
    rows, _ = _taxa(
        {"increment": [{"block": "microbiome", "verdict": "not shown"}]},
        subjects=300,
        studies=3,
        world=World(microbiome=3.0),
    )
    assert [row["survival"] for row in rows] == [row["survival"] for row in planted[0]]
    assert not any(row["claim"] == CLAIM for row in rows)


def test_one_study_is_never_enough():
    rows, _ = _taxa(subjects=150, world=World(microbiome=3.0))
    assert any(row["survival"] >= 0.8 for row in rows)
    assert not any(row["claim"] == CLAIM for row in rows)
