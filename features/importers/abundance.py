"""`counts.tsv.gz` and `taxonomy.tsv`: abundance per sample and taxon, streamed into a sparse table and
checked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from features.counts import Counts
from features.errors import InvalidInput, Problem
from features.importers.tables import Table, header_problems, locate, number, read_table, stream

RANK_COLUMNS = {
    "kingdom": "k",
    "domain": "k",
    "superkingdom": "k",
    "phylum": "p",
    "class": "c",
    "order": "o",
    "family": "f",
    "genus": "g",
    "species": "s",
}
_ZERO = frozenset({"0", "0.0", "0.00", ""})
_RANK_PREFIX = re.compile(r"^[dkpcofgs]_{1,2}")
# How far a sample's sum may pass the whole before its unit is doubted; rounding alone stays far below.
_SUM_SLACK = 1.01
_WHOLE = {"percent": 100.0, "proportion": 1.0}


@dataclass
class _Cells:
    """The non-zero cells read so far, by row, column and value, with the ids and lines of the rows."""

    file: str
    taxa: Sequence[str]
    ids: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    columns: list[np.ndarray] = field(default_factory=list)
    values: list[np.ndarray] = field(default_factory=list)


def read_abundance(folder: Path, unit: str, known: Sequence[str], problems: list[Problem]) -> Counts | None:
    """Read the abundance table, None where the folder has none; `known` are the ids of `samples.tsv`."""
    path = locate(folder, "counts")
    if path is None:
        return None
    cells = _biom_cells(path, problems) if path.suffix == ".biom" else _text_cells(path, problems)
    if cells is None:
        return None
    problems += _row_problems(cells, frozenset(known))
    problems += _unit_problems(cells, unit)
    problems += _twin_problems(cells)
    return _sparse(cells, _lineages(folder, cells, problems), unit)


def read_functions(folder: Path, only: Collection[str], problems: list[Problem]) -> Counts | None:
    """Read shares of some gene families from the folder's `functions` table; its unit does not matter."""
    path = locate(folder, "functions")
    if path is None:
        remedy = "Import the table of KOs with the cohort, or leave modules out of [features]"
        problems.append(Problem("missing_file", "the cohort has no table of gene families", remedy, "functions.tsv.gz"))
        return None
    cells = _biom_cells(path, problems) if path.suffix == ".biom" else _text_cells(path, problems)
    return None if cells is None else _sparse(cells, cells.taxa, "other").shares(only)


def _sparse(cells: _Cells, names: Sequence[str], unit: str) -> Counts:
    triples = (
        np.repeat(np.arange(len(cells.ids)), cells.sizes),
        np.concatenate([*cells.columns, np.zeros(0, dtype=np.int32)]),
        np.concatenate([*cells.values, np.zeros(0)]),
    )
    return Counts.of(tuple(cells.ids), tuple(names), triples, unit)


def _text_cells(path: Path, problems: list[Problem]) -> _Cells | None:
    rows = stream(path, problems)
    header = [text.strip() for text in next(rows, (1, []))[1]]
    found = list(header_problems(path.name, header, ("sample_id",)))
    problems += [_as_taxon(problem) for problem in found]
    if found or header[0] != "sample_id":
        return None
    cells = _Cells(path.name, header[1:])
    _read_cells(rows, cells, problems)
    return cells


def _biom_cells(path: Path, problems: list[Problem]) -> _Cells | None:
    """A BIOM table has no lines: its samples are numbered as they come, the first as line 2."""
    from features.importers.biom import read_biom

    try:
        counts = read_biom(path).counts
    except InvalidInput as refusal:
        problems += refusal.problems
        return None
    assert counts is not None  # noqa: S101  (a BIOM file always holds a table)
    sizes = [int(size) for size in np.diff(counts.indptr)]
    parts = (np.split(part, counts.indptr[1:-1]) for part in (counts.indices.astype(np.int32), counts.data))
    lines = list(range(2, len(sizes) + 2))
    return _Cells(path.name, counts.lineages, list(counts.sample_ids), lines, sizes, *(list(part) for part in parts))


def _as_taxon(problem: Problem) -> Problem:
    if problem.code != "duplicate_column":
        return problem
    return Problem(
        "duplicate_taxon",
        "the taxon has two columns",
        "Add them up, or name them apart",
        problem.file,
        1,
        problem.column,
    )


def _read_cells(rows: Iterator[tuple[int, list[str]]], cells: _Cells, problems: list[Problem]) -> None:
    width = len(cells.taxa) + 1
    for line, row in rows:
        if len(row) != width:
            message = f"the row has {len(row)} cells, the header {width}"
            remedy = "Give every row the columns of the header"
            problems.append(Problem("row_length", message, remedy, cells.file, line))
            continue
        present = [(j, number(text)) for j, text in enumerate(row[1:]) if text not in _ZERO]
        problems += _cell_problems(cells, line, row, present)
        good = [(j, value) for j, value in present if value is not None and value > 0]
        cells.ids.append(row[0].strip())
        cells.lines.append(line)
        cells.sizes.append(len(good))
        cells.columns.append(np.array([j for j, _ in good], dtype=np.int32))
        cells.values.append(np.array([value for _, value in good], dtype=float))


