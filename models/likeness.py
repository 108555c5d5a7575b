"""How unlike the training people is this one? Mahalanobis distance in block scores, as arrays.

A block's score is the root mean square of a row's encoded (centred, scaled) columns of that block, baseline its signed
score: few numbers that say in which respect a person is odd, whatever model reads the columns. The covariance is shrunk
(Ledoit and Wolf 2004, J Multivar Anal 88:365), so that small cohorts have one too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from features.encoding import MICROBIOME
from models.intervals import quantile

Array = npt.NDArray[np.float64]

SCORED = ("base", "life", "bend", "blank", *MICROBIOME)
ORDINARY = 0.99  # share of the training people that counts as ordinary


@dataclass(frozen=True, eq=False)
class Likeness:
    """Centre and whitening matrix (k × k) of k block scores, and the distance within which ordinary people lie."""

    blocks: tuple[str, ...]
    centre: Array
    whiten: Array
    near: float

    @classmethod
    def learn(cls, parts: Mapping[str, Array], blocks: set[str]) -> Self | None:
        """Learn from the training people's encoded blocks, of which `blocks` count; None where there is none to score."""
        from sklearn.covariance import ledoit_wolf

        kept = tuple(name for name in SCORED if name in blocks and name in parts and np.ptp(parts[name]) > 0)
        if not kept:
            return None
        raw = _scores(kept, parts)
        centre, scale = np.nanmean(raw, axis=0), np.maximum(np.nanstd(raw, axis=0), 1e-9)
        z = np.where(np.isnan(raw), 0.0, (raw - centre) / scale)
        covariance, _ = ledoit_wolf(z, assume_centered=True)
        whiten = np.linalg.inv(np.linalg.cholesky(covariance)) / scale
        learned = cls(kept, centre, np.ascontiguousarray(whiten), 1.0)
        return cls(kept, centre, learned.whiten, quantile(learned.distance(parts), ORDINARY))

    def distance(self, parts: Mapping[str, Array]) -> Array:
        """Return each row's distance over that within which ordinary training people lie: above 1 is unusual."""
        off = _scores(self.blocks, parts) - self.centre
        off[np.isnan(off)] = 0.0
        # Not `@`: this einsum adds each row's products in one order, however many rows there are.
        z = np.einsum("ik,jk->ij", off, self.whiten, optimize=False)
        return np.asarray(np.sqrt(np.add.reduce(z * z, axis=1)) / max(self.near, 1e-9))


def _scores(blocks: tuple[str, ...], parts: Mapping[str, Array]) -> Array:
    """Return the n × k scores of blocks; NaN where nothing was measured (all columns 0, their training mean)."""
    found = np.empty((len(parts[blocks[0]]), len(blocks)))
    for k, block in enumerate(blocks):
        part = parts[block]
        if block == "base":
            found[:, k] = part[:, 0]
        else:
            size = np.add.reduce(part * part, axis=1)
            size[size == 0] = np.nan
            found[:, k] = np.sqrt(size / part.shape[1])
    return found
