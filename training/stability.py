"""Which taxa the additive model of a fold goes by, and which of them a study that it never saw bears out.

Both are read off a model that the validation has fitted anyway; `training.importance.taxa` counts them over folds.
"""

from __future__ import annotations

from typing import NamedTuple

from scipy.stats import pearsonr

from features.blocks import FeatureEncoder
from features.counts import Array
from models.additive import AdditiveBlockRegressor
from models.contributions import feature_points
from models.cores import Core
from models.export import to_core
from training.problem import Problem

TOP = 10  # taxa that count as selected in a fold
LEAST_ROWS = 20  # rows that a left-out study needs to speak
LEVEL = 0.05


class Fold(NamedTuple):
    """The additive model fitted on a fold's training people, `part`, and the encoder it was fitted behind."""

    model: AdditiveBlockRegressor
    encoder: FeatureEncoder
    part: Problem

    def selected(self) -> tuple[str, ...]:
        """Return the TOP taxa by the spread of their points, arm interactions included; fewer where fewer carry weight."""
        own = self._points(to_core(self.model, []), self.encoder.encoding_.blocks(self.part.design))
        spread = {name: float(points.std()) for name, points in own.items()}
        return tuple(name for name in sorted(spread, key=lambda name: -spread[name])[:TOP] if spread[name] > 0)

    def borne_out(self, there: Problem) -> tuple[str, ...]:
        """Return the selected taxa whose points go with what the model leaves unexplained without them in a study left out."""
        if len(there.y) < LEAST_ROWS:
            return ()
        core, blocks = to_core(self.model, []), self.encoder.encoding_.blocks(there.design)
        own = self._points(core, blocks)
        left = there.y - core.intercept - sum(core.points(blocks).values())
        return tuple(
            name for name in self.selected() if own[name].std() > 0 and _goes_with(own[name], left + own[name])
        )

    def _points(self, core: Core, parts: dict[str, Array]) -> dict[str, Array]:
        names = self.encoder.encoding_.names()
        labels, points = feature_points(core, parts, names)
        known = {name for block in ("abundant", "rare", "family") for name in names.get(block, [])}
        own: dict[str, Array] = {}
        for (_, label), column in zip(labels, points.T, strict=True):
            name = label.removesuffix(" × arm")
            if name in known:
                own[name] = own.get(name, 0.0) + column
        return own


def _goes_with(points: Array, left: Array) -> bool:
    return bool(pearsonr(points, left, alternative="greater").pvalue < LEVEL)