def _cell_problems(
    cells: _Cells, line: int, row: Sequence[str], present: Sequence[tuple[int, float | None]]
) -> Iterator[Problem]:
    """One Problem per kind of fault and row: a row of a broken file may have thousands of bad cells."""
    wrong = [j for j, value in present if value is None]
    negative = [j for j, value in present if value is not None and value < 0]
    blank = [row.index("", 1) - 1] if "" in row[1:] else []
    for code, where, message, remedy in (
        ("not_a_number", wrong, "not a finite number", "Give the abundance as a number"),
        ("negative_count", negative, "negative", "Give abundances of zero or more"),
        ("missing_count", blank, "blank", "Write 0 for a taxon that was not found"),
    ):
        if where:
            text = f"the abundance is {message}" + (f" ({len(where)} cells of the row)" if len(where) > 1 else "")
            yield Problem(code, text, remedy, cells.file, line, cells.taxa[where[0]])


def _row_problems(cells: _Cells, known: frozenset[str]) -> Iterator[Problem]:
    seen: set[str] = set()
    for sample, line, values in zip(cells.ids, cells.lines, cells.values, strict=True):
        if sample in seen:
            yield Problem(
                "duplicate_sample",
                "the sample is there twice",
                "Keep one row per sample",
                cells.file,
                line,
                "sample_id",
            )
        if sample not in known:
            remedy = "Add the sample to samples.tsv, or remove the row"
            yield Problem("unknown_sample", "the sample is not in samples.tsv", remedy, cells.file, line, "sample_id")
        if not len(values):
            yield Problem("all_zero_sample", "the sample has no reads at all", "Remove the sample", cells.file, line)
        seen.add(sample)


def _unit_problems(cells: _Cells, unit: str) -> Iterator[Problem]:
    """One Problem per table: a wrong declaration makes every row wrong in the same way."""
    if unit == "counts":
        wrong = [i for i, values in enumerate(cells.values) if np.any(values % 1 != 0)]
        message = "the table is declared as counts but has values that are not whole"
    else:
        limit = _WHOLE.get(unit, np.inf) * _SUM_SLACK
        wrong = [i for i, values in enumerate(cells.values) if values.sum() > limit]
        message = f"the table is declared as {unit} but samples add up to more than the whole"
    if wrong:
        text = f"{message} ({len(wrong)} of {len(cells.ids)} samples)"
        remedy = "Set abundance_unit in cohort.toml to counts, percent, proportion or other"
        yield Problem("unit_disagrees", text, remedy, cells.file, cells.lines[wrong[0]])
    elif unit == "percent" and cells.values and max(values.sum() for values in cells.values) <= _SUM_SLACK:
        remedy = 'Set abundance_unit = "proportion" in cohort.toml'
        yield Problem("unit_disagrees", "the table is declared as percent but adds up to 1", remedy, cells.file)


def _twin_problems(cells: _Cells) -> Iterator[Problem]:
    """The same abundances under two ids; a sample of one taxon alone is no evidence of that."""
    first: dict[bytes, int] = {}
    for i, (columns, values) in enumerate(zip(cells.columns, cells.values, strict=True)):
        twin = first.setdefault(columns.tobytes() + values.tobytes(), i)
        if twin != i and len(values) > 1 and cells.ids[twin] != cells.ids[i]:
            message = f"the abundances equal those of row {cells.lines[twin]}, under another id"
            remedy = "Keep one of the two, or keep both by an explicit choice"
            yield Problem("same_sample_two_ids", message, remedy, cells.file, cells.lines[i], "sample_id")


def _lineages(folder: Path, cells: _Cells, problems: list[Problem]) -> list[str]:
    """Return one lineage per column: its own name, or that of `taxonomy.tsv` with the feature as last rank
    (`t__`).
    """
    if locate(folder, "taxonomy") is None:
        return list(cells.taxa)
    table = read_table(folder, "taxonomy", ("feature_id",), problems)
    known: dict[str, str] = {}
    for row, (feature, lineage) in enumerate(zip(table["feature_id"], lineage_texts(table), strict=True)):
        if feature in known:
            message = "the feature has two rows"
            problems.append(table.problem("duplicate_taxon", row, "feature_id", message, "Keep one of them"))
        known[feature] = f"{lineage};t__{_plain(feature)}"
    for taxon in cells.taxa:
        if taxon not in known:
            remedy = f"Add a row to {table.file}, or keep the bare name by an explicit choice"
            problems.append(Problem("taxon_without_lineage", "the taxon has no lineage", remedy, cells.file, 1, taxon))
    return [known.get(taxon, taxon) for taxon in cells.taxa]


def lineage_texts(table: Table) -> list[str]:
    """Return the lineage `k__..;p__..;..` of every row: the `taxonomy` column, or one column per rank."""
    if "taxonomy" in table.columns:
        return list(table["taxonomy"])
    named: Mapping[str, str] = {
        RANK_COLUMNS[name.lower()]: name for name in table.columns if name.lower() in RANK_COLUMNS
    }
    columns = [(prefix, table[named[prefix]]) for prefix in "kpcofgs" if prefix in named]
    return [
        ";".join(f"{prefix}__{_plain(_RANK_PREFIX.sub('', column[row]))}" for prefix, column in columns)
        for row in range(len(table))
    ]


def _plain(name: str) -> str:
    """A name within a lineage must not hold the characters that part its ranks."""
    return re.sub(r"[;|\t]", "_", name)
