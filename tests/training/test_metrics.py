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


def test_calibration_of_two_groups_is_the_log_odds_by_hand():
    # Two probabilities and two observed shares: the fitted line goes through both log odds.
    p = np.repeat([0.25, 0.75], 8)
    y = np.array([1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0], dtype=float)  # shares 3/8 and 5/8
    slope = metrics.calibration_slope(y, p, np.ones((1, 16)))[0]
    assert slope == pytest.approx(np.log(5 / 3) / np.log(3), abs=1e-6)
    assert metrics.calibration_intercept(y, p, np.ones((1, 16)))[0] == pytest.approx(0.0, abs=1e-6)


def test_intercept_of_one_probability_is_the_missing_log_odds():
    y = np.array([1.0, 1.0, 1.0, 0.0])
    assert metrics.calibration_intercept(y, np.full(4, 0.5), np.ones((1, 4)))[0] == pytest.approx(np.log(3), abs=1e-6)


def test_calibration_of_resamples_equals_statsmodels():
    import statsmodels.api as sm

    weights = metrics.resamples(np.arange(60).astype(str), seed=3, draws=5)
    x = np.log(np.clip(PROB, 0.0025, 0.9975) / (1 - np.clip(PROB, 0.0025, 0.9975)))
    for w, slope, intercept in zip(
        weights,
        metrics.calibration_slope(HIT, PROB, weights),
        metrics.calibration_intercept(HIT, PROB, weights),
        strict=True,
    ):
        family = sm.families.Binomial()
        free = sm.GLM(HIT, sm.add_constant(x), family=family, freq_weights=w).fit()
        fixed = sm.GLM(HIT, np.ones(60), family=family, freq_weights=w, offset=x).fit()
        assert slope == pytest.approx(free.params[1], abs=1e-5)
        assert intercept == pytest.approx(fixed.params[0], abs=1e-5)


def test_perfect_separation_has_no_slope():
    assert np.isnan(
        metrics.calibration_slope(np.array([0.0, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9]), np.ones((1, 4)))[0]
    )


def test_net_benefit_by_hand():
    # Five people, threshold 0.25 (odds 1/3): three are treated, two of them rightly, one wrongly.
    y, p = np.array([1.0, 1, 0, 0, 1]), np.array([0.9, 0.25, 0.3, 0.1, 0.2])
    assert metrics.net_benefit(y, p, np.ones((1, 5)), 0.25)[0] == pytest.approx((2 - 1 / 3) / 5)
    assert metrics.net_benefit(y, np.ones(5), np.ones((1, 5)), 0.25)[0] == pytest.approx((3 - 2 / 3) / 5)  # everyone
    assert metrics.net_benefit(y, np.zeros(5), np.ones((1, 5)), 0.25)[0] == 0.0  # no one
