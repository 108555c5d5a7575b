"""What the benchmarks compare with and write down: the peer's arithmetic, and the page that keeps its prose."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from features.synthetic import simulate
from training.problem import pose

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


def test_shares_of_what_can_be_predicted_and_gained_by_hand(load):
    worlds = load("worlds")
    truth = np.array([0.0, 2.0, 4.0])
    assert worlds.captured(truth, truth) == 1.0
    assert worlds.captured(np.full(3, 2.0), truth) == 0.0
    assert worlds.captured(truth + 1.0, truth) == pytest.approx(1.0 - 1.0 / (8.0 / 3.0))
    means = np.array([[0.0, -1.0, -3.0], [0.0, -2.0, 1.0]])  # people × arms; the first arm is placebo
    assert worlds.benefit(means, [2, 1]) == 1.0
    assert worlds.benefit(means, [0, 0]) == 0.0
    assert worlds.benefit(means, [1, 1]) == pytest.approx(3.0 / 5.0)
    assert worlds.told_apart(means, 2.0 * means) == pytest.approx(1.0)
    assert worlds.told_apart(means, means * [1.0, -1.0, 1.0]) == pytest.approx(0.0)


def test_new_studies_are_asked_about_each_arm_and_centred_each_on_itself(load):
    worlds = load("worlds")
    problem = pose(simulate(subjects=120, seed=3, studies=2)[0], "PHQ-9")
    fresh = simulate(subjects=90, seed=3, studies=2, population=1)[0]
    encoder, Z, y, asked = worlds.encoded(problem, fresh, ("placebo", "probiotic"))
    assert len(Z) == len(y) == len(problem.y)
    assert list(asked["placebo"].columns) == list(asked["probiotic"].columns) == list(Z.columns)
    differ = [name for name in Z.columns if not np.array_equal(asked["placebo"][name], asked["probiotic"][name])]
    assert differ == ["arm:any active arm", "arm:probiotic"]
    design = fresh.design("PHQ-9")
    assert set(design.study) == {"study_100", "study_101"}
    genera = [name for name in Z.columns if name.startswith("abundant:")]
    for name in ("study_100", "study_101"):
        rows = design.study == name
        blind = encoder.encode(design.take(np.flatnonzero(rows)), None)[genera].astype(float)
        centred = asked["placebo"].loc[rows, genera].astype(float)
        assert centred.notna().all(axis=None)
        # Nearly: a reference of 50 samples is drawn a little towards what training saw.
        assert centred.mean().abs().mean() < 0.4 * blind.mean().abs().mean()
        assert centred.to_numpy() - centred.mean().to_numpy() == pytest.approx(
            blind.to_numpy() - blind.mean().to_numpy()
        )


def test_the_peers_columns_are_those_of_their_blocks_crossed_with_the_arm(load):
    peers = load("bench_peers")
    names = ["base:baseline", "arm:any active arm", "arm:one", "arm:two", "abundant:a", "rare:b"]
    frame = pd.DataFrame([[1.0, 0.5, 0.9, 0.0, 3.0, 7.0], [2.0, 0.0, 0.0, 0.0, 4.0, 8.0]], columns=names)
    assert peers._columns(frame, ("base", "arm"), False).tolist() == [[1.0, 0.9, 0.0], [2.0, 0.0, 0.0]]
    crossed = peers._columns(frame, ("base", "arm", "abundant"), True)
    assert crossed.tolist() == [[1.0, 0.9, 0.0, 3.0, 3.0, 0.0], [2.0, 0.0, 0.0, 4.0, 0.0, 0.0]]


def test_a_ridge_per_arm_learns_each_arm_from_its_own_people(load):
    peers, rng = load("bench_peers"), np.random.default_rng(0)
    base, arm = rng.normal(size=900), rng.integers(3, size=900)
    names = ["base:baseline", "arm:any active arm", "arm:one", "arm:two"]
    slopes = np.array([0.0, 1.0, -2.0])

    def asked(k):
        return pd.DataFrame(
            np.column_stack([base, np.full(900, k > 0), np.full(900, k == 1), np.full(900, k == 2)]), columns=names
        )

    Z = pd.concat([asked(k).loc[arm == k] for k in range(3)]).sort_index().astype(float)
    y = slopes[arm] * base + rng.normal(0, 0.1, 900)
    found = peers._ridge_per_arm(
        Z, y, {name: asked(k).astype(float) for k, name in enumerate(("placebo", "one", "two"))}
    )
    assert found == pytest.approx(base[:, None] * slopes, abs=0.1)
