"""Tables of a cohort folder as files: TSV, Parquet, or the abundances as BIOM. The same table gives the
same bytes.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from features.counts import Counts
from features.design import Columns, Objects
from features.importers.tables import Cell

# A BIOM file must hold a date; the date of writing would change its bytes.
_NO_DATE = datetime(1970, 1, 1)


def cell_text(value: Cell) -> str:
    """Return a cell as text that reads back as the same cell."""
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else repr(float(value))
    return "" if value is None else str(value)


def _in_order(table: Columns, first: tuple[str, ...]) -> dict[str, Objects]:
    names = list(dict.fromkeys([*first, *table]))
    blank = np.full(len(next(iter(table.values()), ())), None, dtype=object)
    return {name: table.get(name, blank) for name in names}


def table_tsv(place: Path, table: Columns, first: tuple[str, ...] = ()) -> None:
    """Write columns as `place.tsv`, those of `first` in front and blank where the table lacks them."""
    columns = _in_order(table, first)
    with place.with_name(place.name + ".tsv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, delimiter="\t", lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([cell_text(value) for value in row] for row in zip(*columns.values(), strict=True))


def table_parquet(place: Path, table: Columns, first: tuple[str, ...] = ()) -> None:
    """Write columns as `place.parquet`: numbers where a column has nothing else, text otherwise."""
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    columns: dict[str, Any] = {}
    for name, cells in _in_order(table, first).items():
        kinds = {type(cell) for cell in cells if cell is not None}
        numeric = kinds == {float}
        values = [cell if cell is None or numeric else cell_text(cell) for cell in cells]
        columns[name] = pa.array(values, pa.float64() if numeric else pa.string())
    pq.write_table(pa.table(columns), place.with_name(place.name + ".parquet"))


def counts_tsv(place: Path, counts: Counts) -> None:
    """Write abundances as `place.tsv.gz`, samples in rows."""
    # mtime 0 and no name: the same table gives the same bytes.
    with (
        place.with_name(place.name + ".tsv.gz").open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="utf-8", newline="") as handle,
    ):
        writer = csv.writer(handle, delimiter="\t", lineterminator="\n")
        writer.writerow(["sample_id", *counts.lineages])
        writer.writerows(_count_rows(counts))


def _count_rows(counts: Counts) -> Iterator[list[str]]:
    for i, sample in enumerate(counts.sample_ids):
        row = ["0"] * len(counts.lineages)
        for k in range(counts.indptr[i], counts.indptr[i + 1]):
            row[counts.indices[k]] = cell_text(float(counts.data[k]))
        yield [sample, *row]


def counts_parquet(place: Path, counts: Counts) -> None:
    """Write abundances as `place.parquet`, one column per taxon."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    values = np.zeros((len(counts.lineages), len(counts.sample_ids)))
    rows = np.repeat(np.arange(len(counts.sample_ids)), np.diff(counts.indptr))
    values[counts.indices, rows] = counts.data
    arrays = [pa.array(counts.sample_ids, pa.string()), *(pa.array(column) for column in values)]
    table = pa.Table.from_arrays(arrays, names=["sample_id", *counts.lineages])
    pq.write_table(table, place.with_name(place.name + ".parquet"))


def counts_biom(place: Path, counts: Counts) -> None:
    """Write abundances as `place.biom` (BIOM 2.1), the lineage as the name of each observation."""
    import biom
    import h5py
    from scipy.sparse import csr_matrix

    shape = (len(counts.sample_ids), len(counts.lineages))
    matrix = csr_matrix((counts.data, counts.indices, counts.indptr), shape)
    table = biom.Table(matrix.T, counts.lineages, counts.sample_ids, type="OTU table")
    with h5py.File(place.with_name(place.name + ".biom"), "w") as file:
        table.to_hdf5(file, "vagus", creation_date=_NO_DATE)


TableWriter = Callable[[Path, Columns, tuple[str, ...]], None]
# Form -> how its plain tables are written, and how its abundances are.
WRITERS: Mapping[str, tuple[TableWriter, Callable[[Path, Counts], None]]] = {
    "tsv": (table_tsv, counts_tsv),
    "parquet": (table_parquet, counts_parquet),
    "biom": (table_tsv, counts_biom),
}
