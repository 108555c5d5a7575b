"""Cores of trees against XGBoost and scikit-learn: the change bit for bit as ever, and every column's exact points."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from xgboost import DMatrix, XGBRegressor

from models.export import to_core
from models.forest import AT_ONCE

BLOCKS = {"base": 1, "arm": 3, "life": 4, "abundant": 12, "rare": 20}
COLUMNS = [f"{block}:{i}" for block, width in BLOCKS.items() for i in range(width)]
CONTRIBUTIONS = ["baseline", "arm", "lifestyle", "microbiome"]


def _people(n, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, len(COLUMNS)))
    X[:, 1:4] = np.eye(3)[rng.integers(3, size=n)]
    return X


def _parts(X):
    ends = np.cumsum(list(BLOCKS.values()))
    return dict(zip(BLOCKS, np.split(X, ends[:-1], axis=1), strict=True))


@pytest.fixture(scope="module")
def train():
    X = _people(400, 1)
    noise = np.random.default_rng(2).normal(size=len(X))
    return X, -3.0 - 2.0 * X[:, 0] + X[:, 1] * (X[:, 8] > 0) + X[:, 9] * X[:, 5] + noise


@pytest.fixture(scope="module")
def fresh():
    return _people(AT_ONCE + 40, 3)


def _boosted(train, depth=3, trees=120):
    return XGBRegressor(
        n_estimators=trees, max_depth=depth, learning_rate=0.1, subsample=0.8, colsample_bytree=0.3,
        min_child_weight=5, tree_method="hist", random_state=0, n_jobs=1,
    ).fit(*train)  # fmt: skip


def _forest(train, trees=25, leaf=3):
    return RandomForestRegressor(
        n_estimators=trees, max_features=0.33, min_samples_leaf=leaf, random_state=0, n_jobs=1
    ).fit(*train)


@pytest.fixture(scope="module")
def models(train):
    return {
        "stumps": _boosted(train, 1),
        "boosted": _boosted(train),
        "deep": _boosted(train, 6),
        "forest": _forest(train),
    }


KINDS = ("stumps", "boosted", "deep", "forest")


@pytest.mark.parametrize("kind", ["stumps", "boosted"])
def test_points_are_those_that_xgboost_gives_itself(models, fresh, kind):
    core = to_core(models[kind], COLUMNS)
    expected = models[kind].get_booster().predict(DMatrix(fresh), pred_contribs=True).astype(float)
    assert core.small
    assert np.abs(core.column_points(_parts(fresh)) - expected[:, :-1]).max() < 5e-6
    assert np.abs(core.moments(_parts(fresh)).points["origin"] - expected[:, -1]).max() < 2e-5


def _saabas(model, X):
    """One person, one tree, one step at a time."""
    found = np.zeros(X.shape)
    for tree in (estimator.tree_ for estimator in model.estimators_):
        mean = tree.value[:, 0, 0] / len(model.estimators_)
        for i, x in enumerate(X.astype(np.float32)):
            node = 0
            while tree.children_left[node] >= 0:
                goes_left = x[tree.feature[node]] <= tree.threshold[node]
                child = tree.children_left[node] if goes_left else tree.children_right[node]
                found[i, tree.feature[node]] += mean[child] - mean[node]
                node = child
    return found


def test_a_forests_points_are_the_changes_of_the_mean_along_its_paths(models, fresh):
    core = to_core(models["forest"], COLUMNS)
    assert not core.small
    assert core.column_points(_parts(fresh)) == pytest.approx(_saabas(models["forest"], fresh), abs=1e-9)
    roots = np.mean([estimator.tree_.value[0, 0, 0] for estimator in models["forest"].estimators_])
    assert core.moments(_parts(fresh)).points["origin"] == pytest.approx(np.full(len(fresh), roots), abs=1e-9)


def test_a_forest_of_small_trees_has_shapley_values_too(train, fresh):
    model = _forest(train, leaf=60)
    core = to_core(model, COLUMNS)
    assert core.small
    roots = np.mean([estimator.tree_.value[0, 0, 0] for estimator in model.estimators_])
    assert core.moments(_parts(fresh)).points["origin"] == pytest.approx(np.full(len(fresh), roots), abs=1e-9)
    assert np.abs(core.column_points(_parts(fresh)) - _saabas(model, fresh)).max() > 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_and_columns_sum_to_the_change(models, fresh, kind):
    core = to_core(models[kind], COLUMNS)
    points, _, change = core.moments(_parts(fresh))
    assert list(points) == ["origin", *CONTRIBUTIONS]
    assert np.abs(sum(points.values()) - change).max() < 1e-12
    assert np.abs(points["origin"] + core.column_points(_parts(fresh)).sum(axis=1) - change).max() < 1e-12
    assert change == pytest.approx(models[kind].predict(fresh), abs=1e-6, rel=1e-6)
    assert all(points[name].std() > 0.01 for name in CONTRIBUTIONS)


def _one_after_the_other(core, X):
    """The change as it was added up before trees had contributions."""
    total = np.full(len(X), core.intercept, dtype=np.float32 if core.strict else float)
    for root in core.roots:
        for i, x in enumerate(X.astype(np.float32).astype(float)):
            node = root
            while core.feature[node] >= 0:
                value, bar = x[core.feature[node]], core.threshold[node]
                node = core.left[node] if (value < bar if core.strict else value <= bar) else core.right[node]
            total[i] += np.asarray(core.value[node]).astype(total.dtype)
    return core.intercept + (total.astype(float) - core.intercept)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cover", [True, False])
def test_the_change_has_the_bits_it_always_had(models, fresh, kind, cover):
    core = to_core(models[kind], COLUMNS)
    core = core if cover else replace(core, cover=None)
    assert core.moments(_parts(fresh)).change.tobytes() == _one_after_the_other(core, fresh).tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_alone_has_the_bits_of_the_row_in_a_table(models, fresh, kind):
    core = to_core(models[kind], COLUMNS)
    table, columns = core.moments(_parts(fresh)), core.column_points(_parts(fresh))
    for i in (0, 1, AT_ONCE - 1, AT_ONCE, len(fresh) - 1):
        alone = core.moments(_parts(fresh[i : i + 1]))
        assert alone.change.tobytes() == table.change[i : i + 1].tobytes()
        for name, points in table.points.items():
            assert alone.points[name].tobytes() == points[i : i + 1].tobytes(), name
        assert core.column_points(_parts(fresh[i : i + 1])).tobytes() == columns[i : i + 1].tobytes()


@pytest.mark.parametrize("kind", ["boosted", "forest"])
def test_a_column_that_no_tree_asks_about_has_no_points(train, fresh, kind):
    X, y = train[0].copy(), train[1]
    X[:, 7] = 0.0
    core = to_core((_boosted if kind == "boosted" else _forest)((X, y)), COLUMNS)
    assert 7 not in core.feature
    assert not core.column_points(_parts(fresh))[:, 7].any()


def test_without_covers_all_trees_are_one_contribution(models, fresh):
    core = replace(to_core(models["boosted"], COLUMNS), cover=None)
    points, _, change = core.moments(_parts(fresh))
    assert list(points) == ["trees"]
    assert (core.intercept + points["trees"]).tobytes() == change.tobytes()
