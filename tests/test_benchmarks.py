"""What the benchmarks compare with and write down: the peer's arithmetic, and the page that keeps its prose."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def load(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    return importlib.import_module


def test_a_row_replaces_its_own_and_nothing_else(load):
    bench = load("bench_worlds")
    page = bench.with_rows("", {"B": "| B: old | 1 |", "A": "| A: kept | 2 |"})
    assert page.splitlines()[2] == bench.HEAD
    page = bench.with_rows(page.replace("|---|", "|---|", 1) + "\nProse, | with a bar.\n", {"B": "| B: new | 3 |"})
    assert page.splitlines()[4:] == ["| A: kept | 2 |", "| B: new | 3 |", "", "Prose, | with a bar."]


def test_the_peers_weights_are_ridge_given_their_prior_variances(load):
    recipe, rng = load("recipe"), np.random.default_rng(2)
    X, variance, noise = rng.normal(size=(30, 4)), np.array([0.3, 1.0, 0.1, 2.0]), rng.uniform(0.5, 2.0, 30)
    y = X @ [1.0, 0.0, -1.0, 0.5] + rng.normal(size=30)
    mean, weights, uncertain = recipe._posterior(X, variance, y, noise)
    ridge = Ridge(alpha=1.0).fit(X * np.sqrt(variance), y, sample_weight=1.0 / noise)
    assert weights == pytest.approx(ridge.coef_ * np.sqrt(variance), abs=1e-9)
    assert mean == pytest.approx(ridge.intercept_, abs=1e-9)
    wide = np.column_stack([np.ones(30), X])
    exact = np.linalg.inv(wide.T / noise @ wide + np.diag([0.0, *1.0 / variance]))
    assert (uncertain <= np.diag(exact)[1:] + 1e-12).all()  # the intercept's own uncertainty is not in it


def test_the_peer_finds_the_one_taxon_that_matters_alike_under_all_arms(load):
    recipe, rng = load("recipe"), np.random.default_rng(5)
    arm, taxa = rng.integers(2, size=700) - 0.5, rng.normal(size=(700, 30))
    X = pd.DataFrame(
        np.column_stack([arm, -arm, taxa]), columns=["arm:one", "arm:two", *(f"abundant:{j}" for j in range(30))]
    )
    y = taxa[:, 3] + taxa[:, 3] * arm + rng.normal(size=700)
    model = recipe.RecipeRegressor(priors=recipe.PRIORS).fit(X, y)
    sd = dict(zip(model.columns_, model.prior_, strict=True))
    assert sd["abundant:3"] > 1.5 * max(sd[f"abundant:{j}"] for j in range(30) if j != 3)
    assert sd["arm×abundant:6"] == pytest.approx(sd["arm×abundant:7"])
    assert sd["arm×abundant:6"] > 1.5 * sd["arm×abundant:8"]
    # Without taxa to re-weight it is the plain model with the recipe's priors.
    bare = X[["arm:one", "arm:two"]]
    assert recipe.RecipeRegressor(priors=recipe.PRIORS).fit(bare, y).predict(bare) == pytest.approx(
        recipe.AdditiveBlockRegressor(priors=recipe.PRIORS).fit(bare, y).predict(bare)
    )
