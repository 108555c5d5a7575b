"""The reject-option curve: hand-counted errors, and an order that knows who is hard to predict."""

from dataclasses import replace

import numpy as np
import pytest

from features.synthetic import simulate
from training.abstention import SHARES, reject_curves, unlikeness
from training.assess import held_out
from training.problem import pose
from training.protocol import CHOSEN, evaluate, outer_splits


@pytest.fixture(scope="module")
def problem():
    return pose(simulate(subjects=120, seed=4)[0], "PHQ-9")


@pytest.fixture(scope="module")
def evaluation(problem):
    return evaluate(problem, outer_splits(problem, repeats=1, seed=0), seed=0, candidates=("additive",), jobs=1)


def test_the_curve_is_the_error_of_those_one_is_surest_of(problem, evaluation):
    answers = held_out(problem, evaluation, CHOSEN)
    curves = reject_curves(problem, evaluation, answers, np.ones((2, 120)))
    error, sd = np.abs(problem.y - answers.prediction[0]), evaluation.sds[CHOSEN][0]
    assert list(curves) == ["predicted_sd", "unlikeness"]
    for point in curves["predicted_sd"]:
        kept = np.argsort(sd, kind="stable")[: round(point["share"] * 120)]
        assert point["estimate"] == pytest.approx(error[kept].mean())
    assert [point["share"] for point in curves["unlikeness"]] == list(SHARES)
    assert curves["unlikeness"][0]["estimate"] == pytest.approx(error.mean())


def test_a_model_with_one_sd_for_all_has_no_such_order(problem, evaluation):
    flat = replace(evaluation, sds={CHOSEN: np.ones((1, 120))})
    assert list(reject_curves(problem, flat, held_out(problem, evaluation, CHOSEN), np.ones((2, 120)))) == [
        "unlikeness"
    ]


def test_unlikeness_never_saw_the_person(problem, evaluation):
    split = evaluation.splits[0]
    before = unlikeness(problem, split)
    who = int(np.flatnonzero(split.fold == 0)[0])
    strange = problem.design.abundance.copy()
    strange[who] = 0.0
    strange[who, 2] = 5000.0
    after = unlikeness(replace(problem, design=replace(problem.design, abundance=strange)), split)
    own_fold = split.fold == 0
    assert after[who] > 2.0 > before[who]
    assert np.array_equal(after[own_fold & (np.arange(120) != who)], before[own_fold & (np.arange(120) != who)])
