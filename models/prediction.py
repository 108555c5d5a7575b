"""What a core and a bundle answer: columns of equal length, one entry per row of the design it was asked about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


class Moments(NamedTuple):
    """What a core answers for n rows: contribution -> n points, the predictive sds, and the changes before any clipping.

    `points` name an "origin" where that differs between rows; it is the core's intercept otherwise.
    """

    points: dict[str, Array]
    sd: Array
    change: Array


@dataclass(frozen=True, eq=False)
class Predictions:
    """Answers for n rows.

    `change`, `lower`, `upper` are in points of the instrument (follow-up minus baseline), the interval at `level`;
    `p_response` and `p_remission` are probabilities in [0, 1], NaN where the instrument has no such rule;
    `floor_change` is what baseline severity alone predicts. `contributions` map a block (baseline, arm, lifestyle,
    microbiome, ...) to points that, with the `origin` key, sum to the unclipped change. `reasons` are codes: why a row
    is not `answered`, or why its interval is wider. Numbers are present for unanswered rows too; the doors blank them.
    """

    level: float
    change: Array
    lower: Array
    upper: Array
    p_response: Array
    p_remission: Array
    floor_change: Array
    answered: npt.NDArray[np.bool_]
    reasons: tuple[tuple[str, ...], ...]
    contributions: Mapping[str, Array]
