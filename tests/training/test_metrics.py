"""Every metric against scikit-learn and scipy, and the bootstrap by multiplicities against real resamples."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn import metrics as library

from training import metrics

RNG = np.random.default_rng(0)
Y, P = RNG.normal(size=60), RNG.normal(size=60)
HIT, PROB = (RNG.random(60) < 0.4).astype(float), np.round(RNG.random(60), 1)
ONES = np.ones((1, 60))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mae", library.mean_absolute_error(Y, P)),
        ("rmse", library.root_mean_squared_error(Y, P)),
        ("r2", library.r2_score(Y, P)),
        ("spearman", spearmanr(Y, P).statistic),
    ],
)
def test_regression_metrics_equal_the_library(name, expected):
    assert metrics.REGRESSION[name](Y, P, ONES)[0] == pytest.approx(expected, abs=1e-12)


def test_binary_metrics_equal_the_library_ties_included():
    assert metrics.auc(HIT, PROB, ONES)[0] == pytest.approx(library.roc_auc_score(HIT, PROB), abs=1e-12)
    assert metrics.brier(HIT, PROB, ONES)[0] == pytest.approx(library.brier_score_loss(HIT, PROB), abs=1e-12)


@pytest.mark.parametrize("name", ["mae", "rmse", "r2"])
def test_multiplicities_are_resamples(name):
    weights = metrics.resamples(np.arange(60).astype(str), seed=3, draws=20)
    for w, value in zip(weights, metrics.REGRESSION[name](Y, P, weights), strict=True):
        rows = np.repeat(np.arange(60), w.astype(int))
        assert value == pytest.approx(metrics.REGRESSION[name](Y[rows], P[rows], np.ones((1, 60)))[0], abs=1e-10)


def test_auc_of_resamples():
    weights = metrics.resamples(np.arange(60).astype(str), seed=3, draws=20)
    for w, value in zip(weights, metrics.auc(HIT, PROB, weights), strict=True):
        rows = np.repeat(np.arange(60), w.astype(int))
        assert value == pytest.approx(library.roc_auc_score(HIT[rows], PROB[rows]), abs=1e-10)


def test_rows_of_a_subject_are_drawn_together():
    weights = metrics.resamples(np.repeat(["a", "b", "c"], 4), seed=0, draws=50)
    assert (np.diff(weights.reshape(51, 3, 4), axis=2) == 0).all()
    assert (weights[1:].sum(axis=1) == 12).all()


def test_one_class_has_no_auc():
    assert np.isnan(metrics.auc(np.ones(5), np.arange(5.0), np.ones((1, 5)))[0])


def test_estimate_is_the_percentile_interval():
    found = metrics.estimate(np.array([5.0, *np.linspace(0, 100, 1001)]))
    assert (found.estimate, found.lower, found.upper) == pytest.approx((5.0, 2.5, 97.5))
    assert metrics.estimate(np.array([np.nan, 1.0])).as_dict()["estimate"] is None


def test_bootstrap_interval_covers_a_known_mean_error():
    inside = 0
    for seed in range(200):
        y = np.random.default_rng(seed).exponential(size=80)
        weights = metrics.resamples(np.arange(80).astype(str), seed=seed, draws=300)
        found = metrics.estimate(metrics.mae(y, np.zeros(80), weights))
        inside += found.lower <= 1.0 <= found.upper
    assert 0.88 <= inside / 200 <= 0.99
