"""Contributions per feature sum to the prediction: additive, linear and tree models, every arm, unseen people."""

from dataclasses import replace

import numpy as np
import pytest

from features.synthetic import World, simulate
from models.catalog import CATALOG, columns_of
from models.contributions import feature_points, of_people
from models.cores import LinearCore
from models.export import to_core
from models.segments import segments_of
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


ENTRIES = ["baseline", "covariates", "additive", "elastic_net", "residual_trees", "random_forest", "xgboost"]


@pytest.mark.parametrize("entry", ENTRIES)
def test_features_and_origin_sum_to_the_core(problem, fresh, entry):
    encoder, Z = encode(problem)
    columns = columns_of(list(Z.columns), CATALOG[entry])
    core = to_core(fit_entry(CATALOG[entry], CATALOG[entry].grid[0], Z[columns], problem.y, seed=0), columns)
    parts, names = encoder.encoding_.blocks(fresh), encoder.encoding_.names()
    labels, points = feature_points(core, parts, names)
    assert points.shape == (len(fresh), len(labels))
    served, _, change = core.moments(parts)
    origin = served.pop("origin", core.intercept)
    assert origin + points.sum(axis=1) == pytest.approx(change, abs=1e-9)
    for block, expected in served.items():
        own = points[:, [name == block for name, _ in labels]].sum(axis=1)
        assert own == pytest.approx(expected, abs=1e-9), block


def test_an_arm_interaction_is_one_feature_by_hand():
    core = LinearCore(segments_of([("abundant", 2)]), 1.0, np.array([2.0, -1.0]))
    labels, points = feature_points(core, {"abundant": np.array([[1.0, 3.0]])}, {"abundant": ["A", "B"]})
    assert labels == [("microbiome", "A"), ("microbiome", "B")]
    assert points.tolist() == [[2.0, -3.0]]


@pytest.fixture(scope="module")
def finals(problem):
    evaluation = evaluate(
        problem,
        outer_splits(problem, repeats=1, seed=0),
        seed=0,
        candidates=("additive", "residual_trees", "xgboost"),
        jobs=1,
    )
    manifest = {"name": "m", "run_id": "r"}
    names = ("baseline", "additive", "residual_trees", "xgboost")
    return {
        name: fit_final(problem, evaluation, RunConfig(model=name), widen=(1.2, 1.0), manifest=manifest)
        for name in names
    }


@pytest.mark.parametrize("name", ["baseline", "additive", "residual_trees", "xgboost"])
def test_what_is_told_of_a_person_sums_to_the_served_change(finals, fresh, name):
    bundle = finals[name].bundle
    for arm in bundle.arms:
        given = fresh.with_arm(arm)
        labels, points = of_people(bundle, given)
        assert points.sum(axis=1) == pytest.approx(bundle.predict(given).change, abs=1e-6)
    assert (labels[0][0], labels[-1][0]) == ("origin", "range")


@pytest.mark.parametrize("name", ["residual_trees", "xgboost"])
def test_a_served_model_of_trees_tells_its_blocks_and_is_alone_what_it_is_in_a_table(finals, fresh, name):
    bundle = finals[name].bundle
    found = bundle.predict(fresh)
    assert set(found.contributions) == {"origin", "baseline", "arm", "lifestyle", "microbiome", "range"}
    assert sum(found.contributions.values()) == pytest.approx(found.change, abs=1e-9)
    for i in range(len(fresh)):
        alone = bundle.predict(fresh.take(np.array([i])))
        assert alone.change.tobytes() == found.change[i : i + 1].tobytes()
        for part, points in found.contributions.items():
            assert alone.contributions[part].tobytes() == points[i : i + 1].tobytes()


def test_trees_of_before_covers_were_kept_are_one_feature(finals, fresh):
    bundle = finals["xgboost"].bundle
    past = replace(bundle, core=replace(bundle.core, cover=None))
    labels, points = of_people(past, fresh)
    assert labels == [("origin", "intercept"), ("trees", "all trees together"), ("range", "end of the scale")]
    assert points.sum(axis=1) == pytest.approx(bundle.predict(fresh).change, abs=1e-9)


def test_importance_of_a_line_is_slope_times_spread(finals, problem):
    found = importance(problem, finals["baseline"])
    slope = np.polyfit(problem.design.baseline, problem.y, 1)[0]
    expected = abs(slope) * problem.design.baseline.std()
    assert found["features"] == [{"block": "baseline", "feature": "baseline", "spread": pytest.approx(expected)}]
    assert found["blocks"] == {"baseline": pytest.approx(expected)}


def test_what_the_sum_and_its_trees_say_of_a_feature_is_one_figure(finals, fresh):
    bundle = finals["residual_trees"].bundle
    core, parts, names = bundle.core, bundle.encoding.blocks(fresh), bundle.encoding.names()
    labels, points = feature_points(core, parts, names)
    assert len(set(labels)) == len(labels)
    label = ("baseline", "baseline")
    own = [dict(zip(found.labels, found.points.T, strict=True))[label]
           for found in (feature_points(part, parts, names) for part in (core.additive, core.trees))]  # fmt: skip
    assert np.ptp(own[1]) > 0
    assert points[:, labels.index(label)] == pytest.approx(sum(own), abs=1e-12)


def test_importance_of_trees_names_features(finals, problem):
    found = importance(problem, finals["xgboost"])
    assert "baseline" in found["blocks"]
    assert len(found["features"]) == 20
    assert found["features"][0]["spread"] >= found["features"][-1]["spread"] > 0
