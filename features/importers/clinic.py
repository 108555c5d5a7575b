"""People a clinic asks about, as a Design: the same type, features and bundle as a training table.

One patient is one row with a blank follow-up. Everything downstream works row by row, so a patient asked about alone
and the same patient in a batch get the same bits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from features.cohort import arm_name
from features.counts import Array, Counts, summed_columns
from features.design import Columns, Design, Objects
from features.taxa import genus_columns, genus_label, genus_of

Value = float | str | None


class Taxa(NamedTuple):
    """The samples of several people as one table: lineages in the order of their names, and n × t amounts."""

    lineages: tuple[str, ...]
    amounts: Array


class TaxaRow(Mapping[str, float]):
    """One sample of a table, as lineage -> amount; what is zero is not in it."""

    def __init__(self, table: Taxa, row: int) -> None:
        """View a row of a table."""
        self.table, self.row = table, row

    def __getitem__(self, lineage: str) -> float:
        """Return the amount of a taxon that is there."""
        return dict(self._cells())[lineage]

    def __iter__(self) -> Iterator[str]:
        """Yield the lineages of what is there."""
        return (lineage for lineage, _ in self._cells())

    def __len__(self) -> int:
        """Return how many taxa are there."""
        return int(np.count_nonzero(self.table.amounts[self.row]))

    def _cells(self) -> Iterator[tuple[str, float]]:
        amounts = self.table.amounts[self.row]
        return ((self.table.lineages[j], float(amounts[j])) for j in np.flatnonzero(amounts))


class PatientInput(NamedTuple):
    """One validated question: who (`id`, unique within a request), measured how, to be given which arm.

    `lag` is the time from baseline to follow-up in the model's own time unit, None where it has none; `taxa`
    maps lineage to abundance and is None without a stool sample; `functions` maps gene family (KO) to abundance, the whole
    table of the sample; `protocol` names how the sample was taken and sequenced; `lifestyle` holds a float, a text or None.
    """

    id: str
    arm: str
    score: float
    lag: float | None = None
    taxa: Mapping[str, float] | None = None
    lifestyle: Mapping[str, Value] = {}
    study: str | None = None
    functions: Mapping[str, float] | None = None
    protocol: str | None = None


def design_of(patients: Sequence[PatientInput], *, unit: str = "counts", functions: Collection[str] = ()) -> Design:
    """Return what a model sees of patients, one row each, in the order given; all taxa are in `unit`.

    `functions` names the gene families that the model looks at. The numbers are those of a cohort folder with the same people.
    """
    n = len(patients)
    ids, nothing = _objects([patient.id for patient in patients]), np.full(n, np.nan)
    genera, abundance = _genera([patient.taxa for patient in patients])
    families = _families(patients) if functions else None
    shares = None if families is None else families.shares(functions)
    return Design(
        subject=ids, sample=ids, baseline_time=np.zeros(n), baseline=np.array([float(one.score) for one in patients]),
        arm=_objects([arm_name(one.arm) for one in patients]), study=_objects([one.study or "" for one in patients]),
        lag=np.array([np.nan if one.lag is None else float(one.lag) for one in patients]), genera=genera,
        abundance=abundance, stool=np.array([one.taxa is not None for one in patients], dtype=bool), unit=unit,
        covariates=_lifestyle(patients), follow_up=nothing, label=np.empty(n, dtype=object),
        function_names=() if shares is None else shares.lineages,
        functions=None if shares is None else shares.rows(ids), protocol=_objects([one.protocol for one in patients]),
    )  # fmt: skip


def _lifestyle(patients: Sequence[PatientInput]) -> Columns:
    names = sorted({name for patient in patients for name in patient.lifestyle})
    cells = [[patient.lifestyle.get(name) for patient in patients] for name in names]
    return dict(zip(names, np.array(cells, dtype=object).reshape(len(names), len(patients)), strict=True))


def _genera(samples: Sequence[Mapping[str, float] | None]) -> tuple[tuple[str, ...], Array]:
    """Genus labels and the n × genera sums, added in the order of the lineages' names; zeros without a sample."""
    if len(samples) == 1 and type(own := samples[0]) is dict and (alone := _genera_alone(own)):
        return alone
    lineages, amounts = _shared_table(samples) or _table(samples)
    genera, group = genus_columns(lineages)
    return genera, summed_columns(amounts, np.array(group, dtype=np.int64), len(genera))


def _genera_alone(own: Mapping[str, float]) -> tuple[tuple[str, ...], Array] | None:
    """What `_genera` gives for one sample whose taxa are a genus each, so that nothing is to be added; None for others."""
    labels = list(map(genus_label, own))
    genera = list(map(genus_of, labels))
    if len(set(genera)) < len(genera):
        return None
    order, amounts = sorted(range(len(genera)), key=genera.__getitem__), list(own.values())
    return tuple([labels[i] for i in order]), np.array([[amounts[i] for i in order]], dtype=float)


def _table(samples: Sequence[Mapping[str, float] | None]) -> Taxa:
    lineages = sorted(set().union(*(own for own in samples if own)))
    if len(samples) == 1 and (own := samples[0]):
        return Taxa(tuple(lineages), np.array([[own[name] for name in lineages]], dtype=float))
    place = {name: j for j, name in enumerate(lineages)}
    amounts = np.zeros((len(samples), len(lineages)))
    for row, own in zip(amounts, samples, strict=True):
        if own:
            row[[place[name] for name in own]] = list(own.values())
    return Taxa(tuple(lineages), amounts)


def _shared_table(samples: Sequence[Mapping[str, float] | None]) -> Taxa | None:
    """The rows of the one table that all samples are views of; None where there is no such table."""
    rows = [own for own in samples if isinstance(own, TaxaRow)]
    if not rows or len(rows) < sum(own is not None for own in samples) or len({id(own.table) for own in rows}) > 1:
        return None
    table = rows[0].table
    if len(rows) == len(samples) == len(table.amounts) and all(own.row == i for i, own in enumerate(rows)):
        return table
    amounts = np.zeros((len(samples), len(table.lineages)))
    amounts[[i for i, own in enumerate(samples) if own is not None]] = table.amounts[[own.row for own in rows]]
    return Taxa(table.lineages, amounts)


def _families(patients: Sequence[PatientInput]) -> Counts | None:
    """The sparse table of gene families of those in whom they were measured; None where in nobody."""
    sampled = [(patient.id, patient.functions) for patient in patients if patient.functions is not None]
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
    return Counts.of(tuple(sample for sample, _ in sampled), tuple(names), triples, "other")


def _objects(values: Sequence[object]) -> Objects:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column
