"""The protocol: nothing held out is seen, leaked visits would show, noise stays noise, studies are held out whole."""

import numpy as np
import pytest

from features.errors import Refused
from features.synthetic import World, simulate
from models.catalog import CANDIDATES, CATALOG
from training.config import SEARCH
from training.problem import pose
from training.protocol import CHOSEN, candidates_for, evaluate, leave_one_study_out, outer_splits, repeats_for
from training.selection import configurations
from training.shuffles import shuffled
from training.splits import Split

FAST = ("additive", "elastic_net")


@pytest.fixture(scope="module")
def problem():
    return pose(simulate(subjects=80, seed=6)[0], "PHQ-9")


def test_held_out_outcomes_do_not_touch_their_predictions(problem):
    splits = outer_splits(problem, repeats=1, seed=0)
    before = evaluate(problem, splits, seed=0, candidates=FAST, jobs=1)
    changed = problem.y.copy()
    held = splits[0].fold == 2
    changed[held] = changed[held][::-1] + 5
    after = evaluate(problem.with_y(changed), splits, seed=0, candidates=FAST, jobs=1)
    for row, predicted in before.predictions.items():
        assert np.array_equal(predicted[0, held], after.predictions[row][0, held]), row


def test_cores_do_not_change_a_bit(problem):
    splits = outer_splits(problem, repeats=1, seed=0)
    one, two = (evaluate(problem, splits, seed=0, candidates=FAST, jobs=jobs) for jobs in (1, 2))
    assert all(one.predictions[row].tobytes() == two.predictions[row].tobytes() for row in one.predictions)
    assert [vars(c) for c in one.choices] == [vars(c) for c in two.choices]


def test_every_row_of_every_model_is_predicted(problem):
    found = evaluate(problem, outer_splits(problem, repeats=2, seed=0), seed=0, candidates=FAST, jobs=1)
    assert {"mean", "baseline", "covariates", "raw_forest", "additive", "elastic_net", CHOSEN} <= set(found.predictions)
    assert all(np.isfinite(rows).all() and rows.shape == (2, 80) for rows in found.predictions.values())
    assert len(found.choices) == 10


def test_a_subject_in_two_folds_is_refused(problem):
    doubled = problem.take(np.concatenate([np.arange(80), np.arange(10)]))
    with pytest.raises(Refused, match="two folds"):
        evaluate(doubled, (Split(0, np.arange(90) // 7 % 5),), seed=0, candidates=())


def test_noise_does_not_look_like_skill(problem):
    (found,) = shuffled(problem, draws=1, seed=0)
    assert found.configurations == len(configurations(CANDIDATES))
    assert found.nested_r2 < 0.1
    assert found.best_inner_r2 < 0.25
    least, most = found.inner_band
    assert found.searches == 5
    assert least < found.best_inner_r2 < most


def test_where_nothing_is_searched_noise_has_no_best_of_many(problem):
    (found,) = shuffled(problem, draws=1, seed=0, candidates=("additive",))
    assert (found.best_inner_r2, found.configurations, found.inner_band, found.searches) == (None, 1, None, 0)


def test_a_search_offers_what_is_made_for_so_many_people():
    enough = CATALOG["residual_trees"].least
    assert candidates_for(enough - 1, SEARCH) == tuple(name for name in CANDIDATES if name != "residual_trees")
    assert candidates_for(enough, SEARCH) == CANDIDATES
    assert candidates_for(enough - 1, "residual_trees") == ("additive", "residual_trees")


def test_a_study_is_held_out_whole():
    problem = pose(simulate(subjects=120, seed=7, studies=3, world=World(microbiome=2.0))[0], "PHQ-9")
    found = leave_one_study_out(problem, seed=0, jobs=1)
    assert set(found.predictions) == {"mean", "baseline", "covariates", "additive", "additive_blind"}
    assert len(np.unique(found.fold)) == 3
    for study in set(problem.design.study):
        assert len(np.unique(found.fold[0][problem.design.study == study])) == 1


def test_one_study_cannot_be_left_out(problem):
    assert leave_one_study_out(problem, seed=0) is None


@pytest.mark.parametrize(("people", "repeats"), [(40, 5), (100, 5), (101, 3), (300, 3), (800, 2), (801, 1)])
def test_small_cohorts_are_redrawn_more_often(people, repeats):
    assert repeats_for(people) == repeats


def test_a_spent_budget_leaves_the_additive_model_in_every_fold(problem):
    splits = outer_splits(problem, repeats=1, seed=0)
    found = evaluate(problem, splits, seed=0, candidates=FAST, jobs=1, deadline=0.0)
    free = evaluate(problem, splits, seed=0, candidates=FAST, jobs=1)
    assert (found.candidates, free.candidates) == (("additive",), FAST)
    assert np.array_equal(found.predictions["additive"], free.predictions["additive"])
    assert np.array_equal(found.predictions[CHOSEN], found.predictions["additive"])
    assert {choice.tried for choice in found.choices} == {1}
