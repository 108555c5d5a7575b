"""The cohort folder: read into a Cohort, checked with every problem at once, written whole or not at all.

`samples.tsv`, `lifestyle.tsv`, `outcomes.tsv` and optionally `counts.tsv.gz`, `taxonomy.tsv`,
`cohort.toml`; each table may be gzipped or Parquet instead.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from features.cohort import Cohort, CohortInfo
from features.counts import Counts
from features.design import Columns, Objects
from features.errors import InvalidInput, Problem, invalid
from features.importers.abundance import read_abundance, read_functions
from features.importers.check import table_problems
from features.importers.header import FILE, header_text, read_header
from features.importers.plausibility import OUTCOME_NUMBERS
from features.importers.tables import TEXT_COLUMNS, Table, Tables, cell, read_table, source_digests
from features.importers.writers import WRITERS
from features.instruments import find
from features.lifestyle import FIELDS, canonical, converted
from features.taxa_report import few_named

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "samples": ("sample_id", "subject_id"),
    "lifestyle": ("subject_id",),
    "outcomes": ("subject_id", "sample_id", "instrument", "baseline_time", "baseline_score"),
}
STEMS = (*REQUIRED, "counts", "taxonomy")
# True of some real cohorts, and a reader of them may decide to keep such values as they are.
ACCEPTABLE = frozenset(
    {
        "score_out_of_range",
        "lifestyle_out_of_range",
        "lifestyle_not_a_number",
        "same_sample_two_ids",
        "taxon_without_lineage",
        "two_arms",
        "missing_mark",
        "few_named_taxa",
    }
)
# Reported by `check_cohort`, no bar to reading: training decides what it makes of such a sample.
# An unknown code of a category (a sex of 1 or 2) is kept as a category of its own: what it means is the reader's to find out.
NOTED = frozenset({"stool_after_baseline", "lifestyle_unknown_code"})
_ALWAYS: Mapping[str, tuple[str, ...]] = {
    "samples": (),
    "lifestyle": ("sample_id",),
    "outcomes": (*OUTCOME_NUMBERS, "label"),
}


def check_cohort(folder: Path, *, least_named: float = 0.0) -> list[Problem]:
    """Return every problem of a cohort folder, sorted by file and row; an empty list means that it is valid.

    Samples with less than the share `least_named` (0 to 1) of their abundance in named genera are problems too.
    """
    cohort, problems = _read(folder)
    if cohort is None or cohort.counts is None or not least_named:
        return problems
    return problems + list(few_named(cohort.counts, least_named))


def read_cohort(folder: Path, *, accept: frozenset[str] = frozenset(), instrument: str = "",
                functions: Collection[str] = ()) -> Cohort:  # fmt: skip
    """Read a cohort folder; raises InvalidInput with every problem but those of a code in `accept` or NOTED.

    `accept` holds codes of ACCEPTABLE; values so accepted are kept as they are. Where only one `instrument` will be
    looked at, scores of others may be out of range. `functions` names gene families to read from the `functions` table.
    """
    unknown = accept - ACCEPTABLE - NOTED
    if unknown:
        known = ", ".join(sorted(ACCEPTABLE | NOTED))
        raise invalid("cannot_accept", f"{', '.join(sorted(unknown))} cannot be accepted", f"Choose from: {known}")
    cohort, problems = _read(folder, instrument)
    if cohort is not None and functions:
        found = read_functions(folder, functions, problems)
        cohort = replace(cohort, functions=found, source=source_digests(folder, (*STEMS, "functions")))
    _refuse(problems, accept)
    assert cohort is not None  # noqa: S101  (without a cohort there is a problem)
    return cohort


def _refuse(problems: list[Problem], accept: frozenset[str]) -> None:
    left = [problem for problem in problems if problem.code not in accept | NOTED]
    if left:
        raise InvalidInput(left)


def _read(folder: Path, instrument: str = "") -> tuple[Cohort | None, list[Problem]]:
    if not folder.is_dir():
        return None, [Problem("missing_folder", "there is no such folder", "Name a cohort folder", folder.name)]
    problems: list[Problem] = []
    info = read_header(folder, problems)
    texts = {stem: read_table(folder, stem, names, problems) for stem, names in REQUIRED.items()}
    problems += [p for p in table_problems(Tables(info, **texts)) if not _of_another(p, texts["outcomes"], instrument)]
    counts = read_abundance(folder, info.abundance_unit, texts["samples"]["sample_id"], problems)
    problems.sort(key=lambda problem: (problem.file, problem.row or 0, problem.column, problem.code))
    tables = {stem: _cells(table, _ALWAYS[stem], info) for stem, table in texts.items()}
    source = source_digests(folder, STEMS)
    cohort = Cohort(
        _own_units(info), tables["samples"], tables["lifestyle"], tables["outcomes"], counts=counts, source=source
    )
    return cohort, problems


def _of_another(problem: Problem, outcomes: Table, instrument: str) -> bool:
    """Whether the problem is a score out of range of an instrument other than the one named ('' = none named)."""
    if not instrument or problem.code != "score_out_of_range" or problem.row is None:
        return False
    named = outcomes["instrument"][outcomes.lines.index(problem.row)]
    return find(named).name != find(instrument).name


def _cells(table: Table, always: tuple[str, ...], info: CohortInfo) -> Columns:
    names = [*table.columns, *(name for name in always if name not in table.columns)]
    units = {name: column.unit for name, column in info.columns.items()}
    return {name: _objects(name, table, units.get(name, "")) for name in names}


def _objects(name: str, table: Table, unit: str) -> Objects:
    column = np.full(len(table), None, dtype=object)
    for row, text in enumerate(table[name]):
        if name in TEXT_COLUMNS:
            column[row] = text or None
        else:
            column[row] = canonical(name, converted(name, cell(text), unit))
    return column


def _own_units(info: CohortInfo) -> CohortInfo:
    """The header as it holds after conversion: a declared field is in its own unit."""
    columns = {
        name: replace(column, unit=FIELDS[name].unit if name in FIELDS and column.unit else column.unit)
        for name, column in info.columns.items()
    }
    return replace(info, columns=columns)


def write_cohort(
    cohort: Cohort,
    folder: Path,
    *,
    beside: Mapping[str, Columns | Counts] | None = None,
    accept: frozenset[str] | None = None,
    form: str = "tsv",
    least_named: float = 0.0,
) -> None:
    """Write a cohort as a folder of tables, the same bytes each time; nothing is left when it fails.

    `form` is tsv, parquet, or biom (TSV with the abundances as BIOM 2.1). `beside` holds further tables by
    name without suffix (the truth of a simulation, gene families). With `accept` the folder is checked
    before it gets its name. Raises InvalidInput when the folder exists and is not empty, or with every
    problem of a code not in `accept`. Reading it back gives a cohort of equal digest.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise invalid("folder_exists", "the folder is not empty", "Name a new folder", file=folder.name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    try:
        partial.mkdir()
        (partial / FILE).write_text(header_text(cohort.info), encoding="utf-8")
        write_table, write_counts = WRITERS[form]
        for stem in REQUIRED:
            write_table(partial / stem, getattr(cohort, stem), REQUIRED[stem] + _ALWAYS[stem])
        for name, table in {**(beside or {}), "counts": cohort.counts}.items():
            if isinstance(table, Counts):
                write_counts(partial / name, table)
            elif table is not None:
                write_table(partial / name, table, ())
        if accept is not None:
            _refuse(check_cohort(partial, least_named=least_named), accept)
        os.rename(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
