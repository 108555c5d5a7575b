"""The additive model against scikit-learn's conformity suite, a closed form, its own gradient, and known truth."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import check_grad
from sklearn.linear_model import Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

from models import additive, variances
from models.additive import MIDDLE_ROWS, SPARSE_ROWS, AdditiveBlockRegressor
from models.horseshoe import horseshoe


@parametrize_with_checks([AdditiveBlockRegressor()])
def test_conforms_to_scikit_learn(estimator, check):
    check(estimator)


def _data(n=120, seed=0, life=1.0, taxa=0.0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        rng.normal(size=(n, 26)),
        columns=["base:baseline", *(f"life:{i}" for i in range(5)), *(f"abundant:{i}" for i in range(20))],
    )
    y = -2 * X["base:baseline"] + life * X["life:0"] + taxa * (X["abundant:0"] - X["abundant:1"]) + rng.normal(size=n)
    return X, y.to_numpy()


def test_is_ridge_with_the_learned_penalties():
    X, y = _data(life=2.0)
    model = AdditiveBlockRegressor().fit(X, y)
    assert set(model.block_sd_) >= {"base", "life"}
    widths = {"base": 1, "life": 5, "abundant": 20}
    noise = np.exp(model.noise_[0] + model.noise_[1] * X["base:baseline"])
    scale = np.concatenate([np.full(widths[b], sd / np.sqrt(widths[b])) for b, sd in model.block_sd_.items()])
    columns = [c for c in X if c.split(":")[0] in model.block_sd_]
    # Ridge on scaled columns with unit penalty and precision weights has the same posterior mean.
    ridge = Ridge(alpha=1.0).fit(X[columns].to_numpy() * scale, y, sample_weight=1 / (noise * np.std(y) ** 2))
    assert model.predict(X) == pytest.approx(ridge.predict(X[columns].to_numpy() * scale), abs=1e-8)


def test_gradient_is_the_derivative_of_the_objective():
    rng = np.random.default_rng(3)
    parts = [rng.normal(size=(40, p)) for p in (1, 6)]
    kernels = np.array([part @ part.T / part.shape[1] for part in parts])
    y, severity = rng.normal(size=40), rng.normal(size=40)
    rates = np.array([[1.0, 13.0], [-1.0, 0.0], [4.0, 0.0], [0.0, 1.0]])  # rate, log median, precision, shape per block
    value = lambda t: variances._objective(t, kernels, y, severity, rates)[0]  # noqa: E731
    slope = lambda t: variances._objective(t, kernels, y, severity, rates)[1]  # noqa: E731
    for theta in (np.array([-0.5, -2.0, 0.1, 0.2]), np.array([0.3, -1.0, -0.7, -0.3])):
        assert check_grad(value, slope, theta) < 1e-4


@pytest.mark.parametrize("n", [MIDDLE_ROWS - 1, SPARSE_ROWS])
def test_a_useless_block_leaves_the_very_same_model(n):
    X, y = _data(n=n)
    bare = X[[c for c in X if not c.startswith("abundant")]]
    full, small = AdditiveBlockRegressor().fit(X, y), AdditiveBlockRegressor().fit(bare, y)
    assert "abundant" not in full.block_sd_
    assert np.array_equal(full.predict(X), small.predict(bare))


def test_in_cohorts_of_middle_size_the_abundant_genera_stay_and_say_little():
    X, y = _data(n=MIDDLE_ROWS)
    found = AdditiveBlockRegressor().fit(X, y)
    without = AdditiveBlockRegressor(priors={"abundant": variances.TIGHT}).fit(X, y)
    assert "abundant" not in without.block_sd_
    assert 0 < found.block_sd_["abundant"] < 0.15 * y.std()
    assert np.corrcoef(found.predict(X), without.predict(X))[0, 1] > 0.98


def test_in_small_cohorts_lifestyle_is_thought_to_decide_less_whom_an_arm_helps():
    def found(n, priors=None):
        rng = np.random.default_rng(1)
        X = pd.DataFrame(rng.normal(size=(n, 2)), columns=["base:baseline", "life:sleep"])
        X["arm:active"] = rng.integers(2, size=n) - 0.5
        return AdditiveBlockRegressor(priors=priors).fit(X, rng.normal(size=n)).block_sd_["arm×life"]

    wide = {"arm×life": variances.PRIORS["arm×life"]}
    assert found(SPARSE_ROWS - 1) < 0.85 * found(SPARSE_ROWS - 1, wide)
    assert found(SPARSE_ROWS) == found(SPARSE_ROWS, wide)


def test_the_square_of_what_has_an_optimum_is_kept_in_small_cohorts():
    # A variance learned from 60 people alone would be taken for nothing in most of these, as the one of a block of noise is.
    def kept(seed):
        rng = np.random.default_rng(seed)
        base, sleep, noise = rng.normal(size=(3, 60))
        X = pd.DataFrame({"base:baseline": base, "bend:sleep^2": sleep**2 - 1.0, "blank:sleep": rng.normal(size=60)})
        return set(AdditiveBlockRegressor().fit(X, base + 0.1 * X["bend:sleep^2"] + noise).block_sd_)

    found = [kept(seed) for seed in range(8)]
    assert all("bend" in blocks for blocks in found)
    assert not all("blank" in blocks for blocks in found)


def test_an_arm_that_helps_some_more_than_others_is_seen():
    rng = np.random.default_rng(4)

    def drawn(n):
        life, arm = rng.normal(size=(n, 6)), rng.integers(2, size=n) - 0.5
        columns = [f"life:{j}" for j in range(6)]
        X = pd.DataFrame(np.column_stack([arm, life]), columns=["arm:active", *columns])
        return X, arm * (1.0 + life[:, 0] - life[:, 1])

    X, gain = drawn(500)
    model = AdditiveBlockRegressor().fit(X, gain + rng.normal(0, 2.0, 500))
    fresh, _ = drawn(500)
    given, withheld = (model.predict(fresh.assign(**{"arm:active": side})) for side in (0.5, -0.5))
    whom = fresh["life:0"] - fresh["life:1"]
    assert np.corrcoef(given - withheld, whom)[0, 1] > 0.8


def test_a_real_signal_in_taxa_is_used():
    X, y = _data(n=400, taxa=1.0)
    fresh, truth = _data(n=400, seed=1, taxa=1.0)
    model = AdditiveBlockRegressor().fit(X, y)
    assert "abundant" in model.block_sd_
    assert np.mean((truth - model.predict(fresh)) ** 2) < 1.3  # noise variance 1; without taxa it would be 3


@pytest.mark.parametrize(("taxa", "blocks"), [(0.0, 1), (1.0, 2)])  # alone, or under an arm too
def test_single_taxa_are_looked_for_under_an_arm_only_where_taxa_say_something_by_themselves(monkeypatch, taxa, blocks):
    X, y = _data(n=SPARSE_ROWS, taxa=taxa)
    X["arm:active"] = np.random.default_rng(5).integers(2, size=SPARSE_ROWS) - 0.5
    asked = []
    monkeypatch.setattr(additive, "horseshoe", lambda *given: asked.append(given[3]) or horseshoe(*given))
    model = AdditiveBlockRegressor().fit(X, y)
    assert [len(widths) for widths in asked] == [blocks]
    assert ("abundant" in model.block_sd_) == (taxa > 0)
    assert "arm×abundant" in model.block_sd_  # what an arm changes in the block as a whole is never left out


def test_a_few_taxa_that_one_variance_for_all_is_blind_to_are_found(monkeypatch):
    def drawn(n, seed):
        rng = np.random.default_rng(seed)
        taxa, base = rng.normal(size=(n, 150)), rng.normal(size=n)
        X = pd.DataFrame(
            np.column_stack([base, taxa]), columns=["base:baseline", *(f"abundant:{j}" for j in range(150))]
        )
        return X, base + 0.2 * (taxa[:, 0] - taxa[:, 1])

    (X, truth), (fresh, expected) = drawn(450, 1), drawn(2000, 2)
    y = truth + np.random.default_rng(51).normal(size=450)
    found = AdditiveBlockRegressor().fit(X, y)
    monkeypatch.setattr(additive, "SPOKEN", np.inf)
    blind = AdditiveBlockRegressor().fit(X, y)
    assert ("abundant" in found.block_sd_, "abundant" in blind.block_sd_) == (True, False)
    off = [np.mean((model.predict(fresh) - expected) ** 2) for model in (found, blind)]
    assert off[0] < 0.5 * off[1]


@pytest.mark.parametrize("n", [400, 700])
def test_predictive_sd_covers(n):
    X, y = _data(n=n, taxa=0.5)
    fresh, truth = _data(n=2000, seed=1, taxa=0.5)
    mean, sd = AdditiveBlockRegressor().fit(X, y).predict(fresh, return_std=True)
    assert (np.abs(truth - mean) <= 1.645 * sd).mean() == pytest.approx(0.9, abs=0.025)


def test_what_is_known_of_the_weights_is_their_posterior_covariance():
    X, y = _data(n=40, taxa=1.0)
    model = AdditiveBlockRegressor().fit(X, y)
    wide = np.hstack([X[[c for c in X if c.startswith(f"{block}:")]].to_numpy() for block in model.block_sd_])
    noise = np.exp(model.noise_[0] + model.noise_[1] * X["base:baseline"].to_numpy()) * model.unit_**2
    exact = np.linalg.inv(wide.T / noise @ wide + np.diag(model.prior_**-2.0))
    assert np.diag(model.prior_**2) - model.spread_.T @ model.spread_ == pytest.approx(exact, abs=1e-9)


def test_blocks_that_say_nothing_at_all_leave_the_mean():
    X = pd.DataFrame(np.zeros((12, 2)), columns=["abundant:0", "abundant:1"])
    mean, sd = AdditiveBlockRegressor().fit(X, np.arange(12.0)).predict(X, return_std=True)
    assert mean == pytest.approx(np.full(12, 5.5))
    assert np.isfinite(sd).all()


def test_noise_that_grows_with_severity_is_found():
    rng = np.random.default_rng(5)
    X = pd.DataFrame({"base:baseline": rng.normal(size=600)})
    y = -X["base:baseline"].to_numpy() + np.exp(0.4 * X["base:baseline"].to_numpy()) * rng.normal(size=600)
    assert AdditiveBlockRegressor().fit(X, y).noise_[1] == pytest.approx(0.8, abs=0.2)


def test_arm_interactions_are_blocks_of_their_own():
    rng = np.random.default_rng(6)
    arm = rng.integers(2, size=500)
    X = pd.DataFrame(
        {
            "base:baseline": rng.normal(size=500),
            "arm:any active arm": 0.5 * arm,
            "arm:fibre": np.sqrt(0.75) * arm,
            **{f"abundant:{i}": rng.normal(size=500) for i in range(8)},
        }
    )
    y = arm * 1.5 * X["abundant:2"].to_numpy() + rng.normal(size=500)
    model = AdditiveBlockRegressor().fit(X, y)
    assert "arm×abundant" in model.block_sd_
    treated, untreated = (
        X.assign(**{"arm:any active arm": 0.5, "arm:fibre": np.sqrt(0.75)}),
        X.assign(**{"arm:any active arm": 0.0, "arm:fibre": 0.0}),
    )
    effect = model.predict(treated) - model.predict(untreated)
    assert np.corrcoef(effect, X["abundant:2"])[0, 1] > 0.95
