"""Which feature moved a prediction by how much: exact points per column, that sum to the predicted change.

An arm interaction is one feature per modified column ("Roseburia × arm"). Points of additive and linear models are weights
times columns; how a sum of trees is shared out stands in `models.forest`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.design import Design
from features.encoding import SiteReference
from models.bundle import Bundle
from models.cores import Core, ResidualTreesCore
from models.forest import ForestCore
from models.segments import contribution_of

Array = npt.NDArray[np.float64]


WEIGHTS = "exact: every column times its weight"
SHAPLEY = "path-dependent Shapley values of the trees (TreeSHAP, the `pred_contribs` of XGBoost); exact in sum"
PATHS = "changes of the node's mean where a person's paths through the trees ask about a feature; exact in sum, no Shapley values"
TOGETHER = "all trees together"


class Features(NamedTuple):
    """Labels (contribution, feature) of k columns and their n × k points."""

    labels: list[tuple[str, str]]
    points: Array


def feature_points(core: Core, parts: dict[str, Array], names: dict[str, list[str]]) -> Features:
    """Return the points of every column of encoded blocks; with the core's origin they sum to its prediction."""
    if isinstance(core, ResidualTreesCore):
        return _together(feature_points(core.additive, parts, names), feature_points(core.trees, parts, names))
    if isinstance(core, ForestCore):
        if core.cover is None:
            return Features([("trees", TOGETHER)], core.points(parts)["trees"][:, None])
        labels = [(contribution_of(block), name) for block in core.columns for name in names[block]]
        return Features(labels, core.column_points(parts))
    labels, points, start = [], [], 0
    for segment in core.segments:
        main = segment.block.removeprefix("arm×")
        weights = core.weights[start : start + segment.width]
        if segment.block == main:
            points.append(parts[main] * weights)
        else:  # weights run over the block's columns and, for each, over the arm's
            points.append(parts[main] * (parts["arm"] @ weights.reshape(-1, parts["arm"].shape[1]).T))
        labels += [(segment.contribution, name if segment.block == main else f"{name} × arm") for name in names[main]]
        start += segment.width
    return Features(labels, np.concatenate([np.zeros((len(next(iter(parts.values()))), 0)), *points], axis=1))


def _together(first: Features, second: Features) -> Features:
    """Return the points of two sums over the same features, a label once."""
    labels = list(dict.fromkeys([*first.labels, *second.labels]))
    at = [labels.index(label) for label in [*first.labels, *second.labels]]
    points = np.zeros((len(first.points), len(labels)))
    for column, own in zip(at, np.concatenate([first.points, second.points], axis=1).T, strict=True):
        points[:, column] += own
    return Features(labels, points)


def how(core: Core) -> str:
    """Return in words how a core's contributions are made, for the manifest, the model card and the report."""
    if isinstance(core, ResidualTreesCore):
        return f"{how(core.additive)}; and {how(core.trees)}"
    if not isinstance(core, ForestCore):
        return WEIGHTS
    return TOGETHER if core.cover is None else SHAPLEY if core.small else PATHS


def of_people(bundle: Bundle, design: Design, site: SiteReference | None = None) -> Features:
    """Return what made up the change that `Bundle.predict` gives each row: origin, every feature, the clip to the range."""
    parts = bundle.encoding.blocks(design, site)
    found = feature_points(bundle.core, parts, bundle.encoding.names())
    blocks = bundle.predict(design, site).contributions
    origin, clipped = blocks["origin"][:, None], blocks["range"][:, None]
    labels = [("origin", "intercept"), *found.labels, ("range", "end of the scale")]
    return Features(labels, np.concatenate([origin, found.points, clipped], axis=1))
