"""Alpha diversity of sparse tables: how many taxa a sample has, and how evenly it is spread over them.

Formulae after Magurran 2004; Chao1 in its bias-corrected form (Chao 1984), Good's coverage after Good 1953. The Shannon
index is in natural logarithms (nats). An index that is undefined for a sample is NaN (Pielou of a single taxon, all but
`observed` of an empty sample).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.composition import segment_sums
from features.counts import Array, Counts
from features.errors import Refused

CHUNK_ROWS = 256  # rows worked on at once, so that temporaries stay in the processor's cache


@dataclass(frozen=True, eq=False)
class _Rows:
    """Moments of a block of rows, each of length n: sum, sum of x log x, sum of squares, largest, taxa, once, twice."""

    total: Array
    x_log_x: Array
    squares: Array
    largest: Array
    observed: Array
    once: Array
    twice: Array


def _shannon(r: _Rows) -> Array:
    return np.maximum(np.log(r.total) - r.x_log_x / r.total, 0.0)


def _share_of_squares(r: _Rows) -> Array:
    return np.asarray(r.squares / r.total**2)


def _pielou(r: _Rows) -> Array:
    return np.asarray(np.where(r.observed > 1, _shannon(r), np.nan) / np.log(np.maximum(r.observed, 2.0)))


INDICES: Mapping[str, Callable[[_Rows], Array]] = {
    "shannon": _shannon,
    "simpson": lambda r: 1.0 - _share_of_squares(r),
    "inverse_simpson": lambda r: 1.0 / _share_of_squares(r),
    "pielou": _pielou,
    "observed": lambda r: r.observed,
    "berger_parker": lambda r: r.largest / r.total,
    "chao1": lambda r: np.where(r.total > 0, r.observed + r.once * (r.once - 1.0) / (2.0 * (r.twice + 1.0)), np.nan),
    "goods_coverage": lambda r: 1.0 - r.once / r.total,
}
OF_READS = frozenset({"chao1", "goods_coverage"})  # they count taxa seen once: shares have none
OF_ANY_UNIT = tuple(name for name in INDICES if name not in OF_READS)


def alpha_diversity(counts: Counts, names: Sequence[str] = OF_ANY_UNIT) -> dict[str, Array]:
    """Return index -> n values for the samples of a table.

    Raises Refused for `chao1` or `goods_coverage` on anything but counts, and on counts that know no taxon seen once
    (a denoised table drops singletons, and both would be wrong in silence).
    """
    asked = [name for name in names if name in OF_READS]
    if asked and counts.unit != "counts":
        raise Refused(
            "needs_counts", f"{' and '.join(asked)} need counts of reads, and this table is in {counts.unit}."
        )
    if asked and not (counts.data == 1).any():
        raise Refused("no_singletons", f"{' and '.join(asked)} rest on taxa seen once, and this table has none.")
    return row_diversity(counts.indptr, counts.data, names)


def row_diversity(indptr: npt.NDArray[np.int64], data: Array, names: Sequence[str] = OF_ANY_UNIT) -> dict[str, Array]:
    """Return index -> n values of sparse rows; each row looks at itself alone, so the same row gives the same bits."""
    found = {name: np.empty(len(indptr) - 1) for name in names}
    counted = bool(OF_READS & set(names))
    for start in range(0, len(indptr) - 1, CHUNK_ROWS):
        own = indptr[start : start + CHUNK_ROWS + 1]
        moments = _moments(data[own[0] : own[-1]], own - own[0], counted)
        with np.errstate(divide="ignore", invalid="ignore"):
            for name in names:
                found[name][start : start + CHUNK_ROWS] = INDICES[name](moments)
    return found


def _moments(x: Array, indptr: npt.NDArray[np.int64], counted: bool) -> _Rows:
    observed = np.diff(indptr).astype(float)
    largest = np.full(len(observed), np.nan)
    filled = np.flatnonzero(observed)
    if len(filled):
        largest[filled] = np.maximum.reduceat(x, indptr[filled])
    logs = np.log(x)
    logs *= x
    once, twice = (segment_sums((x == k).astype(float), indptr) if counted else observed for k in (1.0, 2.0))
    return _Rows(segment_sums(x, indptr), segment_sums(logs, indptr), segment_sums(x * x, indptr), largest,
                 observed, once, twice)  # fmt: skip
