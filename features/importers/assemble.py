"""Lab files put together into one Cohort, with every choice that was made stated in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from features.cohort import UNITS, Cohort, CohortInfo, ColumnInfo
from features.counts import Counts
from features.design import Columns, Objects
from features.digest import file_digest
from features.errors import invalid
from features.importers import read
from features.importers.imported import Imported, table_of
from features.importers.tables import MISSING_MARKS, TEXT_COLUMNS, cell, number
from features.lifestyle import FIELDS, canonical

# Column names, letters and digits only, that mean a role where none is named; the first that is there is taken.
ROLES: Mapping[str, tuple[str, ...]] = {
    "subject": ("subjectid", "subject", "subjectnumber", "participantid", "participant", "patientid", "patient",
                "hostsubjectid", "hostid", "individual"),
    "time": ("week", "day", "month", "time", "timepoint"),
    "arm": ("arm", "intervention", "treatment", "treatmentgroup", "group"),
    "study": ("study",),
    "visit": ("visit", "visitname", "grouptime"),
}  # fmt: skip
FIELD_NAMES: Mapping[str, str] = {
    "age": "age_years", "hostage": "age_years", "ageyears": "age_years", "gender": "sex", "hostsex": "sex",
    "sex": "sex", "bmi": "bmi", "hostbmi": "bmi", "bodymassindex": "bmi", "fibregday": "fibre_g_day",
    "fibergday": "fibre_g_day", "bristol": "stool_form", "bristolstool": "stool_form",
}  # fmt: skip
_SAMPLE_NAMES = ("sampleid", "sample", "samplename", "name", "run")
_OUTCOME_COLUMNS = ("subject_id", "sample_id", "instrument", "baseline_time", "baseline_score")
_TIME_UNITS = ("week", "day", "month")


@dataclass(frozen=True)
class Choices:
    """What the user decided; an empty text leaves the decision to the reader. Roles are column names."""

    subject: str = ""
    time: str = ""
    arm: str = ""
    unit: str = ""
    time_unit: str = ""
    orientation: str = ""


@dataclass(frozen=True, eq=False)
class Assembled:
    """The cohort, gene families beside it if any, and a note for every choice made."""

    cohort: Cohort
    functions: Counts | None
    notes: tuple[str, ...]


def assemble(paths: Sequence[str], choices: Choices) -> Assembled:
    """Read files (`PATH`, or `PATH::SHEET` of a workbook) into one cohort; raises InvalidInput."""
    parts: list[tuple[str, Imported]] = []
    source: dict[str, str] = {}
    for text in paths:
        name, _, sheet = text.partition("::")
        path = Path(name)
        parts.append((path.name, read(path, sheet=sheet, orientation=choices.orientation)))
        source[path.name] = file_digest(path)
    notes = [f"{name}: {part.format}; {'; '.join(part.notes)}" for name, part in parts]
    counts, left = _abundance([part for _, part in parts], choices)
    functions = [part.functions for _, part in parts if part.functions is not None]
    ids = frozenset(() if counts is None else counts.sample_ids)
    people = _People(ids, choices, {one: {"sample_id": one} for one in sorted(ids)}, {}, [], [])
    for _, part in parts:
        if part.facts:
            people.add(part.facts)
    samples, lifestyle, outcomes = people.tables()
    info = CohortInfo(
        abundance_unit="counts" if counts is None else counts.unit,
        time_unit=choices.time_unit or _time_unit(people.notes),
        columns={name: ColumnInfo(role="id") for name in lifestyle if _is_identifier(name)},
        extra={"source": "; ".join(f"{name} {digest}" for name, digest in source.items())},
    )
    cohort = Cohort(info, samples, lifestyle, outcomes, counts, source)
    if not len(outcomes["subject_id"]):
        people.notes.append("no outcomes in these files: add rows to outcomes.tsv before training")
    return Assembled(cohort, _joined(functions), (*notes, *left, *people.notes))


def _time_unit(notes: Sequence[str]) -> str:
    """A time column that is called after a unit is in that unit."""
    return next((unit for unit in _TIME_UNITS for note in notes if note.lower() == f"{unit} read as time"), "")


def _abundance(parts: Sequence[Imported], choices: Choices) -> tuple[Counts | None, list[str]]:
    lineages = {feature: lineage for part in parts for feature, lineage in part.lineages.items()}
    counts = _joined([part.counts for part in parts if part.counts is not None])
    if counts is None:
        return None, []
    if choices.unit and choices.unit not in UNITS:
        raise invalid("unknown_unit", "the unit is not known", f"Use one of: {', '.join(UNITS)}")
    names = [f"{lineages[name]};t__{name}" if name in lineages else name for name in counts.lineages]
    rows = np.repeat(np.arange(len(counts.sample_ids)), np.diff(counts.indptr))
    unit = choices.unit or counts.unit
    full = np.flatnonzero(np.diff(counts.indptr))
    place = np.full(len(counts.sample_ids), -1)
    place[full] = np.arange(len(full))
    kept = tuple(counts.sample_ids[i] for i in full)
    notes = [] if len(full) == len(place) else [f"{len(place) - len(full)} samples without any reads left out"]
    if lineages:
        known = sum(name in lineages for name in counts.lineages)
        notes.append(f"{known} of {len(names)} taxa have a lineage")
    return Counts.of(kept, tuple(names), (place[rows], counts.indices, counts.data), unit), notes


def _joined(tables: Sequence[Counts]) -> Counts | None:
    """One table of all samples; files of several units are refused."""
    if len(tables) < 2:
        return next(iter(tables), None)
    if len({table.unit for table in tables}) > 1:
        raise invalid("unit_disagrees", "the files are in several units", "Import them one unit at a time")
    samples = [sample for table in tables for sample in table.sample_ids]
    taxa = sorted({name for table in tables for name in table.lineages})
    position = {name: j for j, name in enumerate(taxa)}
    rows, columns, start = [], [], 0
    for table in tables:
        rows.append(start + np.repeat(np.arange(len(table.sample_ids)), np.diff(table.indptr)))
        columns.append(np.array([position[name] for name in table.lineages], dtype=np.int64)[table.indices])
        start += len(table.sample_ids)
    triples = (np.concatenate(rows), np.concatenate(columns), np.concatenate([table.data for table in tables]))
    return replace(table_of(samples, taxa, triples, "the files together"), unit=tables[0].unit)


@dataclass
class _People:
    """Rows of samples, lifestyle and outcomes, collected table by table, and how columns were read."""

    ids: frozenset[str]
    choices: Choices
    samples: dict[str, dict[str, str]]
    lifestyle: dict[tuple[str, str], dict[str, str]]
    outcomes: list[dict[str, str]]
    notes: list[str]

    def add(self, table: Mapping[str, Sequence[str]]) -> None:
        """Take in one table of facts."""
        rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
        if set(_OUTCOME_COLUMNS) <= set(table):
            self.outcomes += rows
            return
        key = _sample_column(table, self.ids)
        roles = _roles(table, self.choices, key)
        self.notes += [f"{column} read as {role}" for role, column in roles.items()]
        extra = [name for name in table if name not in {key, *roles.values()}]
        for row in rows:
            own = {role: row[column] for role, column in roles.items()}
            sample = row[key] if key else ""
            subject = own.pop("subject", "") or sample
            if sample:
                self.samples.setdefault(sample, {"sample_id": sample}).update(own, subject_id=subject)
            person = self.lifestyle.setdefault((subject, sample), {"subject_id": subject, "sample_id": sample})
            person |= {_field(name): _value(row[name]) for name in extra}

    def tables(self) -> tuple[Columns, Columns, Columns]:
        """Return samples, lifestyle and outcomes; a sample of no stated subject is a subject of its own."""
        alone = sum("subject_id" not in row for row in self.samples.values())
        if alone:
            self.notes.append(f"{alone} samples of no stated subject: each counts as a subject of its own")
        samples = [{"subject_id": row["sample_id"], **row} for row in self.samples.values()]
        return (
            _columns(samples, "sample_id", "subject_id"),
            _columns([*self.lifestyle.values()], "subject_id", "sample_id"),
            _columns(self.outcomes, *_OUTCOME_COLUMNS),
        )


def _sample_column(table: Mapping[str, Sequence[str]], ids: frozenset[str]) -> str:
    """The column with the most sample ids of the abundance table; by name where there is no such table."""
    if ids:
        best = max(table, key=lambda name: len(ids & set(table[name])))
        return best if ids & set(table[best]) else ""
    return _by_name(table, _SAMPLE_NAMES)


def _roles(table: Mapping[str, Sequence[str]], choices: Choices, key: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for role, names in ROLES.items():
        stated = getattr(choices, role, "")
        if stated and stated not in table:
            remedy = f"Columns are: {', '.join(table)}"
            raise invalid("missing_column", f"there is no column to read as {role}", remedy, column=stated)
        column = stated or _by_name({name: table[name] for name in table if name != key}, names)
        words = any(text and number(text) is None for text in table[column]) if column else False
        if column and column not in found.values():
            found.setdefault("visit" if role == "time" and words else role, column)
    return found


def known_columns(names: Sequence[str]) -> set[str]:
    """Return those column names, as plain letters, that mean a role, a lifestyle field or an outcome."""
    known = {*FIELD_NAMES, *map(_plain, (*FIELDS, *_OUTCOME_COLUMNS[2:])), *(n for own in ROLES.values() for n in own)}
    return {_plain(name) for name in names[1:]} & known


def _by_name(table: Mapping[str, Sequence[str]], names: Sequence[str]) -> str:
    plain = {_plain(column): column for column in reversed(list(table))}
    return next((plain[name] for name in names if name in plain), "")


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _is_identifier(name: str) -> bool:
    return name not in TEXT_COLUMNS and _plain(name).endswith(("id", "barcode", "accession", "run"))


def _field(name: str) -> str:
    return FIELD_NAMES.get(_plain(name), name)


def _value(text: str) -> str:
    return "" if text.lower() in MISSING_MARKS else text


def _columns(rows: Sequence[Mapping[str, str]], *first: str) -> dict[str, Objects]:
    names = dict.fromkeys([*first, *(name for row in rows for name in row)])
    table = {name: np.full(len(rows), None, dtype=object) for name in names}
    for i, row in enumerate(rows):
        for name, text in row.items():
            table[name][i] = (text or None) if name in TEXT_COLUMNS else canonical(name, cell(text))
    return table
