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
    row = {world: f"| {world}: {'| 1 ' * (len(bench.COLUMNS) + 1)}|" for world in "ABC"}
    page = bench.with_rows("", {"B": row["B"], "A": row["A"]})
    assert page.splitlines()[2:] == [bench.HEAD, f"|{'---|' * (len(bench.COLUMNS) + 2)}", row["A"], row["B"]]
    # A table of other columns: its heading is written anew, its rows would stand under the wrong headings.
    page = page.replace(bench.HEAD, "| world | frac |").replace(row["A"], "| A: old | 2 |") + "\nProse, | with a bar.\n"
    page = bench.with_rows(page, {"C": row["C"]})
    assert page.splitlines()[2] == bench.HEAD
    assert page.splitlines()[4:] == [row["B"], row["C"], "", "Prose, | with a bar."]


def test_the_peers_weights_are_ridge_given_their_prior_variances(load):
    recipe, rng = load("recipe"), np.random.default_rng(2)
    X, variance, noise = rng.normal(size=(30, 4)), np.array([0.3, 1.0, 0.1, 2.0]), rng.uniform(0.5, 2.0, 30)
    y = X @ [1.0, 0.0, -1.0, 0.5] + rng.normal(size=30)
    mean, weights, uncertain = recipe._posterior(X, variance, y, noise)
    ridge = Ridge(alpha=1.0).fit(X * np.sqrt(variance), y, sample_weight=1.0 / noise)
    assert weights == pytest.approx(ridge.coef_ * np.sqrt(variance), abs=1e-9)
    assert mean == pytest.approx(ridge.intercept_, abs=1e-9)
    exact = np.linalg.inv(X.T / noise @ X + np.diag(1.0 / variance))  # the intercept taken as known
    assert uncertain == pytest.approx(np.diag(exact), abs=1e-12)


def test_the_peer_finds_the_one_taxon_that_matters_alike_under_all_arms(load):
    recipe, rng = load("recipe"), np.random.default_rng(5)
    arm, taxa = rng.integers(3, size=700), rng.normal(size=(700, 30))
    X = pd.DataFrame(
        np.column_stack([arm == 1, arm == 2, taxa]),
        columns=["arm:one", "arm:two", *(f"abundant:{j}" for j in range(30))],
    )
    y = taxa[:, 3] * (1.0 + 2.0 * (arm == 1)) + rng.normal(size=700)  # it matters under one arm and not under the other
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
