"""Conformal ranks and quantiles against the published table and hand-made cases."""

from dataclasses import replace

import numpy as np
import pytest

from features.synthetic import simulate
from models.intervals import (
    GroupQuantiles,
    clip_interval,
    conformal_rank,
    crossfit_group_quantiles,
    crossfit_quantiles,
    distribution,
    labels_of,
    large_groups,
    probability_below,
    quantile,
)


@pytest.mark.parametrize(("n", "rank"), [(19, 18), (39, 36), (99, 90), (199, 180), (5, 5)])
def test_rank_is_the_split_conformal_one(n, rank):
    assert conformal_rank(n, 0.9) == rank


def test_quantile_of_nineteen_scores_is_the_eighteenth():
    assert quantile(np.array([-1.0, *range(2, 20)]), 0.9) == 18.0


def test_of_several_repeats_the_quantiles_are_averaged_not_the_scores():
    one = np.array([-1.0, *range(2, 20)])
    assert quantile(np.array([one, -2.0 * one]), 0.9) == 27.0  # 18 and 36; averaged the scores would come to 9
    grid = distribution(np.array([one, -one]))
    assert grid[[0, -1]].tolist() == [-10.0, 10.0]  # from -1 and -19, to 19 and 1; averaged they would all be 0


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


def _design(sexes, baseline=None):
    """People with the given sexes and baselines."""
    design = simulate(subjects=len(sexes), seed=0)[0].design("PHQ-9")
    column = np.empty(len(sexes), dtype=object)
    column[:] = sexes
    start = design.baseline if baseline is None else np.asarray(baseline, dtype=float)
    return replace(design, covariates={"sex": column}, baseline=start)


def test_each_large_group_has_its_own_quantile_and_a_small_one_none():
    design = _design(["female"] * 40 + ["male"] * 39 + [None])
    scores = np.concatenate([np.arange(1.0, 41.0), np.full(40, 7.0)])
    found = GroupQuantiles.learn(design, scores, "sex", 0.9)
    assert (found.groups, found.quantiles) == (("female",), (37.0,))  # rank ceil(41 * 0.9) = 37
    given = found.of(design.take(np.array([0, 40, 79])))
    assert given[0] == 37.0
    assert np.isnan(given[1:]).all()


def test_a_group_has_its_quantile_of_several_repeats():
    women = np.stack([np.arange(1.0, 41.0), -np.arange(3.0, 43.0)])  # 37 and 39; averaged first they would come to 1
    found = GroupQuantiles.learn(
        _design(["female", "male"] * 40), np.repeat(women, 2, axis=1) * np.tile([1.0, 2.0], 40), "sex", 0.9
    )
    assert dict(zip(found.groups, found.quantiles, strict=True)) == {"female": 38.0, "male": 76.0}


def test_people_are_counted_not_rows():
    design = _design(["female"] * 60)
    twice = replace(design, subject=np.array([f"p{i // 2}" for i in range(60)], dtype=object))
    assert large_groups(design, labels_of(design, "sex")) == ("female",)
    assert large_groups(twice, labels_of(twice, "sex")) == ()


def test_thirds_of_severity_are_cut_at_the_training_people():
    design = _design(["female"] * 120, baseline=np.repeat([5.0, 12.0, 20.0], 40))
    found = GroupQuantiles.learn(design, np.repeat([1.0, 2.0, 3.0], 40), "severity_third", 0.9)
    assert dict(zip(found.groups, found.quantiles, strict=True)) == {"low": 1.0, "middle": 2.0, "high": 3.0}
    new = _design(["male"] * 4, baseline=[0.0, 12.0, 27.0, np.nan])
    assert found.of(new)[:3].tolist() == [1.0, 2.0, 3.0]
    assert np.isnan(found.of(new)[3])


def test_crossfitted_group_quantiles_never_use_the_own_fold():
    design = _design(["female"] * 80)
    fold = np.arange(80) % 2
    found = crossfit_group_quantiles(design, np.where(fold == 0, 1.0, 9.0), fold, "sex", 0.9)
    assert found.tolist() == np.where(fold == 0, 9.0, 1.0).tolist()


def test_groups_of_different_spread_are_covered_each():
    rng = np.random.default_rng(1)
    sexes = np.where(np.arange(3000) % 3 == 0, "female", "male")
    design = _design(sexes.tolist())
    scores, fold = rng.normal(size=3000) * np.where(sexes == "female", 3.0, 1.0), rng.integers(0, 5, 3000)
    one = np.abs(scores) <= crossfit_quantiles(scores, fold, 0.9)
    own = np.abs(scores) <= crossfit_group_quantiles(design, scores, fold, "sex", 0.9)
    assert one[sexes == "female"].mean() < 0.8
    assert own[sexes == "female"].mean() == pytest.approx(0.9, abs=0.02)
    assert own[sexes == "male"].mean() == pytest.approx(0.9, abs=0.02)
