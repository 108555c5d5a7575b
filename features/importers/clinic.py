"""People a clinic asks about, as a Cohort: the same type, features and bundle as a training table.

One patient is a Cohort of one outcome row with a blank follow-up. Everything downstream works row by row, so
a patient asked about alone and the same patient in a batch get the same bits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from features.cohort import Cohort, CohortInfo
from features.counts import Counts
from features.design import Columns, Objects

Value = float | str | None


@dataclass(frozen=True)
class PatientInput:
    """One validated question: who (`id`, unique within a request), measured how, to be given which arm.

    `lag` is the time from baseline to follow-up in the model's own time unit, None where it has none; `taxa`
    maps lineage to abundance and is None without a stool sample; `functions` maps gene family (KO) to abundance, the whole
    table of the sample; `lifestyle` holds a float, a text or None.
    """

    id: str
    arm: str
    score: float
    lag: float | None = None
    taxa: Mapping[str, float] | None = None
    lifestyle: Mapping[str, Value] = field(default_factory=dict)
    study: str | None = None
    functions: Mapping[str, float] | None = None


def cohort_of(
    patients: Sequence[PatientInput], *, instrument: str, unit: str = "counts", functions: Collection[str] = ()
) -> Cohort:
    """Return the cohort of patients, one outcome row each, in the order given; all taxa are in `unit`.

    `functions` names the gene families that the model looks at.
    """
    ids = _objects([patient.id for patient in patients])
    samples = {
        "sample_id": ids,
        "subject_id": ids,
        "arm": _objects([patient.arm for patient in patients]),
        "study": _objects([patient.study for patient in patients]),
    }
    outcomes = {
        "subject_id": ids,
        "sample_id": ids,
        "instrument": _objects([instrument] * len(ids)),
        "baseline_time": _objects([0.0] * len(ids)),
        "baseline_score": _objects([float(patient.score) for patient in patients]),
        "followup_time": _objects([patient.lag for patient in patients]),
        "followup_score": _objects([None] * len(ids)),
    }
    info = CohortInfo(abundance_unit=unit)
    counts = _table([(patient.id, patient.taxa) for patient in patients], unit)
    families = _table([(patient.id, patient.functions) for patient in patients], "other") if functions else None
    shares = None if families is None else families.shares(functions)
    return Cohort(info, samples, _lifestyle(patients, ids), outcomes, counts, functions=shares)


def _lifestyle(patients: Sequence[PatientInput], ids: Objects) -> Columns:
    names = sorted({name for patient in patients for name in patient.lifestyle})
    columns = {name: _objects([patient.lifestyle.get(name) for patient in patients]) for name in names}
    return {"subject_id": ids, "sample_id": _objects([None] * len(ids)), **columns}


def _table(amounts: Sequence[tuple[str, Mapping[str, float] | None]], unit: str) -> Counts | None:
    """The sparse table of those who have a sample; None when nobody has one, as for a cohort without stool."""
    sampled = [(sample, own) for sample, own in amounts if own is not None]
    if not sampled:
        return None
    names: dict[str, int] = {}
    row, column, value = [], [], []
    for i, (_, own) in enumerate(sampled):
        for name, amount in own.items():
            row.append(i)
            column.append(names.setdefault(name, len(names)))
            value.append(float(amount))
    triples = (np.array(row, dtype=np.int64), np.array(column, dtype=np.int64), np.array(value, dtype=float))
    return Counts.of(tuple(sample for sample, _ in sampled), tuple(names), triples, unit)


def _objects(values: Sequence[object]) -> Objects:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column
