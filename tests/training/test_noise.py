"""Noise of models without an sd of their own: the likelihood's maximum, what is simulated, and the interval that is served."""

import numpy as np
import pytest
from scipy.optimize import minimize

from features.blocks import FeatureEncoder, severity
from features.synthetic import World, simulate
from models.noise import FLAT, Noise, severity_in
from training.config import RunConfig
from training.finalfit import fit_final
from training.noise import SLOPE_SD, learn_noise
from training.problem import pose
from training.protocol import evaluate, outer_splits
from training.selection import _noise, choose


@pytest.fixture(scope="module")
def residuals():
    rng = np.random.default_rng(3)
    z = rng.normal(size=800)
    return 2.0 * np.exp(0.5 * 0.6 * z) * rng.normal(size=800), z


def test_it_is_the_maximum_of_the_penalised_likelihood(residuals):
    off, z = residuals

    def unlikely(theta):
        log_variance = theta[0] + theta[1] * z
        return 0.5 * np.sum(log_variance + off**2 * np.exp(-log_variance)) + 0.5 * (theta[1] / SLOPE_SD) ** 2

    start, slope = minimize(unlikely, [0.0, 0.0]).x
    found = learn_noise(off**2, z)
    assert (found.rmse, found.steep) == pytest.approx((np.exp(start / 2), slope), abs=1e-3)
    assert (found.rmse, found.steep) == pytest.approx((2.0, 0.6), abs=0.15)


def test_noise_that_is_the_same_for_all_is_flat_and_as_large_as_the_residuals():
    off = np.random.default_rng(4).normal(0, 3.0, 500)
    found = learn_noise(off**2, np.zeros(500))
    assert found == pytest.approx((np.sqrt(np.mean(off**2)), 0.0))


def test_nothing_missed_teaches_nothing():
    assert learn_noise(np.zeros(30), np.arange(30.0)) == FLAT


def test_an_sd_by_hand():
    assert Noise(2.0, 1.0).sd(np.array([0.0, 2.0])).tolist() == pytest.approx([2.0, 2.0 * np.e])
    assert severity_in({"base": np.array([[1.5], [-1.0]]), "arm": np.zeros((2, 3))}).tolist() == [1.5, -1.0]
    assert severity_in({"arm": np.zeros((2, 3))}).tolist() == [0.0, 0.0]


@pytest.fixture(scope="module")
def uneven():
    return pose(simulate(subjects=300, seed=3, world=World(noise=2.5, uneven=0.5))[0], "PHQ-9")


def test_severity_is_the_encoders_own_column(uneven):
    encoder = FeatureEncoder(unit=uneven.design.unit, comparator=uneven.comparator).fit(uneven.design.frame())
    assert encoder.encode(uneven.design)["base:baseline"].tolist() == severity(uneven.design).tolist()


@pytest.mark.parametrize("name", ["elastic_net", "xgboost"])
def test_a_challengers_interval_is_wider_for_the_severe_where_their_noise_is(uneven, name, tmp_path):
    found = evaluate(uneven, outer_splits(uneven, repeats=1, seed=0), seed=0, candidates=("additive", name), jobs=1)
    low, high = np.quantile(uneven.design.baseline, [1 / 3, 2 / 3])
    mild, severe = uneven.design.baseline <= low, uneven.design.baseline >= high
    out_of_fold = found.sds[name][0]
    assert out_of_fold[severe].mean() > 1.2 * out_of_fold[mild].mean()
    final = fit_final(uneven, found, RunConfig(model=name), widen=(1.0, 1.0), manifest={"name": "m", "run_id": "r"})
    bundle = final.bundle.save(tmp_path / "b").load(tmp_path / "b")
    learned = choose(uneven, (name,), seed=0).noise[name]
    served = bundle.core.sd(bundle.encoding.blocks(uneven.design))
    assert served.tolist() == pytest.approx(learned.sd(severity(uneven.design)).tolist(), rel=1e-12)
    assert learned.steep > 0.2


def test_samples_of_one_outcome_are_one_residual():
    once = pose(simulate(subjects=80, seed=3)[0], "PHQ-9")
    twice = once.take(np.repeat(np.arange(80), 2))
    off = np.random.default_rng(1).normal(0, 3, 80)
    assert _noise(twice, np.repeat(off, 2)) == pytest.approx(_noise(once, off), rel=1e-6)
