"""Stability selection: true taxa survive, one study alone is never enough for a claim, noise claims nothing."""

import pytest

from features.synthetic import World, simulate
from training.importance import CLAIM, taxa
from training.problem import pose
from training.protocol import evaluate, leave_one_study_out, outer_splits

SHOWN, NOT_SHOWN = ({"increment": [{"block": "microbiome", "verdict": word}]} for word in ("shown", "not shown"))


def _validated(**settings):
    problem = pose(simulate(seed=7, world=World(microbiome=3.0), **settings)[0], "PHQ-9")
    folds = outer_splits(problem, repeats=1, seed=0)
    evaluation = evaluate(problem, folds, seed=0, candidates=("additive",), jobs=1)
    return problem, evaluation, leave_one_study_out(problem, seed=0, jobs=1)


@pytest.fixture(scope="module")
def planted():
    return _validated(subjects=300, studies=3)


def test_survival_is_a_share_of_the_folds(planted):
    rows = taxa(*planted, SHOWN)
    assert {row["folds"] for row in rows} == {5}
    assert all(row["survival"] in (0.2, 0.4, 0.6, 0.8, 1.0) for row in rows)
    assert rows == sorted(rows, key=lambda row: -row["survival"])


def test_a_claim_needs_folds_and_a_left_out_study(planted):
    rows = taxa(*planted, SHOWN)
    assert any(row["claim"] == CLAIM for row in rows)
    for row in rows:
        assert (row["claim"] == CLAIM) == (row["survival"] >= 0.8 and row["studies"] > 0)


def test_no_claim_where_the_increment_is_not_shown(planted):
    rows = taxa(*planted, NOT_SHOWN)
    assert [row["survival"] for row in rows] == [row["survival"] for row in taxa(*planted, SHOWN)]
    assert not any(row["claim"] == CLAIM for row in rows)


def test_one_study_is_never_enough():
    rows = taxa(*_validated(subjects=150), SHOWN)
    assert any(row["survival"] >= 0.8 for row in rows)
    assert not any(row["claim"] == CLAIM for row in rows)
