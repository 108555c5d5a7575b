"""The tested increment: by hand, against Holm of statsmodels, on noise and on a real gain."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from training.increment import holm, increments, loss, paired_gain
from training.metrics import resamples

PAIR = [("microbiome", "without", "with")]


def test_losses_are_averaged_over_repeats_by_hand():
    y = np.array([0.0, 2.0])
    assert loss(y, np.array([[1.0, 2.0], [3.0, 0.0]])).tolist() == [5.0, 2.0]


def test_gain_is_a_difference_in_r2_by_hand():
    y = np.array([0.0, 2.0, 4.0])  # total sum of squares 8
    gain = paired_gain(y, np.full((1, 3), 2.0), np.array([[0.0, 2.0, 3.0]]), np.ones((1, 3)))
    assert gain[0] == pytest.approx((8 - 1) / 8)


def test_equal_predictions_show_nothing():
    y = np.random.default_rng(0).normal(size=50)
    row = np.random.default_rng(1).normal(size=(2, 50))
    found = increments(y, {"without": row, "with": row}, PAIR, resamples(np.arange(50).astype(str), seed=0))[0]
    assert (found.estimate, found.verdict) == (0.0, "not shown")


def test_a_real_gain_is_shown():
    rng = np.random.default_rng(0)
    y = rng.normal(size=200)
    rows = {"without": np.zeros((1, 200)), "with": 0.5 * y[None] + 0.1 * rng.normal(size=(1, 200))}
    found = increments(y, rows, PAIR, resamples(np.arange(200).astype(str), seed=0))[0]
    assert found.verdict == "shown"
    assert found.lower > 0.5


def test_noise_is_rarely_shown():
    shown = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        y = rng.normal(size=100)
        rows = {"without": np.zeros((1, 100)), "with": 0.1 * rng.normal(size=(1, 100))}
        shown += (
            increments(y, rows, PAIR, resamples(np.arange(100).astype(str), seed=seed, draws=300))[0].verdict == "shown"
        )
    assert shown <= 10


def test_verdicts_are_never_absent():
    rng = np.random.default_rng(0)
    y = rng.normal(size=60)
    rows = {"without": np.zeros((1, 60)), "with": rng.normal(size=(1, 60))}
    assert increments(y, rows, PAIR, resamples(np.arange(60).astype(str), seed=0))[0].verdict == "not shown"


@pytest.mark.parametrize("p", [[0.01, 0.02, 0.2], [0.001, 0.0124, 0.03], [0.5, 0.6], [0.0249], [0.012, 0.0126]])
def test_holm_equals_statsmodels(p):
    assert holm(np.array(p), 0.025) == multipletests(p, 0.025, "holm")[0].tolist()
