"""Tables of facts about samples and people: QIIME mapping files, CSV exports, old-style TSV."""

from __future__ import annotations

from pathlib import Path

from features.errors import invalid
from features.importers.delimited import read_sheet
from features.importers.imported import Imported


def read_facts(path: Path) -> Imported:
    """Read a table of words and numbers, one row per sample or person; `#q2:types` rows are left out."""
    sheet = read_sheet(path)
    header = [name.lstrip("#").strip() for name in sheet.header]
    rows: list[list[str]] = []
    for line, row in sheet.rows:
        if row[0].startswith("#"):
            continue
        if len(row) != len(header):
            message = f"the row has {len(row)} cells, the header {len(header)}"
            raise invalid("row_length", message, "Give every row as many cells", file=path.name, row=line)
        rows.append([cell.strip() for cell in row])
    if len(set(header)) < len(header):
        raise invalid("duplicate_column", "two columns have one name", "Rename one", file=path.name, row=1)
    facts = {name: [row[j] for row in rows] for j, name in enumerate(header)}
    return Imported("facts", facts=facts, notes=(f"{len(rows)} rows of facts",))
