"""Paired tests: worked by hand, and against scipy, statsmodels and brute force on simulated pairs."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from training.audit import paired
from training.metrics import mae, resamples

PAIRS = range(200)


def simulate(seed, n=80):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.4).astype(float)
    y[:2] = (0.0, 1.0)
    first = rng.normal(size=n) + y
    second = np.round(0.5 * first + rng.normal(size=n) + 0.5 * y, 1)  # rounded: ties occur
    return rng, y, first, second


def test_holm_by_hand():
    # sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1, made monotone: 0.04, 0.06, 0.06, 0.06
    assert paired.holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert np.array_equal(paired.holm([np.nan, 0.03]), [np.nan, 0.03], equal_nan=True)
    assert len(paired.holm([])) == 0


def test_exact_mcnemar_by_hand():
    # 1 of 6 discordant: 2 * (1 + 6) / 2**6
    assert paired.exact_mcnemar(5, 1) == pytest.approx(14 / 64)
    assert paired.exact_mcnemar(0, 0) == paired.exact_mcnemar(3, 3) == 1.0


def test_mcnemar_by_hand():
    first = np.array([True] * 30 + [False] * 70)
    second = np.array([True] * 20 + [False] * 10 + [True] * 30 + [False] * 40)
    found = paired.mcnemar(first, second, np.arange(100))
    # 30 gained, 10 lost: (30 - 10)**2 / 40 = 10; difference 0.2, its error sqrt(40 - 400 / 100) / 100 = 0.06
    assert found.p == pytest.approx(stats.chi2.sf(10, 1))
    assert (found.difference, found.note) == (pytest.approx(0.2), "30 gained, 10 lost")
    assert found.upper - found.difference == pytest.approx(1.959963984540054 * 0.06)


def test_corrected_t_by_hand():
    found = paired.corrected_t(np.array([1.0, 2.0, 3.0, 2.0]), test_share=0.25)
    # mean 2, variance 2/3, error sqrt((1/4 + 1/4) * 2/3) = sqrt(1/3), t = 2 * sqrt(3) on 3 degrees of freedom
    assert found.p == pytest.approx(2 * stats.t.sf(2 * np.sqrt(3), 3))
    assert found.upper == pytest.approx(2 + stats.t.ppf(0.975, 3) / np.sqrt(3))


def test_auc_by_hand():
    # pairs (positive, negative): (3,1) (3,2) (2,1) right, (2,2) tied: 3.5 of 4
    aucs, _ = paired.auc_covariance(np.array([0, 0, 1, 1.0]), np.array([[1, 2, 3, 2.0]]), np.arange(4))
    assert aucs == pytest.approx([0.875])


@pytest.mark.parametrize("exact", [True, False])
def test_mcnemar_equals_statsmodels(exact):
    for seed in PAIRS:
        rng = np.random.default_rng(seed)
        # below 25 discordant pairs the exact form is used, above the asymptotic one
        first, second = (rng.random((2, 60)) < 0.85) if exact else (rng.random((2, 300)) < 0.5)
        table = [
            [np.sum(first & second), np.sum(first & ~second)],
            [np.sum(~first & second), np.sum(~first & ~second)],
        ]
        found = paired.mcnemar(first, second, np.arange(len(first)))
        assert found.test == ("McNemar, exact" if table[0][1] + table[1][0] < 25 else "McNemar")
        expected = statsmodels_mcnemar(table, exact="exact" in found.test, correction=False).pvalue
        assert found.p == pytest.approx(expected, abs=1e-9)


def test_corrected_t_without_correction_equals_scipy():
    for seed in PAIRS:
        values = np.random.default_rng(seed).normal(0.2, 1, size=10)
        found = paired.corrected_t(values, test_share=0.0)
        expected = stats.ttest_1samp(values, 0)
        interval = expected.confidence_interval()
        assert found.p == pytest.approx(expected.pvalue, abs=1e-9)
        assert (found.lower, found.upper) == pytest.approx((interval.low, interval.high), abs=1e-9)


def test_holm_equals_statsmodels(monkeypatch):
    # Its function collects all garbage on every call, which takes most of a second in a large process.
    monkeypatch.setattr("gc.collect", lambda: 0)
    for seed in PAIRS:
        p = np.random.default_rng(seed).random(7) ** 3
        assert paired.holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)


def test_auc_equals_the_rank_test_of_scipy():
    for seed in PAIRS:
        _, y, first, second = simulate(seed)
        aucs, _ = paired.auc_covariance(y, np.array([first, second]), np.arange(len(y)))
        for auc, score in zip(aucs, (first, second), strict=True):
            u = stats.mannwhitneyu(score[y == 1], score[y == 0]).statistic
            assert auc == pytest.approx(u / (np.sum(y == 1) * np.sum(y == 0)), abs=1e-12)


def brute_delong(y, first, second):
    """DeLong's covariance straight from its definition, pair by pair."""
    structural = []
    for score in (first, second):
        x, z = score[y == 1], score[y == 0]
        psi = (x[:, None] > z) + 0.5 * (x[:, None] == z)
        structural.append((psi.mean(axis=1), psi.mean(axis=0), psi.mean()))
    s10 = np.cov([item[0] for item in structural]) / np.sum(y == 1)
    s01 = np.cov([item[1] for item in structural]) / np.sum(y == 0)
    s = s10 + s01
    difference = structural[1][2] - structural[0][2]
    return difference, 2 * stats.norm.sf(abs(difference) / np.sqrt(s[0, 0] + s[1, 1] - 2 * s[0, 1]))


