"""Trees on the additive model's residual: what they see, when there are none, and which rounds a prediction uses."""

import numpy as np
import pandas as pd
import pytest

from models.additive import AdditiveBlockRegressor
from models.residual_trees import SEEN, ResidualTreesRegressor


def _table(n, seed=1):
    rng = np.random.default_rng(seed)
    columns = ["base:baseline", "arm:a", "life:sleep", "life:age", "abundant:x", "abundant:y", "step:sleep>1"]
    return pd.DataFrame(rng.normal(size=(n, len(columns))), columns=columns)


def _outcome(X, seed=2):
    """A sum, and a step for those who are beyond a bar in two columns."""
    both = (X["life:sleep"] > 0) & (X["life:age"] > 0)
    return X["base:baseline"] + 3.0 * both + np.random.default_rng(seed).normal(0, 0.5, len(X))


@pytest.fixture(scope="module")
def model():
    X = _table(400)
    return ResidualTreesRegressor(n_estimators=240).fit(X, _outcome(X))


def test_they_find_what_no_sum_can_say(model):
    fresh = _table(1000, seed=7)
    truth = fresh["base:baseline"] + 3.0 * ((fresh["life:sleep"] > 0) & (fresh["life:age"] > 0))
    missed = {name: np.mean((truth - m.predict(fresh)) ** 2) for name, m in (("sum", model.additive_), ("both", model))}
    assert missed["both"] < 0.4 * missed["sum"]


def test_they_see_no_taxa(model):
    assert {name.split(":")[0] for name in model.columns_} <= set(SEEN)
    assert not [name for name in model.columns_ if name.startswith(("abundant", "step"))]


def test_the_first_rounds_are_those_of_a_model_with_so_many(model):
    X, fresh = _table(400), _table(50, seed=7)
    short = ResidualTreesRegressor(n_estimators=60).fit(X, _outcome(X), additive=model.additive_)
    first, whole = model.staged(fresh, [60, 240])
    assert first.tolist() == pytest.approx(short.predict(fresh).tolist(), abs=1e-6)
    assert whole.tolist() == model.predict(fresh).tolist()
    assert np.ptp(first - whole) > 0


def test_the_sd_is_the_additive_models(model):
    fresh = _table(50, seed=7)
    mean, sd = model.predict(fresh, return_std=True)
    assert mean.tolist() == model.predict(fresh).tolist()
    assert sd.tolist() == model.additive_.predict(fresh, return_std=True)[1].tolist()


def test_with_nothing_to_see_it_is_the_additive_model():
    X = _table(400)[["abundant:x", "abundant:y"]]
    y = np.random.default_rng(3).normal(size=len(X))
    found, plain = ResidualTreesRegressor().fit(X, y), AdditiveBlockRegressor().fit(X, y)
    assert found.columns_ == []
    assert found.predict(X).tolist() == plain.predict(X).tolist() == found.staged(X, [30])[0].tolist()
