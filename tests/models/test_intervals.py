"""Conformal ranks and quantiles against the published table and hand-made cases."""

import numpy as np
import pytest

from models.intervals import (
    clip_interval,
    conformal_rank,
    crossfit_quantiles,
    distribution,
    probability_below,
    quantile,
)


@pytest.mark.parametrize(("n", "rank"), [(19, 18), (39, 36), (99, 90), (199, 180), (5, 5)])
def test_rank_is_the_split_conformal_one(n, rank):
    assert conformal_rank(n, 0.9) == rank


def test_quantile_of_nineteen_scores_is_the_eighteenth():
    assert quantile(np.array([-1.0, *range(2, 20)]), 0.9) == 18.0


def test_no_scores_is_an_error():
    with pytest.raises(ValueError, match="at least one residual"):
        quantile(np.array([]), 0.9)


def test_a_persons_quantile_never_uses_that_persons_fold():
    scores, fold = np.array([1.0, 1.0, 9.0, 9.0]), np.array([0, 0, 1, 1])
    assert crossfit_quantiles(scores, fold, 0.9).tolist() == [9.0, 9.0, 1.0, 1.0]


def test_intervals_stop_at_the_reachable_range():
    lower, upper = clip_interval(np.array([-4.0]), np.array([9.0]), np.array([-10.0]), np.array([3.0]))
    assert (lower[0], upper[0]) == (-10.0, 3.0)


def test_probability_is_read_off_the_stored_distribution():
    grid = distribution(np.linspace(-2, 2, 4001))
    p = probability_below(np.array([-3.0, -9.0, 9.0, np.nan]), np.full(4, -3.0), np.full(4, 2.0), grid)
    assert p[:3] == pytest.approx([0.5, 0.0, 1.0])
    assert np.isnan(p[3])


def test_crossfitted_coverage_is_nominal_on_exchangeable_residuals():
    rng = np.random.default_rng(0)
    scores, fold = rng.standard_t(5, 4000), np.arange(4000) % 5
    assert (np.abs(scores) <= crossfit_quantiles(scores, fold, 0.9)).mean() == pytest.approx(0.9, abs=0.015)
