"""Excel workbooks, `.xlsx` and old `.xls`: one sheet at a time, with title rows, two header rows and merged
cells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from features.errors import invalid
from features.importers.amplicon import LINEAGE_COLUMNS, RANK_NAMES, table_import
from features.importers.delimited import Sheet
from features.importers.imported import Imported, cell_words, lineage_of
from features.importers.tables import number

Rows = list[list[str]]


def read_spreadsheet(path: Path, sheet: str = "") -> Imported:
    """Read one sheet of a workbook; raises InvalidInput with the list of sheets where the choice is open."""
    rows = _rows(path, sheet)
    top = next((i for i, row in enumerate(rows) if len({cell for cell in row if cell}) > 1), None)
    if top is None:
        raise invalid("empty_file", "the sheet holds no table", "Choose another sheet", file=path.name)
    header, first = _header(rows, top)
    body = [row for row in rows[first:] if any(row)]
    kind = _kind(header, body)
    return kind(path.name, header, body, first)


def _rows(path: Path, wanted: str) -> Rows:
    import python_calamine

    try:
        book = python_calamine.CalamineWorkbook.from_path(path)
        names = list(book.sheet_names)
    except (python_calamine.CalamineError, OSError) as fault:
        raise invalid("unreadable_file", "the workbook cannot be read", "Save it again", file=path.name) from fault
    if (wanted or names[0]) not in names or (not wanted and len(names) > 1):
        remedy = f"Write {path.name}::SHEET with one of: {', '.join(names)}"
        raise invalid("choose_sheet", "the workbook has several sheets", remedy, file=path.name)
    sheet = book.get_sheet_by_name(wanted or names[0])
    rows = [cell_words(row) for row in sheet.to_python(skip_empty_area=False)]
    return _filled(rows, sheet.merged_cell_ranges or [])


def _filled(rows: Rows, merged: Sequence[Any]) -> Rows:
    """Write the value of a merged cell into every cell it covers, but across a whole title row."""
    for (top, left), (bottom, right) in merged:
        for i in range(top, min(bottom, len(rows) - 1) + 1):
            for j in range(left, min(right, len(rows[i]) - 1) + 1):
                rows[i][j] = rows[top][left]
    return rows


def _header(rows: Rows, top: int) -> tuple[list[str], int]:
    """Return the column names and the first row below them; a second header row sits where the first has
    repeats.
    """
    upper = rows[top]
    lower = rows[top + 1] if top + 1 < len(rows) else []
    named = [name for name in upper if name]
    doubled = len(set(named)) < len(named) or "" in upper[1:]
    if not doubled or any(number(cell) is not None for cell in lower):
        return _distinct(upper), top + 1
    names = [low or up for up, low in zip(upper, lower, strict=True)]
    clash = {name for name in names if names.count(name) > 1}
    both = [
        f"{up} {low}" if low in clash and up != low else name for up, low, name in zip(upper, lower, names, strict=True)
    ]
    return _distinct(both), top + 2


def _distinct(names: Sequence[str]) -> list[str]:
    return [name if names.index(name) == i or not name else f"{name}.{i + 1}" for i, name in enumerate(names)]


def _kind(header: Sequence[str], body: Rows) -> Callable[[str, list[str], Rows, int], Imported]:
    lowered = {name.lower() for name in header}
    if len(lowered & set(RANK_NAMES)) >= 3:
        return _taxonomy
    cells = [cell for row in body for cell in row[1:] if cell]
    numeric = sum(number(cell) is not None for cell in cells)
    # Facts of people hold words too; abundances are numbers throughout, but for a lineage column.
    named = len({row[0] for row in body}) == len(body) and not lowered & {"week", "age", "subjectid"}
    share = 0.9 if not lowered & set(LINEAGE_COLUMNS) else 0.5
    return _matrix if named and cells and numeric >= share * len(cells) else _facts


def _matrix(file: str, header: list[str], body: Rows, first: int) -> Imported:
    return table_import(Sheet(file, header, iter([(first + 1 + i, row) for i, row in enumerate(body)])))


def _taxonomy(file: str, header: list[str], body: Rows, first: int) -> Imported:
    del file, first
    ranks = [j for j, name in enumerate(header) if name.lower() in RANK_NAMES]
    lineages = {row[0]: lineage_of([row[j] for j in ranks]) for row in body}
    return Imported("Excel taxonomy", lineages=lineages, notes=(f"{len(lineages)} features with a lineage",))


def _facts(file: str, header: list[str], body: Rows, first: int) -> Imported:
    del file, first
    facts = {name: [row[j] for row in body] for j, name in enumerate(header) if name}
    return Imported("Excel facts", facts=facts, notes=(f"{len(body)} rows of facts",))
