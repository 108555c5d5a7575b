"""Two stool samples of one baseline: one outcome, one row of the fit, and no reason to refuse a cohort."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from features.errors import InvalidInput
from features.synthetic import World, simulate
from training.problem import pose
from training.protocol import evaluate, outer_splits
from training.repeats import one_row_each, outcomes_of

TWICE = World(microbiome=0.0, moderation=0.0, lifestyle=0.6, noise=3.4, twice=0.5)


def _posed(world=TWICE, subjects=160, seed=4):
    return pose(simulate(subjects=subjects, seed=seed, world=world)[0], "PHQ-9")


def test_rows_of_one_person_and_one_follow_up_share_an_outcome():
    problem = _posed()
    assert len(problem.y) > problem.people == 160
    assert problem.outcome is not None
    assert len(set(problem.outcome.tolist())) == 160
    for number in range(160):
        assert len(set(problem.subjects[problem.outcome == number])) == 1


def test_other_times_or_values_are_other_outcomes():
    design = _posed().design
    first = design.take(np.array([0, 0]))
    assert outcomes_of(first, np.array([-3.0, -3.0])).tolist() == [0, 0]
    assert outcomes_of(first, np.array([-3.0, -2.0])) is None
    assert outcomes_of(design.take(np.array([0, 1])), np.array([-3.0, -3.0])) is None


def test_a_second_sample_of_another_day_has_the_outcome_of_the_follow_up_they_share():
    first = _posed().design.take(np.array([0, 0]))
    later = replace(first, baseline_time=np.array([0.0, 1.0]), lag=np.array([8.0, 7.0]))
    assert outcomes_of(later, np.array([-3.0, -3.0])).tolist() == [0, 0]
    unknown = replace(later, lag=np.full(2, np.nan))
    assert outcomes_of(unknown, np.array([-3.0, -3.0])) is None


def test_a_cohort_of_one_row_each_is_left_as_it_is():
    problem = _posed(World())
    assert problem.outcome is None
    Z = pd.DataFrame({"life:a": [1.0, 2.0]})
    same, y = one_row_each(Z, np.array([1.0, 2.0]), None)
    assert same is Z
    assert y.tolist() == [1.0, 2.0]


def test_the_row_of_an_outcome_is_the_mean_of_its_samples():
    Z = pd.DataFrame({"abundant:a": [1.0, 5.0, 3.0], "life:b": [2.0, 7.0, 2.0]})
    rows, y = one_row_each(Z, np.array([-4.0, -1.0, -4.0]), np.array([0, 1, 0]))
    assert rows.to_numpy().tolist() == [[2.0, 2.0], [5.0, 7.0]]
    assert y.tolist() == [-4.0, -1.0]


def test_second_samples_do_not_teach_a_model_to_know_people():
    """Taxa say nothing here; a fit on both samples takes what is left of the one outcome for their signal, and predicts worse."""
    problem = _posed(subjects=240)

    def error(posed):
        found = evaluate(posed, outer_splits(posed, repeats=1, seed=0), seed=0, candidates=("additive",), jobs=1)
        return float(np.mean((posed.y - found.predictions["additive"][0]) ** 2))

    together = error(problem)
    problem = _posed(subjects=240)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.problem.outcomes_of", lambda *_: None)
        assert together < 0.97 * error(problem)


def test_two_samples_are_not_two_follow_ups_but_two_follow_ups_are():
    cohort, _ = simulate(subjects=60, seed=4, world=TWICE)
    assert len(pose(cohort, "PHQ-9").y) > 60
    later = {name: np.append(column, column[:1]) for name, column in cohort.outcomes.items()}
    later["followup_time"][-1] = 12.0
    with pytest.raises(InvalidInput, match="several follow-ups"):
        pose(type(cohort)(cohort.info, cohort.samples, cohort.lifestyle, later, cohort.counts), "PHQ-9")
