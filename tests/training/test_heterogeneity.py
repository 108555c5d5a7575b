"""Heterogeneity of studies by hand and against statsmodels."""

from dataclasses import replace

import numpy as np
import pytest
from statsmodels.stats.meta_analysis import combine_effects

from features.synthetic import simulate
from training.findings import study_figures
from training.heterogeneity import between_studies, der_simonian_laird
from training.problem import pose
from training.protocol import Evaluation
from training.splits import by_study


def test_two_studies_by_hand():
    # weights 1 and 1, pooled 1, Q = 2, 1 degree of freedom: I2 = 1/2; tau2 = (2 - 1) / (2 - 2/2) = 1
    found = der_simonian_laird(np.array([0.0, 2.0]), np.array([1.0, 1.0]))
    assert (found.q, found.i2, found.tau) == pytest.approx((2.0, 0.5, 1.0))


@pytest.mark.parametrize("seed", range(20))
def test_equals_statsmodels(seed):
    rng = np.random.default_rng(seed)
    effect, variance = rng.normal(0, 1, 6), rng.uniform(0.1, 0.6, 6)
    theirs = combine_effects(effect, variance, method_re="chi2")
    found = der_simonian_laird(effect, variance)
    assert found.q == pytest.approx(theirs.q, rel=1e-9)
    assert found.tau**2 == pytest.approx(max(theirs.tau2, 0.0), abs=1e-9)
    assert found.i2 == pytest.approx(max(theirs.i2, 0.0), abs=1e-9)


def _studied(offset):
    problem = pose(simulate(subjects=90, seed=2, studies=3)[0], "PHQ-9")
    split = by_study(problem.design.study)
    level = np.array([offset * (study == "study_1") for study in problem.design.study])
    noise = np.random.default_rng(0).normal(0, 2, len(problem.y))
    predicted = {"additive": (problem.y - noise - level)[None]}
    return problem, Evaluation((split,), predicted, predicted, ())


def test_a_study_off_its_level_is_seen_and_none_otherwise():
    moved, alike = (between_studies(*_studied(offset)) for offset in (6.0, 0.0))
    assert moved["studies"]["study_1"]["miss"] == pytest.approx(6.0, abs=1.2)
    assert moved["i2"] > 0.8
    assert alike["i2"] < 0.5
    assert moved["tau"] == pytest.approx(3.4, abs=0.8)  # the sd of (6, 0, 0) is 3.46


def test_one_study_or_small_ones_are_not_judged():
    problem, studies = _studied(1.0)
    assert between_studies(problem, None) == {}
    rows = np.concatenate([np.flatnonzero(problem.design.study == s)[:9] for s in ("study_0", "study_1", "study_2")])
    few = replace(studies, predictions={"additive": studies.predictions["additive"][:, rows]})
    assert between_studies(problem.take(rows), few) == {}


def test_a_studys_interval_is_as_wide_as_the_others_say():
    # Study 1 is missed by 12 points: the others' residuals cannot cover it, and its own make theirs cover all.
    problem, studies = _studied(-12.0)
    predicted = dict.fromkeys(("mean", "additive"), studies.predictions["additive"])
    studies = replace(studies, predictions=predicted, sds={name: np.ones((1, len(problem.y))) for name in predicted})
    found = study_figures(problem, studies)["additive"]
    own = problem.design.study == "study_1"
    # (But for a person whose prediction the end of the scale holds back.)
    assert (~own).mean() <= found["coverage"]["estimate"] <= (~own).mean() + 1.5 / len(own)
    assert study_figures(problem, None) == {}
