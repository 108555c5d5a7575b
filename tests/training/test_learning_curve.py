"""The learning curve: a curve recovered from exact points, the number needed by its closed form, and when one cannot tell."""

import numpy as np
import pytest

import training.learning_curve
from features.synthetic import World, simulate
from training.learning_curve import Curve, Point, drawing, fit_curve, learning_curve
from training.problem import pose

Z = 1.959964 + 0.841621  # quantiles of a one-sided 2.5 % test and of 80 % power


def test_exact_points_give_back_their_curve():
    points = [Point(n, 0.05 - 2.0 / n, 0.4 / np.sqrt(n)) for n in (80, 120, 160, 200)]
    found = fit_curve(points)
    assert (found.people, found.limit, found.slope, found.noise) == pytest.approx((200, 0.05, 2.0, 0.4))


def test_a_gain_that_shrinks_with_people_has_no_slope():
    found = fit_curve([Point(100, 0.06, 0.04), Point(200, 0.03, 0.03)])
    assert found.slope == 0.0
    assert found.limit == pytest.approx((0.06 * 100 + 0.03 * 200) / 300)


def test_the_number_needed_is_the_closed_form_without_a_slope():
    curve = Curve(200, 0.04, 0.0, 0.4)
    exact = (Z * 0.4 / 0.04) ** 2  # 785
    assert curve.needed() == pytest.approx(exact, abs=1.5)
    assert curve.power(exact) == pytest.approx(0.8, abs=1e-4)
    assert curve.power(200) < 0.5
    se = 0.4 / np.sqrt(200)
    assert curve.needed(0.5) == pytest.approx((Z * 0.4 / (0.04 + 0.5 * se)) ** 2, abs=1.5)
    assert curve.needed(-2.0) == np.inf


def test_nothing_is_extrapolated_beyond_twenty_times_the_cohort():
    assert Curve(100, 0.01, 0.0, 0.5).needed() == np.inf


def test_a_null_world_cannot_tell_and_too_few_people_cannot_either():
    found = learning_curve(pose(simulate(subjects=60, seed=3, world=World(microbiome=0.0))[0], "PHQ-9"), seed=0, jobs=1)
    assert (found["verdict"], found["needed"]) == ("cannot tell", None)
    assert "not proof that there is nothing" in found["says"]
    few = learning_curve(pose(simulate(subjects=39, seed=3)[0], "PHQ-9"), seed=0, jobs=1)
    assert (few["verdict"], few["points"]) == ("cannot tell", [])
    assert drawing(few).startswith("<svg")


def test_two_samples_of_one_outcome_are_one_row_of_its_fits(monkeypatch):
    problem = pose(simulate(subjects=60, seed=3, world=World(twice=0.5))[0], "PHQ-9")
    outcomes = len(set(problem.outcome.tolist()))
    assert outcomes < len(problem.y)
    seen, real = [], training.learning_curve.fit_predict

    def watched(entry, params, train, y, test, **others):
        seen.append((len(train), len(y), len(test)))
        return real(entry, params, train, y, test, **others)

    monkeypatch.setattr(training.learning_curve, "fit_predict", watched)
    training.learning_curve._point(problem, 1.0, 0, 0)
    folds = seen[:: len(training.learning_curve.ROWS)]
    assert sum(rows for rows, _, _ in folds) == (len(folds) - 1) * outcomes
    assert all(rows == values for rows, values, _ in folds)
    assert sum(held_out for _, _, held_out in folds) == len(problem.y)


@pytest.mark.slow
def test_a_strong_effect_needs_people_within_its_own_interval():
    found = learning_curve(
        pose(simulate(subjects=240, seed=7, world=World(microbiome=4.0))[0], "PHQ-9"), seed=0, jobs=1
    )
    assert found["verdict"] in ("more", "enough")
    assert found["needed_lower"] <= found["needed"] <= (found["needed_upper"] or np.inf)
    assert "80 % power" in found["says"]
    assert drawing(found).count("<path") > 10
