"""Probabilities of response and remission: what they are compared with, and whether acting on them pays."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, logit

from features.synthetic import simulate
from training.assess import THRESHOLDS, decision_curves, event_bar, held_out, probability_metrics
from training.groups import interval_groups, probability_groups
from training.metrics import CALIBRATION, EDGE, resamples
from training.problem import pose
from training.protocol import CHOSEN, evaluate, outer_splits


@pytest.fixture(scope="module")
def problem():
    return pose(simulate(subjects=200, seed=4)[0], "PHQ-9")


@pytest.fixture(scope="module")
def found(problem):
    return evaluate(problem, outer_splits(problem, repeats=1, seed=0), seed=0, candidates=("additive",), jobs=1)


@pytest.fixture(scope="module")
def answers(problem, found):
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
    curves = decision_curves(problem, answers, CHOSEN, np.ones((2, len(problem.y))))
    assert set(curves) == {"response", "remission"}
    p, seen = answers[CHOSEN].p_remission[0], answers[CHOSEN].remits
    for point, t in zip(curves["remission"], THRESHOLDS, strict=True):
        treated = p >= t
        right, wrong = (treated & (seen == 1)).sum(), (treated & (seen == 0)).sum()
        assert point["estimate"] == pytest.approx((right - wrong * t / (1 - t)) / len(p))
        assert point["treat_all"] == pytest.approx(seen.mean() - (1 - seen.mean()) * t / (1 - t))


def test_an_outcome_everyone_had_has_no_curve(problem, answers):
    same = {row: replace(a, responds=np.ones(len(problem.y))) for row, a in answers.items()}
    assert set(decision_curves(problem, same, CHOSEN, np.ones((2, len(problem.y))))) == {"remission"}


@pytest.mark.parametrize("by", ["", "sex"])
def test_groups_are_stated_by_hand_and_small_ones_are_not(problem, found, by):
    held = held_out(problem, found, "baseline", by)
    rows = {(row["by"], row["group"]): row for row in interval_groups(problem, held, np.ones((2, len(problem.y))))}
    sex, arm = problem.design.covariates["sex"].astype(str), problem.design.arm.astype(str)
    own = sex == "female"
    inside = (problem.y[own] >= held.lower[0, own]) & (problem.y[own] <= held.upper[0, own])
    assert rows["sex", "female"]["coverage"]["estimate"] == pytest.approx(inside.mean())
    width = (held.upper - held.lower)[0, own].mean()
    assert rows["sex", "female"]["interval_width"]["estimate"] == pytest.approx(width)
    small = [name for name in set(arm) if (arm == name).sum() < 40]
    assert small
    for name in small:
        assert rows["arm", name].keys() == {"by", "group", "rows", "status"}
        assert rows["arm", name]["status"] == "too few"


def test_groups_too_small_for_an_interval_have_no_bounds(problem, found):
    held = held_out(problem, found, "baseline", "arm")
    arm = problem.design.arm.astype(str)
    rows = interval_groups(problem, held, np.ones((2, len(problem.y))))
    status = {row["group"]: row["status"] for row in rows if row["by"] == "arm"}
    for name in set(arm):
        large = (arm == name).sum() >= 40
        assert np.isnan(held.lower[0, arm == name]).all() != large
        assert status[name] == ("stated" if large else "no interval")


def test_probabilities_of_a_group_are_stated_by_hand_and_rare_events_are_not(problem, answers):
    rows = probability_groups(problem, answers[CHOSEN], np.ones((2, len(problem.y))))
    assert set(rows) == {"response", "remission"}
    own = problem.design.covariates["sex"].astype(str) == "female"
    seen, p = answers[CHOSEN].responds[own], answers[CHOSEN].p_response[0, own]
    women = next(row for row in rows["response"] if row["group"] == "female")
    assert women["observed"]["estimate"] == pytest.approx(seen.mean())
    assert women["expected"]["estimate"] == pytest.approx(p.mean())
    # At the intercept the mean of the moved probabilities is the share observed: the score equation of a logistic regression.
    moved = expit(logit(np.clip(p, EDGE, 1 - EDGE)) + women["calibration_intercept"]["estimate"])
    assert moved.mean() == pytest.approx(seen.mean(), abs=1e-6)
    severe = answers[CHOSEN].remits[problem.design.baseline >= np.quantile(problem.design.baseline, 2 / 3)]
    assert severe.sum() < 10
    third = next(row for row in rows["remission"] if row["group"] == "high")
    assert third.keys() == {"by", "group", "rows", "status"}
    assert third["status"] == "too few"


def test_what_a_group_hides_cannot_be_worked_out_from_the_others(problem, answers):
    # 9 of the men had it and 15 of the women: the women's share and everybody's would give the men's away.
    sex = problem.design.covariates["sex"].astype(str)
    had = np.zeros(len(problem.y))
    had[np.flatnonzero(sex == "male")[:9]], had[np.flatnonzero(sex == "female")[:15]] = 1.0, 1.0
    held = replace(answers[CHOSEN], responds=had)

    def stated(held):
        rows = probability_groups(problem, held, np.ones((2, len(problem.y))))["response"]
        return {row["group"] for row in rows if row["by"] == "sex" and row["status"] == "stated"}

    assert stated(held) == set()
    had[np.flatnonzero(sex == "male")[9]] = 1.0
    assert stated(held) == {"male", "female"}


def test_people_of_whom_an_event_is_not_known_do_not_make_a_group_large(problem, answers):
    women = np.flatnonzero(problem.design.covariates["sex"].astype(str) == "female")
    seen = answers[CHOSEN].responds.copy()
    seen[women[39:]] = np.nan
    rows = probability_groups(problem, replace(answers[CHOSEN], responds=seen), np.ones((2, len(problem.y))))
    row = next(row for row in rows["response"] if row["group"] == "female")
    assert (row["rows"], row["status"]) == (39, "too few")


def test_a_label_has_a_curve_of_its_own_name(problem, answers):
    label = replace(problem, task="label", positive="case")
    one = {row: replace(held, remits=np.full(len(problem.y), np.nan)) for row, held in answers.items()}
    curves = decision_curves(label, one, CHOSEN, np.ones((2, len(problem.y))))
    assert {name: len(curve) for name, curve in curves.items()} == {"label": len(THRESHOLDS)}
