"""`vagus cohort export-log`: outcomes that came back, as a cohort folder to train on.

The folder is written whole or not at all, and only then do its outcomes leave quarantine.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from features.cohort import Cohort, CohortInfo
from features.counts import Counts
from features.design import Objects
from features.errors import invalid
from features.importers.folder import write_cohort
from features.instruments import find
from features.lifestyle import canonical
from serving.inputs import FILE, Inputs
from serving.outcomes import FILE as OUTCOMES
from serving.outcomes import Outcomes
from serving.quarantine import REASONS, Returned, common_unit, judge
from serving.schemas import Patient
from serving.scores import total


def main(argv: Sequence[str]) -> int:
    """Run `cohort export-log ...`; return the exit code. Raises InvalidInput where no outcome passes."""
    return export_log(_parser().parse_args(list(argv)[1:]))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vagus cohort")
    acts = parser.add_subparsers(dest="act", required=True)
    export = acts.add_parser("export-log", help="outcomes that came back to the service, as a cohort folder")
    codes = "; ".join(f"{code}: {why}" for code, why in REASONS.items())
    export.description = (
        "Checks each outcome in the state folder of `vagus serve --state STATE --keep-inputs`, writes those that pass as a "
        f"cohort folder and lists the others by prediction id and reason. Exit code 2 when none passes. Reasons: {codes}."
    )
    export.add_argument("state", metavar="STATE", type=Path, help="the folder given to `vagus serve --state`")
    export.add_argument("--out", metavar="DIR", type=Path, required=True, help="a new folder")
    export.add_argument("--tenant", help="outcomes of one tenant; must be named where the state holds several")
    export.add_argument(
        "--with-steered", action="store_true", help="take outcomes of predictions that influenced the therapy"
    )
    export.add_argument("--without", metavar="FILE", type=Path,
                        help="prediction ids, one a line, of people who withdrew: all that is kept of them is erased first")  # fmt: skip
    return parser


def export_log(options: argparse.Namespace) -> int:
    """Write the cohort folder, move what is in it out of quarantine, and say what stays behind; return 0."""
    if not (options.state / OUTCOMES).is_file():
        remedy = "Name the folder given to `vagus serve --state`"
        raise invalid("no_outcomes", "the folder holds no outcomes of a service", remedy, file=options.state.name)
    outcomes, inputs = Outcomes(options.state / OUTCOMES), Inputs(options.state / FILE)
    if options.without is not None:
        _withdraw(options.without, outcomes, inputs)
    returned = _returned(outcomes, inputs, options.tenant)
    passed, refused = judge(returned, with_steered=options.with_steered)
    sys.stdout.write("".join(f"{one}\t{code}\n" for one, code in sorted(refused.items())))
    if not passed:
        message = f"none of {len(returned)} outcomes can be used"
        raise invalid("no_outcome_passes", message, "See the reasons above and --help", file=options.state.name)
    cohort, functions = cohort_of(passed)
    beside = {} if functions is None else {"functions": functions}
    write_cohort(cohort, options.out, beside=beside, accept=frozenset())
    outcomes.mark([one.id for one in passed], "validated")
    sys.stdout.write(f"wrote {len(passed)} of {len(returned)} outcomes to {options.out}\n")
    return 0


def _withdraw(path: Path, outcomes: Outcomes, inputs: Inputs) -> None:
    """Erase what is kept of the people that some predictions are about, and mark all their outcomes."""
    try:
        lines = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise invalid("unreadable_file", "the list cannot be read", "Name a text file", file=path.name) from error
    unknown = outcomes.unknown(lines)
    if unknown:
        remedy = "Give one prediction id a line; nothing was erased"
        raise invalid("unknown_prediction", "there is no such prediction", remedy, file=path.name, row=unknown[0] + 1)
    outcomes.mark([same for one in lines for same in {one, *inputs.forget(one)}], "withdrawn")


def _returned(outcomes: Outcomes, inputs: Inputs, tenant: str | None) -> list[Returned]:
    rows = [row for row in outcomes.returned() if tenant is None or row[1] == tenant]
    if len({row[1] for row in rows}) > 1:
        message = "the state folder holds outcomes of several tenants"
        raise invalid("several_tenants", message, "Name one with --tenant", column="--tenant")
    kept = inputs.of([row[0] for row in rows])
    return [Returned(*(*row, kept.get(row[0]))) for row in rows]


def cohort_of(passed: Sequence[Returned]) -> tuple[Cohort, Counts | None]:
    """Return outcomes as a cohort, and the table of gene families where some were sent. Times are in weeks.

    A subject's first baseline is week 0. The study of a row is the tenant that asked.
    """
    first = {one.course: one for one in reversed(passed)}
    courses = sorted(first)
    names = {course: f"sample-{i}" for i, course in enumerate(courses, start=1)}
    zero = dict(reversed(courses))  # the first day of each subject
    samples = {
        "sample_id": _objects([names[course] for course in courses]),
        "subject_id": _objects([subject for subject, _ in courses]),
        "arm": _objects([first[course].patient.intervention for course in courses]),
        "study": _objects([first[course].tenant or None for course in courses]),
        "time": _objects([_week(course, zero) for course in courses]),
        "protocol": _objects([_protocol(first[course].patient) for course in courses]),
    }
    people = [(names[course], first[course].patient) for course in courses]
    counts, functions = _tables(people)
    unit = "counts" if counts is None else counts.unit
    info = CohortInfo(title="Outcomes returned to the service", abundance_unit=unit, time_unit="week")
    return Cohort(info, samples, _lifestyle(people), _outcomes(passed, names, zero), counts), functions


def _week(course: tuple[str, int], zero: Mapping[str, int]) -> float:
    return round((course[1] - zero[course[0]]) / 7, 3)


def _protocol(patient: Patient) -> str | None:
    return None if patient.microbiome is None else patient.microbiome.protocol


def _outcomes(
    passed: Sequence[Returned], names: Mapping[tuple[str, int], str], zero: Mapping[str, int]
) -> dict[str, Objects]:
    starts = [_week(one.course, zero) for one in passed]
    ends = [start + (one.after or 0.0) / 7 for start, one in zip(starts, passed, strict=True)]
    return {
        "subject_id": _objects([one.patient.id for one in passed]),
        "sample_id": _objects([names[one.course] for one in passed]),
        "instrument": _objects([find(one.patient.baseline.instrument).name for one in passed]),
        "baseline_time": _objects(starts),
        "baseline_score": _objects([float(total(one.patient.baseline, "baseline")) for one in passed]),
        "followup_time": _objects([round(end, 3) for end in ends]),
        "followup_score": _objects([float(one.follow_up) for one in passed]),
    }


def _lifestyle(people: Sequence[tuple[str, Patient]]) -> dict[str, Objects]:
    fields = sorted({name for _, patient in people for name in patient.lifestyle})
    columns: dict[str, list[Any]] = {"subject_id": [p.id for _, p in people], "sample_id": [name for name, _ in people]}
    for name in fields:
        cells = [patient.lifestyle.get(name) for _, patient in people]
        columns[name] = [canonical(name, float(cell) if isinstance(cell, bool) else cell) for cell in cells]
    return {name: _objects(cells) for name, cells in columns.items()}


def _tables(people: Sequence[tuple[str, Patient]]) -> tuple[Counts | None, Counts | None]:
    sampled = [(name, patient.microbiome) for name, patient in people if patient.microbiome is not None]
    unit = common_unit([own.unit for _, own in sampled])
    taxa = []
    for name, own in sampled:
        whole = sum(own.taxa.values()) if unit == "proportion" != own.unit else 1.0
        taxa.append((name, {lineage: amount / whole for lineage, amount in own.taxa.items()}))
    genes = [(name, own.functions) for name, own in sampled if own.functions is not None]
    return _table(taxa, unit), _table(genes, "other")


def _table(rows: Sequence[tuple[str, Mapping[str, float]]], unit: str) -> Counts | None:
    if not rows:
        return None
    place: dict[str, int] = {}
    cells: dict[tuple[int, int], float] = {}
    for i, (_, own) in enumerate(rows):
        for name, amount in own.items():
            at = i, place.setdefault(name.strip() or "unassigned", len(place))
            cells[at] = cells.get(at, 0.0) + amount
    row, column = np.array([*cells], dtype=np.int64).T
    value = np.array([*cells.values()])
    return Counts.of(tuple(name for name, _ in rows), tuple(place), (row, column, value), unit)


def _objects(values: Sequence[object]) -> Objects:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column
