"""Contributions per feature sum to the prediction: additive, linear and tree models, every arm, unseen people."""

import numpy as np
import pytest

from features.synthetic import World, simulate
from models.catalog import CATALOG, columns_of
from models.contributions import feature_points, of_people
from models.cores import LinearCore, segments_of
from models.export import to_core, tree_points
from training.config import RunConfig
from training.finalfit import fit_final
from training.importance import importance
from training.problem import pose
from training.protocol import evaluate, outer_splits
from training.selection import encode, fit_entry

LOUD = World(microbiome=2.5, moderation=2.0, noise=2.0)


@pytest.fixture(scope="module")
def problem():
    return pose(simulate(subjects=150, seed=11, world=LOUD)[0], "PHQ-9")


@pytest.fixture(scope="module")
def fresh():
    return pose(simulate(subjects=60, seed=11, world=LOUD, population=1)[0], "PHQ-9").design


@pytest.mark.parametrize("entry", ["baseline", "covariates", "additive", "elastic_net"])
def test_features_and_intercept_sum_to_the_core(problem, fresh, entry):
    encoder, Z = encode(problem)
    columns = columns_of(list(Z.columns), CATALOG[entry])
    core = to_core(fit_entry(CATALOG[entry], CATALOG[entry].grid[0], Z[columns], problem.y, seed=0), columns)
    parts, names = encoder.encoding_.blocks(fresh), encoder.encoding_.names()
    labels, points = feature_points(core, parts, names)
    assert points.shape == (len(fresh), len(labels))
    served = core.points(parts)
    assert points.sum(axis=1) == pytest.approx(sum(served.values()), abs=1e-9)
    for block, expected in served.items():
        own = points[:, [name == block for name, _ in labels]].sum(axis=1)
        assert own == pytest.approx(expected, abs=1e-9), block


def test_an_arm_interaction_is_one_feature_by_hand():
    core = LinearCore(segments_of([("abundant", 2)]), 1.0, np.array([2.0, -1.0]))
    labels, points = feature_points(core, {"abundant": np.array([[1.0, 3.0]])}, {"abundant": ["A", "B"]})
    assert labels == [("microbiome", "A"), ("microbiome", "B")]
    assert points.tolist() == [[2.0, -3.0]]


@pytest.mark.parametrize("entry", ["random_forest", "xgboost"])
def test_tree_points_sum_to_the_prediction(problem, fresh, entry):
    encoder, Z = encode(problem)
    columns = columns_of(list(Z.columns), CATALOG[entry])
    model = fit_entry(CATALOG[entry], CATALOG[entry].grid[-1], Z[columns], problem.y, seed=0)
    X = encoder.encode(fresh)[columns].to_numpy()
    found = tree_points(model, X)
    assert found.sum(axis=1) == pytest.approx(model.predict(X), rel=1e-6, abs=1e-5 if entry == "xgboost" else 1e-9)
    assert (np.abs(found[:, :-1]).sum(axis=0) > 0).sum() > 3


@pytest.fixture(scope="module")
def finals(problem):
    evaluation = evaluate(
        problem, outer_splits(problem, repeats=1, seed=0), seed=0, candidates=("additive", "xgboost"), jobs=1
    )
    manifest = {"name": "m", "run_id": "r"}
    names = ("baseline", "additive", "xgboost")
    return {
        name: fit_final(problem, evaluation, RunConfig(model=name), widen=(1.2, 1.0), manifest=manifest)
        for name in names
    }


@pytest.mark.parametrize("name", ["baseline", "additive", "xgboost"])
def test_what_is_told_of_a_person_sums_to_the_served_change(finals, fresh, name):
    bundle = finals[name].bundle
    for arm in bundle.arms:
        given = fresh.with_arm(arm)
        labels, points = of_people(bundle, given)
        assert points.sum(axis=1) == pytest.approx(bundle.predict(given).change, abs=1e-6)
    assert (labels[0][0], labels[-1][0]) == ("origin", "range")


def test_importance_of_a_line_is_slope_times_spread(finals, problem):
    found = importance(problem, finals["baseline"])
    slope = np.polyfit(problem.design.baseline, problem.y, 1)[0]
    expected = abs(slope) * problem.design.baseline.std()
    assert found["features"] == [{"block": "baseline", "feature": "baseline", "spread": pytest.approx(expected)}]
    assert found["blocks"] == {"baseline": pytest.approx(expected)}


def test_importance_of_trees_names_features(finals, problem):
    found = importance(problem, finals["xgboost"])
    assert "baseline" in found["blocks"]
    assert len(found["features"]) == 20
    assert found["features"][0]["spread"] >= found["features"][-1]["spread"] > 0
