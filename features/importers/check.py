"""The rules that the rows of a cohort folder must keep among each other, and the list of all rules.

A Problem names the file, the row and the column, and never the value that was found there.
"""

from __future__ import annotations

from collections.abc import Iterator

from features.errors import Problem
from features.importers.plausibility import VALUE_RULES
from features.importers.tables import Table, Tables, number

_PLURAL = {"arm": "arms", "study": "studies"}


def table_problems(tables: Tables) -> Iterator[Problem]:
    """Yield every broken rule."""
    for rule in RULES:
        yield from rule(tables)


def _identities(tables: Tables) -> Iterator[Problem]:
    for table in (tables.samples, tables.lifestyle, tables.outcomes):
        for row, subject in enumerate(table["subject_id"]):
            if not subject:
                message = "the row names no subject"
                yield table.problem("missing_subject", row, "subject_id", message, "Name the subject")
    seen: set[str] = set()
    for row, sample in enumerate(tables.samples["sample_id"]):
        if not sample:
            message = "the row names no sample"
            yield tables.samples.problem("missing_sample", row, "sample_id", message, "Name the sample")
        elif sample in seen:
            message = "the sample is there twice"
            remedy = "Keep one row per sample"
            yield tables.samples.problem("duplicate_sample", row, "sample_id", message, remedy)
        seen.add(sample)


def _sample_links(tables: Tables) -> Iterator[Problem]:
    subjects = tables.samples["subject_id"]
    for table in (tables.lifestyle, tables.outcomes):
        for row, (sample, subject) in enumerate(zip(table["sample_id"], table["subject_id"], strict=True)):
            at = tables.sample_row.get(sample)
            if sample and at is None:
                message = "the sample is not in samples.tsv"
                remedy = "Add the sample, or leave the cell blank"
                yield table.problem("unknown_sample", row, "sample_id", message, remedy)
            elif at is not None and subjects[at] != subject:
                message = f"the sample belongs to the subject of row {tables.samples.lines[at]} of samples.tsv"
                remedy = "Name that subject's own sample"
                yield table.problem("sample_of_other_subject", row, "sample_id", message, remedy)


def _subject_links(tables: Tables) -> Iterator[Problem]:
    known = {*tables.samples["subject_id"], *tables.lifestyle["subject_id"]}
    for row, subject in enumerate(tables.outcomes["subject_id"]):
        if subject and subject not in known:
            message = "the subject is neither in samples.tsv nor in lifestyle.tsv"
            remedy = "Add the subject to one of them"
            yield tables.outcomes.problem("unknown_subject", row, "subject_id", message, remedy)


def _one_group(tables: Tables) -> Iterator[Problem]:
    """One arm and one study per subject and time: an arm may change at a later visit (re-randomisation)."""
    for column in _PLURAL:
        first: dict[tuple[str, str], tuple[str, str]] = {}
        start = _first_times(tables.samples)
        for table in (tables.samples, tables.lifestyle):
            cells = zip(table["subject_id"], table["time"], table[column], strict=True)
            for row, (subject, time, value) in enumerate(cells):
                if not value:
                    continue
                here = f"row {table.lines[row]} of {table.file}"
                known = first.setdefault((subject, time or start.get(subject, "")), (value, here))
                if known[0] != value:
                    message = f"the subject has another {column} in {known[1]}"
                    yield table.problem(f"two_{column}s", row, column, message, f"Keep one {column} per subject")


def _first_times(samples: Table) -> dict[str, str]:
    """Subject -> the time, as written, of the earliest sample."""
    timed = [
        (value, subject, text)
        for subject, text in zip(samples["subject_id"], samples["time"], strict=True)
        if (value := number(text)) is not None
    ]
    return {subject: text for _, subject, text in sorted(timed, reverse=True)}


def _repeated_rows(tables: Tables) -> Iterator[Problem]:
    keys = (
        (tables.lifestyle, "duplicate_lifestyle", ("subject_id", "sample_id")),
        (
            tables.outcomes,
            "duplicate_outcome",
            ("subject_id", "sample_id", "instrument", "baseline_time", "followup_time"),
        ),
    )
    for table, code, names in keys:
        first: dict[tuple[str, ...], int] = {}
        for row, key in enumerate(zip(*(table[name] for name in names), strict=True)):
            known = first.setdefault(key, row)
            if known != row:
                message = f"the row is about the same as row {table.lines[known]}"
                yield table.problem(code, row, names[-1], message, "Keep one of the two")


def _baselines(tables: Tables) -> Iterator[Problem]:
    names = ("subject_id", "instrument", "baseline_time", "baseline_score")
    first: dict[tuple[str, ...], tuple[float, int]] = {}
    for row, (*key, text) in enumerate(zip(*(tables.outcomes[name] for name in names), strict=True)):
        score = number(text)
        if score is None:
            continue
        known, line = first.setdefault(tuple(key), (score, tables.outcomes.lines[row]))
        if known != score:
            message = f"the baseline score is not that of row {line}: same subject, instrument and time"
            remedy = "Correct the row that is wrong"
            yield tables.outcomes.problem("rows_disagree", row, "baseline_score", message, remedy)


def _declared_columns(tables: Tables) -> Iterator[Problem]:
    present = {*tables.samples.columns, *tables.lifestyle.columns, *tables.outcomes.columns}
    for name in tables.info.columns:
        if name not in present:
            message = "the column that is declared stands in no table"
            remedy = "Correct the name: the declaration has no effect"
            yield Problem("unknown_column", message, remedy, "cohort.toml", None, f"columns.{name}")


RULES = (
    _identities, _sample_links, _subject_links, _one_group, _repeated_rows, _baselines, _declared_columns,
    *VALUE_RULES,
)  # fmt: skip
