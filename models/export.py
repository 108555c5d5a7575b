"""From a fitted scikit-learn or XGBoost model to a core of flat arrays."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import RandomForestRegressor
from xgboost import XGBRegressor

from models.additive import AdditiveBlockRegressor
from models.cores import AdditiveCore, Core, LinearCore, ResidualTreesCore
from models.forest import ForestCore
from models.residual_trees import ResidualTreesRegressor
from models.segments import segments_of


def to_core(model: Any, columns: list[str]) -> Core:
    """Return the core of a fitted catalogue model whose input columns are named `block:column`."""
    if isinstance(model, AdditiveBlockRegressor):
        return _additive(model)
    if isinstance(model, ResidualTreesRegressor):
        own = _additive(model.additive_)
        return ResidualTreesCore(own, _xgboost(model.trees_, model.columns_)) if model.columns_ else own
    if isinstance(model, RandomForestRegressor):
        return _random_forest(model, columns)
    if isinstance(model, XGBRegressor):
        return _xgboost(model, columns)
    if isinstance(model, DummyRegressor):
        return LinearCore((), float(np.ravel(model.constant_)[0]), np.zeros(0))
    return LinearCore(segments_of(_widths(columns)), float(model.intercept_), np.asarray(model.coef_, dtype=float))


def _widths(columns: list[str]) -> list[tuple[str, int]]:
    widths: dict[str, int] = {}
    for name in columns:
        block = name.split(":", 1)[0]
        widths[block] = widths.get(block, 0) + 1
    return list(widths.items())


def _additive(model: AdditiveBlockRegressor) -> AdditiveCore:
    widths = _widths(model.columns_)
    crossed = tuple(block.removeprefix("arm×") for block, _ in widths if block.startswith("arm×"))
    noise = np.array([*model.noise_, model.unit_])
    return AdditiveCore(
        segments_of(widths), crossed, float(model.intercept_), model.weights_, model.prior_, model.spread_, noise
    )


def _random_forest(model: RandomForestRegressor, columns: list[str]) -> ForestCore:
    trees = [estimator.tree_ for estimator in model.estimators_]
    starts = np.concatenate([[0], np.cumsum([tree.node_count for tree in trees])])
    left = np.concatenate([tree.children_left + start for tree, start in zip(trees, starts, strict=False)])
    right = np.concatenate([tree.children_right + start for tree, start in zip(trees, starts, strict=False)])
    return ForestCore(
        columns=tuple(block for block, _ in _widths(columns)), intercept=0.0, strict=False,
        roots=starts[:-1].astype(np.int64), feature=np.concatenate([tree.feature for tree in trees]).clip(min=-1).astype(np.int64),
        threshold=np.concatenate([tree.threshold for tree in trees]).astype(float), left=left.astype(np.int64), right=right.astype(np.int64),
        value=np.concatenate([tree.value[:, 0, 0] for tree in trees]) / len(trees),
        cover=np.concatenate([tree.weighted_n_node_samples for tree in trees]),
    )  # fmt: skip


def _xgboost(model: XGBRegressor, columns: list[str]) -> ForestCore:
    """Read XGBoost's own JSON (data, not code). Encoded columns have no missing values, so no default direction is kept."""
    raw = json.loads(model.get_booster().save_raw("json"))["learner"]
    base = float(str(raw["learner_model_param"]["base_score"]).strip("[]"))
    trees = raw["gradient_booster"]["model"]["trees"]
    starts = np.concatenate([[0], np.cumsum([len(tree["left_children"]) for tree in trees])])
    parts = []
    for tree, start in zip(trees, starts, strict=False):
        child, other = np.array(tree["left_children"]), np.array(tree["right_children"])
        leaf = child < 0
        condition = np.array(tree["split_conditions"], dtype=np.float32).astype(float)
        feature = np.where(leaf, -1, np.array(tree["split_indices"]))
        parts.append(
            (
                feature,
                np.where(leaf, 0.0, condition),
                child + start,
                other + start,
                np.where(leaf, condition, 0.0),
                np.array(tree["sum_hessian"], dtype=float),
            )
        )
    feature, threshold, left, right, value, cover = (np.concatenate(column) for column in zip(*parts, strict=True))
    return ForestCore(
        columns=tuple(block for block, _ in _widths(columns)), intercept=base, strict=True, roots=starts[:-1].astype(np.int64),
        feature=feature.astype(np.int64), threshold=threshold, left=left.astype(np.int64), right=right.astype(np.int64), value=value, cover=cover,
    )  # fmt: skip
