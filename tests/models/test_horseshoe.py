"""The horseshoe: against numerical integration, against what it is for (needles), against what it must not do (noise)."""

from __future__ import annotations

import numpy as np
import pytest

import models.horseshoe
from models.horseshoe import GLOBAL, horseshoe


def by_quadrature(x: np.ndarray, y: np.ndarray) -> float:
    """E[w | y] of y = x w + N(0, 1), w ~ N(0, (tau gamma lambda)^2), all half-Cauchy: over the sum of their logarithms."""
    logs = np.linspace(-14.0, 14.0, 281)
    one = 1.0 / np.cosh(logs)  # lambda / (1 + lambda^2), the density of log lambda but for a constant
    prior = np.convolve(np.convolve(one, one), one)
    variance = (GLOBAL * np.exp(np.linspace(3 * logs[0], 3 * logs[-1], len(prior)))) ** 2
    size, fit = x @ x, x @ y
    likelihood = np.exp(0.5 * fit**2 * variance / (1 + size * variance)) / np.sqrt(1 + size * variance)
    mean = fit * variance / (1 + size * variance)
    return float((prior * likelihood * mean).sum() / (prior * likelihood).sum())


@pytest.mark.parametrize("effect", [0.05, 0.15, 0.4])
def test_one_column_has_the_posterior_mean_that_integration_gives(effect, monkeypatch):
    monkeypatch.setattr(models.horseshoe, "SWEEPS", 20_000)
    monkeypatch.setattr(models.horseshoe, "HEARD", 0.0)
    rng = np.random.default_rng(3)
    x = rng.normal(size=200)
    x -= x.mean()
    noise = rng.normal(size=200)
    y = effect * x + noise - (noise @ x) / (x @ x) * x  # least squares gives the effect itself
    y -= y.mean()
    found = horseshoe(np.ones((200, 1)), x[:, None], y, [1], np.arange(1), seed=0)
    assert found.sparse[0] == pytest.approx(by_quadrature(x, y), abs=0.006)
    assert abs(found.own[0]) < 1e-9


