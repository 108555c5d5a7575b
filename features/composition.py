"""Compositional transforms of sparse tables that stay sparse: one matrix of exceptions plus one number per row.

After a pseudo-count, or after multiplicative replacement, every absent cell of a row has the same value, and so it has
after a centred log-ratio. Nothing here ever builds the dense table.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from features.counts import Array, Counts
from features.errors import Refused

CHUNK = 65_536  # cells worked on at once, so that temporaries stay in the processor's cache
TABLE = 1 << 20  # whole numbers below it have their logarithm looked up


@dataclass(frozen=True, eq=False)
class Shifted:
    """A samples × taxa table: cell (i, j) is `base[i]`, plus `data[k]` where the sparse row i has an entry k for j.

    `indptr` and `indices` are those of the Counts it came from (rows by `indptr`), `width` the number of columns.
    """

    indptr: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int64]
    data: Array
    base: Array
    width: int

    def dense(self) -> Array:
        """Return the whole n × width table: for small tables and for tests."""
        table = np.repeat(self.base[:, None], self.width, axis=1)
        table[_rows(self.indptr), self.indices] += self.data
        return table


def plus_pseudo(counts: Counts, pseudo: float = 0.5) -> Shifted:
    """Return the table with a pseudo-count added to every cell (half a read unless said otherwise)."""
    base = np.full(len(counts.sample_ids), pseudo)
    return Shifted(counts.indptr, counts.indices, counts.data, base, len(counts.lineages))


def replaced_zeros(counts: Counts, delta: float | None = None) -> Shifted:
    """Return shares with zeros replaced by `delta` and the others shrunk to keep the sum at 1.

    Multiplicative replacement (Martín-Fernández et al. 2003, Math Geol 35:253); `delta` is a share, by default
    1 / taxa². Raises Refused for a sample without any abundance, or where the replacements would exceed the whole.
    """
    width = len(counts.lineages)
    filled = np.diff(counts.indptr)
    delta = 1.0 / width**2 if delta is None else delta
    left = 1.0 - delta * (width - filled)
    if (filled == 0).any() or (left <= 0).any():
        raise Refused(
            "zero_replacement", "a sample is empty, or its zeros replaced would exceed the whole; lower delta."
        )
    factor = left / segment_sums(counts.data, counts.indptr)
    data = np.repeat(factor, filled)
    data *= counts.data
    data -= delta
    return Shifted(counts.indptr, counts.indices, data, np.full(len(filled), delta), width)


def clr(table: Shifted) -> Shifted:
    """Return the centred log-ratios (Aitchison 1982) of a table of positive cells.

    log(base + x) = log(base) + log1p(x / base): the row's mean is log(base) plus the mean of the second terms.
    """
    data = _excess(table)
    return replace(table, data=data, base=-segment_sums(data, table.indptr) / table.width)


def _excess(table: Shifted) -> Array:
    """Return log1p(x / base) of every entry; whole numbers over one base are looked up."""
    one = len(table.base) > 0 and bool((table.base == table.base[0]).all())
    if one and len(table.data) > TABLE and (top := table.data.max()) < TABLE:
        found = _looked_up(table.data, np.log1p(np.arange(int(top) + 1) / table.base[0]))
        if found is not None:
            return found
    rows = table.base[_rows(table.indptr)] if not one else None
    data = np.empty_like(table.data)
    for a in range(0, len(data), CHUNK):
        part = table.data[a : a + CHUNK] / (table.base[0] if rows is None else rows[a : a + CHUNK])
        np.log1p(part, out=data[a : a + CHUNK])
    return data


def _looked_up(data: Array, known: Array) -> Array | None:
    """Return `known` at every number, None where one of them is not whole."""
    found = np.empty_like(data)
    for a in range(0, len(data), CHUNK):
        place = data[a : a + CHUNK].astype(np.int64)
        if not (place == data[a : a + CHUNK]).all():
            return None
        np.take(known, place, out=found[a : a + CHUNK], mode="clip")
    return found


def segment_sums(data: Array, indptr: npt.NDArray[np.int64]) -> Array:
    """Return the sum of every row of sparse data, 0 for an empty row (n rows)."""
    sums = np.zeros(len(indptr) - 1)
    filled = np.flatnonzero(np.diff(indptr))
    if len(filled):
        sums[filled] = np.add.reduceat(data, indptr[filled])
    return sums


def _rows(indptr: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
