"""Tables of amplicon pipelines: BIOM's TSV export, mothur, DADA2, QIIME 2 taxonomy, and any plain matrix."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from features.errors import invalid
from features.importers.delimited import Matrix, Sheet, lines, read_matrix, read_sheet
from features.importers.imported import Imported, lineage_of, lineage_text, table_of

RANK_NAMES = ("kingdom", "domain", "phylum", "class", "order", "family", "genus", "species")
LINEAGE_COLUMNS = ("taxonomy", "taxon", "consensus lineage", "consensuslineage", "lineage")
_TAXON_CORNER = re.compile(r"otu|taxon|taxa|feature|clade|asv|lineage|function|gene", re.I)
_SAMPLE_CORNER = re.compile(r"sample|subject|group|patient|run", re.I)
_TAXON_NAME = re.compile(r"[;|]|__|^[ACGTN]{40,}$|^(ASV|Z?OTU|MAG|bin|SGB)[._-]?\d|^K\d{5}$", re.I)


def read_biom_tsv(path: Path) -> Imported:
    """Read BIOM's TSV export: taxa in rows, a comment line on top, perhaps a lineage in the last column."""
    skip = 0
    for line in lines(path):
        if not line.startswith("#") or "\t" in line:
            break
        skip += 1
    return _taxa_in_rows(read_sheet(path, skip=skip), "BIOM TSV export")


def read_table(path: Path, orientation: str = "") -> Imported:
    """Read a matrix of numbers; `orientation` is `taxa-rows` or `taxa-columns`, found out and stated if not
    given.
    """
    return table_import(read_sheet(path), orientation)


def table_import(sheet: Sheet, orientation: str = "") -> Imported:
    """Return the abundances of a sheet, whichever way it lies."""
    first, lineage = 1, _lineage_column(sheet.header)
    columns = [j for j in range(first, len(sheet.header)) if j != lineage]
    matrix = read_matrix(sheet, columns)
    found, reason = _orientation(sheet.header[0], matrix.names, [sheet.header[j] for j in columns])
    if lineage is not None and not orientation:
        found, reason = "taxa-rows", "a lineage column"
    way = orientation or found
    if way == "taxa-rows":
        return _by_rows(sheet, matrix, columns, "table", f"taxa are in rows ({orientation or reason})")
    names = [sheet.header[j] for j in columns]
    row, column, value = matrix.triples
    counts = table_of(matrix.names, [lineage_text(name) for name in names], (row, column, value), sheet.file)
    note = f"taxa are in columns ({'as stated' if orientation else reason})"
    return Imported("table", counts, notes=(note, f"values read as {counts.unit}"))


def _orientation(corner: str, rows: Sequence[str], columns: Sequence[str]) -> tuple[str, str]:
    if _SAMPLE_CORNER.search(corner):
        return "taxa-columns", "the corner cell names samples"
    if _TAXON_CORNER.search(corner):
        return "taxa-rows", "the corner cell names taxa"
    shares = [sum(bool(_TAXON_NAME.search(name)) for name in names) / max(len(names), 1) for names in (rows, columns)]
    if max(shares) > 0.5 and min(shares) < 0.5:
        return ("taxa-rows" if shares[0] > shares[1] else "taxa-columns"), "the names look like taxa"
    return ("taxa-rows" if len(rows) > len(columns) else "taxa-columns"), "assumed: the longer side"


def _lineage_column(header: Sequence[str]) -> int | None:
    return next((j for j, name in enumerate(header) if j and name.lower() in LINEAGE_COLUMNS), None)


def _taxa_in_rows(sheet: Sheet, form: str) -> Imported:
    lineage = _lineage_column(sheet.header)
    columns = [j for j in range(1, len(sheet.header)) if j != lineage]
    return _by_rows(sheet, read_matrix(sheet, columns), columns, form, "taxa are in rows")


def _by_rows(sheet: Sheet, matrix: Matrix, columns: Sequence[int], form: str, note: str) -> Imported:
    row, column, value = matrix.triples
    samples = [sheet.header[j] for j in columns]
    texts = next(iter(matrix.texts.values()), None)
    if texts is None:
        counts = table_of(samples, [lineage_text(name) for name in matrix.names], (column, row, value), sheet.file)
        return Imported(form, counts, notes=(note, f"values read as {counts.unit}"))
    counts = table_of(samples, matrix.names, (column, row, value), sheet.file)
    known = {name: lineage_text(text) for name, text in zip(matrix.names, texts, strict=True)}
    return Imported(form, counts, lineages=known, notes=(note, f"values read as {counts.unit}"))


def read_mothur_shared(path: Path) -> Imported:
    """Read a mothur shared file of one label: `label Group numOtus Otu0001 ...`."""
    sheet = read_sheet(path)
    columns = list(range(3, len(sheet.header)))
    matrix = read_matrix(sheet, columns, label=1)
    labels = sorted(set(matrix.texts[sheet.header[0]]))
    if len(labels) > 1:
        remedy = "Keep one label, for example with get.label"
        raise invalid("several_labels", "the file holds several labels (cut-offs)", remedy, file=path.name)
    counts = table_of(matrix.names, [sheet.header[j] for j in columns], matrix.triples, path.name)
    return Imported("mothur shared", counts, notes=(f"values read as {counts.unit}",))


def read_taxonomy(path: Path) -> Imported:
    """Read a lineage per feature: one lineage column (QIIME 2, mothur) or one column per rank (DADA2)."""
    sheet = read_sheet(path)
    names = [name.lower() for name in sheet.header]
    ranks = [names.index(rank) for rank in RANK_NAMES if rank in names]
    lineage = _lineage_column(sheet.header)
    if lineage is None and not ranks:
        remedy = "Name a column Taxonomy, or one per rank"
        raise invalid("missing_column", "the file has no lineage column", remedy, file=path.name, row=1)
    known: dict[str, str] = {}
    for line, row in sheet.rows:
        if len(row) != len(sheet.header):
            message = f"the row has {len(row)} cells, the header {len(sheet.header)}"
            raise invalid("row_length", message, "Give every row as many cells", file=path.name, row=line)
        if row[0] in known:
            raise invalid("duplicate_taxon", "the feature has two rows", "Keep one", file=path.name, row=line)
        blank = ["" if row[j].upper() in ("NA", "NAN") else row[j] for j in ranks]
        known[row[0].strip()] = lineage_of(blank) if lineage is None else lineage_text(row[lineage])
    return Imported("taxonomy", lineages=known, notes=(f"{len(known)} features with a lineage",))
