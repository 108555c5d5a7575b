"""Abundance of taxa per sample, kept sparse, and its sums per genus."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from features.taxa import genus_columns

Array = npt.NDArray[np.float64]
CHUNK_ROWS = 256  # rows worked on at once, so that temporaries stay in the processor's cache


@dataclass(frozen=True, eq=False)
class Counts:
    """Abundance of taxa, samples × taxa, sparse by rows: `data[indptr[i]:indptr[i+1]]` belongs to sample i.

    Columns are sorted by lineage, so that sums run in one order whatever table they came from.
    """

    sample_ids: tuple[str, ...]
    lineages: tuple[str, ...]
    indptr: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int64]
    data: Array
    unit: str = "counts"

    @classmethod
    def of(
        cls, sample_ids: tuple[str, ...], lineages: tuple[str, ...], triples: tuple[Any, Any, Any], unit: str
    ) -> Counts:
        """Build from (row, column, value) arrays; zeros are dropped, columns sorted by lineage."""
        row, column, value = (np.asarray(part) for part in triples)
        order = np.argsort(np.asarray(lineages, dtype=object), kind="stable")
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        keep = value != 0
        row, column, value = row[keep], rank[column[keep].astype(np.int64)], value[keep].astype(float)
        by_row = np.lexsort((column, row))
        indptr = np.concatenate([[0], np.cumsum(np.bincount(row.astype(np.int64), minlength=len(sample_ids)))])
        names = tuple(lineages[i] for i in order)
        return cls(sample_ids, names, indptr.astype(np.int64), column[by_row], value[by_row], unit)

    def shares(self, only: Collection[str]) -> Counts:
        """Return the shares (0 to 1) of some columns in each sample's whole, `only` by name; unknown names are absent."""
        row = np.repeat(np.arange(len(self.sample_ids)), np.diff(self.indptr))
        whole = np.bincount(row, weights=self.data, minlength=len(self.sample_ids))
        names = tuple(sorted(only))
        place = {name: j for j, name in enumerate(names)}
        at = np.array([place.get(name.removeprefix("ko:"), -1) for name in self.lineages], dtype=np.int64)[self.indices]
        kept = at >= 0
        triples = (row[kept], at[kept], (self.data / whole[row])[kept])
        return Counts.of(self.sample_ids, names, triples, "proportion")

    def only(self, samples: set[str]) -> Counts:
        """Return the table of some of its samples, in its own order."""
        kept = np.array([i for i, name in enumerate(self.sample_ids) if name in samples], dtype=np.int64)
        widths = np.diff(self.indptr)[kept]
        cells = [np.arange(self.indptr[i], self.indptr[i + 1]) for i in kept]
        where = np.concatenate([np.zeros(0, dtype=np.int64), *cells])
        indptr = np.concatenate([[0], np.cumsum(widths)]).astype(np.int64)
        return replace(
            self,
            sample_ids=tuple(self.sample_ids[i] for i in kept),
            indptr=indptr,
            indices=self.indices[where],
            data=self.data[where],
        )

    def rows(self, samples: Iterable[Any]) -> Array:
        """Return the dense rows of some samples, in their order; a sample that is not in the table is all NaN."""
        place = {sample: i for i, sample in enumerate(self.sample_ids)}
        asked = list(samples)
        found = np.full((len(asked), len(self.lineages)), np.nan)
        for k, sample in enumerate(asked):
            if sample in place:
                own = slice(self.indptr[place[sample]], self.indptr[place[sample] + 1])
                found[k] = 0.0
                found[k, self.indices[own]] = self.data[own]
        return found

    def genus_sums(self) -> tuple[tuple[str, ...], Array]:
        """Return labels (`Family|Genus`, sorted by genus) and the samples × genera sums, in the table's own unit."""
        names, places = genus_columns(self.lineages)
        group = np.array(places, dtype=np.int64)
        sums = np.empty((len(self.sample_ids), len(names)))
        for start in range(0, len(sums), CHUNK_ROWS):
            part = sums[start : start + CHUNK_ROWS]
            ends = self.indptr[start : start + len(part) + 1]
            own = slice(ends[0], ends[-1])
            cell = np.repeat(np.arange(0, part.size, len(names)), np.diff(ends)) + group[self.indices[own]]
            # bincount adds in storage order, hence the same bits for a row alone and in a table.
            part[:] = np.bincount(cell, weights=self.data[own], minlength=part.size).reshape(part.shape)
        return names, sums


def row_sums(table: Array) -> Array:
    """Add from left to right, so that columns of zeros (taxa of other people in the table) change no bit."""
    if len(table) > 1:
        return np.asarray(np.ascontiguousarray(table.T).sum(axis=0))  # one column after the other onto all rows
    return np.cumsum(table, axis=1)[:, -1] if table.shape[1] else np.zeros(len(table))


def summed_columns(amount: Array, at: npt.NDArray[np.int64], width: int) -> Array:
    """Return the n × width sums of the columns that share a position `at`, added from left to right in every row."""
    if len(amount) == 1:
        return np.asarray(np.bincount(at, weights=amount[0], minlength=width), dtype=float)[None]
    if len(at) and np.bincount(at).max() == 1:  # a column each: nothing to add
        alone = np.zeros((len(amount), width))
        alone[:, at] = amount
        return alone
    cell = (np.arange(len(amount))[:, None] * width + at).ravel()
    # bincount adds in storage order, hence the same bits for a row alone and in a table.
    sums = np.bincount(cell, weights=np.ascontiguousarray(amount).ravel(), minlength=len(amount) * width)
    return np.asarray(sums, dtype=float).reshape(len(amount), width)
