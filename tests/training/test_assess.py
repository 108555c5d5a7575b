"""Probabilities of response and remission: what they are compared with, and whether acting on them pays."""

from dataclasses import replace

import numpy as np
import pytest

from features.synthetic import simulate
from training.assess import THRESHOLDS, decision_curves, event_bar, held_out, probability_metrics
from training.metrics import CALIBRATION, resamples
from training.problem import pose
from training.protocol import CHOSEN, evaluate, outer_splits


@pytest.fixture(scope="module")
def problem():
    return pose(simulate(subjects=200, seed=4)[0], "PHQ-9")


@pytest.fixture(scope="module")
def answers(problem):
    found = evaluate(problem, outer_splits(problem, repeats=1, seed=0), seed=0, candidates=("additive",), jobs=1)
    return {row: held_out(problem, found, row) for row in ("baseline", CHOSEN)}


def test_response_is_half_the_baseline_and_remission_a_score_of_four(problem):
    start, end = problem.design.baseline, problem.design.baseline + problem.y
    assert np.array_equal(event_bar(problem, "response")[1], (end <= start / 2).astype(float))
    assert np.array_equal(event_bar(problem, "remission")[1], (end <= 4).astype(float))


def test_probabilities_of_a_sound_model_are_calibrated(problem, answers):
    found = probability_metrics(problem, answers[CHOSEN], resamples(problem.subjects, seed=0, draws=200), CALIBRATION)
    assert set(found) == {f"{e}_calibration_{k}" for e in ("response", "remission") for k in ("slope", "intercept")}
    for name, value in found.items():
        assert value.lower < (1.0 if name.endswith("slope") else 0.0) < value.upper, name


def test_decision_curve_counts_people_by_hand(problem, answers):
    curves = decision_curves(answers, CHOSEN, np.ones((2, len(problem.y))))
    assert set(curves) == {"response", "remission"}
    p, seen = answers[CHOSEN].p_remission[0], answers[CHOSEN].remits
    for point, t in zip(curves["remission"], THRESHOLDS, strict=True):
        treated = p >= t
        right, wrong = (treated & (seen == 1)).sum(), (treated & (seen == 0)).sum()
        assert point["estimate"] == pytest.approx((right - wrong * t / (1 - t)) / len(p))
        assert point["treat_all"] == pytest.approx(seen.mean() - (1 - seen.mean()) * t / (1 - t))


def test_an_outcome_everyone_had_has_no_curve(problem, answers):
    same = {row: replace(a, responds=np.ones(len(problem.y))) for row, a in answers.items()}
    assert set(decision_curves(same, CHOSEN, np.ones((2, len(problem.y))))) == {"remission"}