def test_delong_equals_its_definition():
    for seed in PAIRS:
        _, y, first, second = simulate(seed)
        difference, p = brute_delong(y, first, second)
        found = paired.delong(y, first, second, np.arange(len(y)))
        assert (found.difference, found.p) == (
            pytest.approx(difference, abs=1e-9),
            pytest.approx(p, abs=1e-9),
        )


def test_bootstrap_equals_explicit_resamples():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        subjects = np.array([f"s{i // 2}" for i in range(60)], dtype=object)
        y, first, second = rng.normal(size=(3, 60))
        weights = resamples(subjects, seed=seed, draws=200)
        found = paired.bootstrap(mae(y, first, weights), mae(y, second, weights))
        drawn = []
        for row in weights:
            copies = np.repeat(np.arange(60), row.astype(int))
            drawn.append(np.abs(y - second)[copies].mean() - np.abs(y - first)[copies].mean())
        expected = (drawn[0], *np.quantile(drawn[1:], [0.025, 0.975]))
        assert (found.difference, found.lower, found.upper) == pytest.approx(expected, abs=1e-9)
        k = min(sum(d <= 0 for d in drawn[1:]), sum(d >= 0 for d in drawn[1:]))
        assert found.p == pytest.approx(min(1, 2 * (k + 1) / 201))


def test_copies_of_a_person_add_no_evidence():
    _, y, first, second = simulate(1)
    people = np.arange(len(y))
    thrice = np.tile(people, 3)
    once = paired.delong(y, first, second, people)
    copied = paired.delong(y[thrice], first[thrice], second[thrice], thrice)
    naive = paired.delong(y[thrice], first[thrice], second[thrice], np.arange(len(thrice)))
    assert copied.p == pytest.approx(once.p, rel=0.02)
    # tripled rows taken as people would claim a z larger by the root of three
    assert stats.norm.isf(naive.p / 2) == pytest.approx(np.sqrt(3) * stats.norm.isf(once.p / 2), rel=0.02)
    right = first > 0.5, second > 0.5
    assert paired.mcnemar(right[0][thrice], right[1][thrice], thrice).p == pytest.approx(asymptotic_p(*right), rel=1e-9)


def asymptotic_p(first, second):
    wins, losses = np.sum(second & ~first), np.sum(first & ~second)
    return stats.chi2.sf((wins - losses) ** 2 / (wins + losses), 1)


def test_what_cannot_be_computed_is_not_a_number():
    y = np.zeros(5)
    assert np.isnan(paired.delong(y, y, y + 1, np.arange(5)).p)
    assert paired.delong(np.array([0, 1, 0, 1.0]), np.arange(4.0), np.arange(4.0), np.arange(4)).p == 1.0
    assert np.isnan(paired.corrected_t(np.ones(5), 0.25).p)
    assert np.isnan(paired.bootstrap(np.array([np.nan, 1.0]), np.zeros(2)).p)


def test_subjects_are_numbered_without_gaps():
    assert paired.subject_index(np.array(["b", "a", "b"], dtype=object)).tolist() == [1, 0, 1]