def needles(rng: np.random.Generator, n: int = 500, q: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    columns, weights = rng.normal(size=(n, q)), np.zeros(q)
    weights[:4] = 0.5, -0.5, 0.4, -0.4
    return columns, weights, columns @ weights + rng.normal(size=n)


def test_few_needles_are_found_and_the_hay_is_left():
    columns, weights, y = needles(np.random.default_rng(0))
    found = horseshoe(np.ones((500, 1)), columns, y, [300], np.arange(300), seed=0)
    ridge = columns.T @ np.linalg.solve(columns @ columns.T * 0.82 / 300 + np.eye(500), y) * 0.82 / 300
    assert np.mean((found.sparse - weights) ** 2) < np.mean((ridge - weights) ** 2) / 4
    assert np.abs(found.sparse[:4]).min() > 0.25
    assert found.scale[:4].min() > 10 * np.median(found.scale[4:])


@pytest.mark.parametrize("seed", range(3))
def test_a_block_of_noise_says_next_to_nothing(seed):
    rng = np.random.default_rng(seed)
    columns, y = rng.normal(size=(500, 300)), rng.normal(size=500)
    found = horseshoe(np.ones((500, 1)), columns, y, [300], np.arange(300), seed=0)
    assert np.var(columns @ found.sparse) < 0.02 * np.var(y)


def test_a_block_of_noise_is_believed_less_for_drawing_its_scale_along_its_weights_too(monkeypatch):
    def believed(seed):
        rng = np.random.default_rng(seed)
        columns, y = rng.normal(size=(400, 200)), rng.normal(size=400)
        return np.median(horseshoe(np.ones((400, 1)), columns, y, [200], np.arange(200), seed=seed).scale)

    interwoven = np.mean([believed(seed) for seed in range(4)])
    monkeypatch.setattr("models.horseshoe._Chain._along", lambda *_: None)
    assert interwoven < 0.6 * np.mean([believed(seed) for seed in range(4)])


def test_a_block_of_noise_does_not_take_from_a_block_that_speaks():
    rng = np.random.default_rng(5)
    columns, _, y = needles(rng)
    noise = rng.normal(size=(500, 200))
    alone = horseshoe(np.ones((500, 1)), columns, y, [300], np.arange(300), seed=0)
    beside = horseshoe(np.ones((500, 1)), np.column_stack([columns, noise]), y, [300, 200], np.arange(500), seed=0)
    assert np.corrcoef(alone.sparse, beside.sparse[:300])[0, 1] > 0.98
    assert np.var(noise @ beside.sparse[300:]) < 0.02 * np.var(y)


def test_the_own_columns_are_fitted_beside_the_sparse_ones():
    """With nothing in the sparse columns, the own ones have the ridge answer under N(0, 1) and a flat intercept."""
    rng = np.random.default_rng(1)
    own = np.column_stack([np.ones(400), rng.normal(size=(400, 3))])
    y = own @ [2.0, 1.0, -0.5, 0.0] + rng.normal(size=400)
    found = horseshoe(own, rng.normal(size=(400, 20)), y, [20], np.arange(20), seed=0)
    ridge = np.linalg.solve(own.T @ own + np.diag([0.0, 1, 1, 1]), own.T @ y)
    assert found.own == pytest.approx(ridge, abs=0.03)


def test_the_same_seed_gives_the_same_bytes_and_another_nearly_the_same_answer():
    columns, _, y = needles(np.random.default_rng(2))
    one, again, other = (
        horseshoe(np.ones((500, 1)), columns, y, [300], np.arange(300), seed=seed) for seed in (0, 0, 1)
    )
    assert one.sparse.tobytes() == again.sparse.tobytes()
    fit, second = columns @ one.sparse, columns @ other.sparse
    assert np.std(fit - second) < 0.1 * np.std(fit)


def test_drawing_the_unheard_from_their_prior_changes_next_to_nothing(monkeypatch):
    columns, _, y = needles(np.random.default_rng(4))
    quick = horseshoe(np.ones((500, 1)), columns, y, [300], np.arange(300), seed=0)
    monkeypatch.setattr(models.horseshoe, "HEARD", 0.0)
    exact = horseshoe(np.ones((500, 1)), columns, y, [300], np.arange(300), seed=0)
    assert np.std(columns @ (quick.sparse - exact.sparse)) < 0.1 * np.std(columns @ exact.sparse)


def test_a_taxon_that_matters_by_itself_is_sooner_believed_under_an_arm():
    rng = np.random.default_rng(8)
    columns, weights = rng.normal(size=(400, 200)), np.zeros(200)
    weights[[0, 1, 100, 101]] = 0.6, -0.6, 0.15, -0.15
    y = columns @ weights + rng.normal(size=400)
    same, other = np.tile(np.arange(100), 2), np.arange(200)
    told, apart = (horseshoe(np.ones((400, 1)), columns, y, [100, 100], taxa, seed=0) for taxa in (same, other))
    assert np.abs(told.sparse[100:102]).sum() > 1.2 * np.abs(apart.sparse[100:102]).sum()


def test_constant_columns_have_no_weight():
    y = np.random.default_rng(0).normal(size=50)
    found = horseshoe(np.ones((50, 1)), np.zeros((50, 3)), y, [2, 1], np.arange(3), seed=0)
    assert np.abs(found.sparse).max() == 0.0
    assert found.own[0] == pytest.approx(y.mean())


def test_columns_that_are_not_numbers_are_refused():
    columns = np.ones((10, 1))
    columns[3] = np.inf
    with pytest.raises((np.linalg.LinAlgError, ValueError)):
        horseshoe(np.ones((10, 1)), columns, np.zeros(10), [1], np.arange(1), seed=0)
