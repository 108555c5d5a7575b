"""Text tables of a cohort folder: tab-separated, gzipped or Parquet, read as text with the line of every row.

Nothing is judged here but the shape of the file; each fault is a Problem, never a traceback.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TextIO

from features.cohort import CohortInfo
from features.digest import file_digest
from features.errors import Problem

Cell = float | str | None
SUFFIXES = (".tsv", ".tsv.gz", ".parquet", ".biom")
MISSING_MARKS = frozenset({"na", "n/a", "#n/a", "nan", "null", "."})
# Identifiers and labels stay text even where they look like numbers.
TEXT_COLUMNS = frozenset(
    ["subject_id", "sample_id", "study", "arm", "visit", "time_unit", "instrument", "label", "consent_version"]
)
_CELL_LIMIT = 1_000_000
_BROKEN = (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error)


def number(text: str) -> float | None:
    """Return a text as a finite number, or None where it is not one (`1_000`, `inf`, `nan`, `１２` are not)."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < float("inf") and "_" not in text and text.isascii() else None


def cell(text: str) -> Cell:
    """Return a text cell as a finite float, else as text, None where blank."""
    if not text:
        return None
    value = number(text)
    return text if value is None else value


@dataclass(frozen=True)
class Table:
    """Columns of stripped text, all of one length; `lines` are the 1-based lines of the rows in `file`."""

    file: str
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    lines: Sequence[int] = ()

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.lines)

    def __getitem__(self, name: str) -> Sequence[str]:
        """Return a column; blank cells where the file has no such column."""
        return self.columns.get(name) or [""] * len(self)

    def problem(self, code: str, row: int | None, column: str, message: str, remedy: str) -> Problem:
        """Return a Problem at a row (0-based) and column of this table."""
        return Problem(code, message, remedy, self.file, None if row is None else self.lines[row], column)


@dataclass(frozen=True)
class Tables:
    """The header and the three text tables of a cohort folder."""

    info: CohortInfo
    samples: Table
    lifestyle: Table
    outcomes: Table

    @cached_property
    def sample_row(self) -> dict[str, int]:
        """Return sample id -> row of `samples.tsv`."""
        return {sample: row for row, sample in enumerate(self.samples["sample_id"]) if sample}


def locate(folder: Path, stem: str) -> Path | None:
    """Return the file that holds a table of the folder, or None."""
    found = (folder / (stem + suffix) for suffix in SUFFIXES)
    return next((path for path in found if path.is_file()), None)


def open_text(path: Path) -> TextIO:
    """Open a text file, gzipped or not, as UTF-8 (a byte-order mark is skipped); line ends are kept."""
    if path.suffix == ".gz":
        return io.TextIOWrapper(gzip.open(path, "rb"), encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def stream(path: Path, problems: list[Problem]) -> Iterator[tuple[int, list[str]]]:
    """Yield (1-based line, cells) of a file, the header first; a fault of the file ends it with a Problem."""
    try:
        if path.suffix == ".parquet":
            yield from _parquet_rows(path)
            return
        with open_text(path) as handle:
            csv.field_size_limit(_CELL_LIMIT)
            reader = csv.reader(handle, delimiter="\t")
            for cells in reader:
                if cells and any(cells):
                    yield reader.line_num, cells
    except _BROKEN:
        problems.append(
            Problem(
                "unreadable_file",
                "the file cannot be read to its end",
                "Save it again as UTF-8 text",
                path.name,
            )
        )


def _parquet_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    try:
        source = pq.ParquetFile(path)
        yield 1, list(source.schema_arrow.names)
        line = 1
        for batch in source.iter_batches(batch_size=256):
            columns = [["" if v is None else str(v) for v in column.to_pylist()] for column in batch.columns]
            for cells in zip(*columns, strict=True):
                line += 1
                yield line, list(cells)
    except pa.ArrowException as fault:
        raise OSError from fault


def header_problems(name: str, header: Sequence[str], required: Sequence[str]) -> Iterator[Problem]:
    """Yield a Problem per column that is missing, nameless or there twice."""
    for column in required:
        if column not in header:
            yield Problem("missing_column", "the column is missing", "Add it", name, 1, column)
    seen: set[str] = set()
    for i, column in enumerate(header):
        if column in seen:
            yield Problem("duplicate_column", "the column is there twice", "Keep one of them", name, 1, column)
        if not column:
            message = f"column {i + 1} has no name"
            yield Problem("missing_column", message, "Name it or remove it", name, 1)
        seen.add(column)


def read_table(folder: Path, stem: str, required: Sequence[str], problems: list[Problem]) -> Table:
    """Read a table as text; what is wrong with its shape is added to `problems` and those rows are left
    out.
    """
    path = locate(folder, stem)
    if path is None:
        problems.append(Problem("missing_file", "the file is missing", "Add it", stem + ".tsv"))
        return Table(stem + ".tsv")
    rows = stream(path, problems)
    header = [text.strip() for text in next(rows, (1, []))[1]]
    problems += header_problems(path.name, header, required)
    kept: list[list[str]] = []
    lines: list[int] = []
    for line, cells in rows:
        if len(cells) != len(header):
            message = f"the row has {len(cells)} cells, the header {len(header)}"
            problems.append(Problem("row_length", message, "Give every row the columns of the header", path.name, line))
            continue
        kept.append([text.strip() for text in cells])
        lines.append(line)
    columns = dict(zip(header, zip(*kept, strict=True), strict=True)) if kept else dict.fromkeys(header, ())
    return Table(path.name, columns, lines)


def source_digests(folder: Path, stems: Sequence[str]) -> dict[str, str]:
    """Return file name -> digest of the tables and of `cohort.toml`, for those that are there."""
    paths = [locate(folder, stem) for stem in stems] + [folder / "cohort.toml"]
    return {path.name: file_digest(path) for path in paths if path is not None and path.is_file()}
