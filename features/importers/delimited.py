"""Delimited text of any make: tabs, commas or semicolons; gzip; byte-order marks; old line ends.

Decimal commas are read where the delimiter is a semicolon. Rows are streamed: a large table never stands in
memory as text.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np
import numpy.typing as npt

from features.errors import invalid
from features.importers.tables import number

LFS_POINTER = "version https://git-lfs.github.com/spec"
_BROKEN = (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error)
_MARKS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


_ZERO = frozenset({"0", "0.0", "0.00", "", "0,0"})
Triples = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Sheet:
    """A table of text: its header, and its rows as a stream of (1-based line, cells)."""

    file: str
    header: list[str]
    rows: Iterator[tuple[int, list[str]]]
    delimiter: str = "\t"


class Matrix(NamedTuple):
    """Numbers of a sheet: row names, (row, column, value) of the cells that are not zero, and the text
    columns.
    """

    names: list[str]
    triples: Triples
    texts: dict[str, list[str]]


def opening(path: Path, size: int = 8192) -> bytes:
    """Return the first bytes of a file, unpacked if it is gzipped; raises InvalidInput for a Git-LFS
    pointer.
    """
    try:
        with path.open("rb") as handle:
            raw = handle.read(size)
        if raw.startswith(b"\x1f\x8b"):
            with gzip.open(path, "rb") as handle:
                raw = handle.read(size)
    except _BROKEN as fault:
        raise invalid("unreadable_file", "the file cannot be read", "Fetch it again", file=path.name) from fault
    if raw.startswith(LFS_POINTER.encode()):
        message = "the file is a Git-LFS pointer, not the data"
        raise invalid("git_lfs_pointer", message, "Fetch the data with `git lfs pull`", file=path.name)
    return raw


def lines(path: Path) -> Iterator[str]:
    """Yield the lines of a text file without their ends; raises InvalidInput where it cannot be read."""
    start = opening(path, 4)
    encoding = next((name for mark, name in _MARKS if start.startswith(mark)), "utf-8-sig")
    try:
        with _open(path, encoding) as handle:
            for line in handle:
                yield line.rstrip("\n")
    except _BROKEN as fault:
        remedy = "Save it again as UTF-8 text"
        raise invalid("unreadable_file", "the file cannot be read to its end", remedy, file=path.name) from fault


def _open(path: Path, encoding: str) -> TextIO:
    with path.open("rb") as handle:
        packed = handle.read(2) == b"\x1f\x8b"
    # newline=None: \r\n of Windows and \r of old Macs end a line as well.
    raw = gzip.open(path, "rb") if packed else path.open("rb")  # noqa: SIM115  (closed with the wrapper)
    return io.TextIOWrapper(raw, encoding=encoding, newline=None)


def delimiter_of(text: str) -> str:
    """Return the delimiter of a header line: a tab where there is one, else the more frequent of `;` and
    `,`.
    """
    if "\t" in text:
        return "\t"
    return ";" if text.count(";") > text.count(",") else ","


def read_sheet(path: Path, *, skip: int = 0) -> Sheet:
    """Open a delimited file below its first `skip` lines; raises InvalidInput where it is empty."""
    stream = islice(lines(path), skip, None)
    first = next((line for line in stream if line.strip()), None)
    if first is None:
        raise invalid("empty_file", "the file is empty", "Give a file with a header and rows", file=path.name)
    delimiter = delimiter_of(first)
    csv.field_size_limit(10_000_000)
    header = [cell.strip() for cell in next(csv.reader([first], delimiter=delimiter))]
    rows = numbered(csv.reader(stream, delimiter=delimiter), path.name, skip + 1)
    second = next(rows, None)
    if second is not None and len(second[1]) == len(header) + 1:
        # R writes row names without a name for their column.
        header = ["", *header]
    return Sheet(path.name, header, chain([second] if second else [], rows), delimiter)


def numbered(rows: Iterator[list[str]], file: str, start: int) -> Iterator[tuple[int, list[str]]]:
    """Yield (1-based line, cells) of the rows that are not blank."""
    try:
        for line, row in enumerate(rows, start + 1):
            if any(row):
                yield line, row
    except csv.Error as fault:
        raise invalid("unreadable_file", "the file is not a delimited table", "Check it", file=file) from fault


def read_matrix(sheet: Sheet, columns: Sequence[int], label: int = 0) -> Matrix:
    """Read the numbers of some columns, sparse; `label` is the column of the row's name.

    Raises InvalidInput at the first row of another length or cell that is not a number.
    """
    names: list[str] = []
    at, where, values = array("l"), array("l"), array("d")
    wanted = set(columns)
    rest = [j for j in range(len(sheet.header)) if j not in wanted and j != label]
    texts: list[list[str]] = [[] for _ in rest]
    for line, row in sheet.rows:
        if len(row) != len(sheet.header):
            message = f"the row has {len(row)} cells, the header {len(sheet.header)}"
            raise invalid("row_length", message, "Give every row as many cells", file=sheet.file, row=line)
        for k, j in enumerate(columns):
            if row[j] not in _ZERO:
                at.append(len(names))
                where.append(k)
                values.append(_value(sheet, line, j, row[j]))
        names.append(row[label].strip())
        for kept, j in zip(texts, rest, strict=True):
            kept.append(row[j].strip())
    triples = (np.array(at, dtype=np.int64), np.array(where, dtype=np.int64), np.array(values, dtype=float))
    return Matrix(names, triples, {sheet.header[j]: kept for j, kept in zip(rest, texts, strict=True)})


def _value(sheet: Sheet, line: int, column: int, text: str) -> float:
    # Where fields are parted by semicolons, a comma is the decimal mark.
    value = number(text.replace(",", ".") if sheet.delimiter == ";" else text.strip())
    if value is None:
        message = "the abundance is not a finite number"
        name = sheet.header[column]
        raise invalid("not_a_number", message, "Correct it", file=sheet.file, row=line, column=name)
    return value
