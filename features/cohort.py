"""The one type that flows: a Cohort of people with their samples, lifestyle and (perhaps) outcomes.

A clinic patient is a Cohort of one row: training and serving use the same type and the same features.
Only numpy is needed here, so that a serving process stays small.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from features.counts import Array, Counts
from features.design import Columns, Design, Objects
from features.digest import rows_digest
from features.errors import invalid

UNITS = ("counts", "percent", "proportion", "other")
NO_ARM = "none"


@dataclass(frozen=True)
class ColumnInfo:
    """What a cohort.toml declares of one column: when it was measured (in `time_unit`), its unit, its role."""

    measured_at: float | None = None
    unit: str = ""
    role: str = "baseline"


@dataclass(frozen=True)
class CohortInfo:
    """The header of a cohort: design, units and declared columns (keys of `cohort.toml`)."""

    title: str = ""
    randomised: bool = False
    comparator: str = ""
    abundance_unit: str = "counts"
    taxonomy_database: str = ""
    time_unit: str = ""
    outcome_time_unit: str = ""
    not_participants: tuple[str, ...] = ()
    columns: Mapping[str, ColumnInfo] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Cohort:
    """People, their samples, lifestyle and (perhaps) outcomes. Readers build it only from checked tables.

    `samples`, `lifestyle` and `outcomes` are columns of equal length; identifiers are text, other cells are a
    float, a text or None (blank). Outcome columns are those of the cohort folder. `functions` are shares of the gene
    families that were asked for.
    """

    info: CohortInfo
    samples: Columns
    lifestyle: Columns
    outcomes: Columns
    counts: Counts | None = None
    source: Mapping[str, str] = field(default_factory=dict)
    functions: Counts | None = None

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256 over canonical rows of all tables, independent of row and column order on disk."""
        parts: list[Any] = [
            ["info", {**vars(self.info), "columns": {k: vars(v) for k, v in self.info.columns.items()}}]
        ]
        for name in ("samples", "lifestyle", "outcomes"):
            columns: Columns = getattr(self, name)
            names = sorted(columns)
            rows = zip(*(columns[c] for c in names), strict=True)
            parts += [[name, dict(zip(names, row, strict=True))] for row in rows]
        for name, table in (("counts", self.counts), ("functions", self.functions)):
            parts += [] if table is None else [[name, row] for row in self._count_rows(table)]
        return rows_digest(parts)

    @staticmethod
    def _count_rows(counts: Counts) -> list[list[Any]]:
        cells = zip(counts.sample_ids, counts.indptr[:-1], counts.indptr[1:], strict=True)
        return [
            [sample, [[counts.lineages[j] for j in counts.indices[a:b]], counts.data[a:b].tolist()]]
            for sample, a, b in cells
        ]

    @property
    def instruments(self) -> tuple[str, ...]:
        """Return the instruments that have outcome rows, sorted."""
        return tuple(sorted(set(self.outcomes.get("instrument", np.array([], dtype=object)).tolist())))

    def take(self, rows: npt.NDArray[Any]) -> Cohort:
        """Return the cohort with some of its outcome rows; samples and lifestyle stay, as they are looked up."""
        return replace(self, outcomes={name: column[rows] for name, column in self.outcomes.items()})

    def covariate_names(self) -> tuple[str, ...]:
        """Return lifestyle columns that may be features: not ids, not the arm, not declared post-baseline or ignored."""
        barred = {"subject_id", "sample_id", "arm", "study"}
        declared = {name for name, info in self.info.columns.items() if info.role != "baseline"}
        return tuple(sorted(name for name in self.lifestyle if name not in barred | declared))

    def design(self, instrument: str, follow_up: float | None = None) -> Design:
        """Return the design of one instrument's outcome rows; raises InvalidInput when it has none.

        Rows of arms that are `not_participants` are left out. `follow_up` keeps rows of that follow-up time.
        """
        rows = self._outcome_rows(instrument, follow_up)
        outcome = {name: column[rows] for name, column in self.outcomes.items()}
        sample = _position(self.samples["sample_id"])
        at = np.array([sample.get(s, -1) for s in outcome["sample_id"]], dtype=np.int64)
        arm = self._arms(outcome["subject_id"], at)
        keep = np.array([a not in self.info.not_participants for a in arm], dtype=bool)
        outcome = {name: column[keep] for name, column in outcome.items()}
        return self._assemble(outcome, at[keep], arm[keep])

    def _outcome_rows(self, instrument: str, follow_up: float | None) -> npt.NDArray[np.int64]:
        chosen = self.outcomes["instrument"] == instrument
        if not chosen.any():
            known = ", ".join(self.instruments[:12]) or "none"
            raise invalid(
                "unknown_instrument",
                "the cohort has no outcome rows of this instrument",
                f"Choose one of: {known}",
                file="outcomes.tsv",
                column="instrument",
            )
        if follow_up is not None:
            chosen &= np.array([time == follow_up for time in self.outcomes["followup_time"]], dtype=bool)
            if not chosen.any():
                raise invalid(
                    "unknown_follow_up",
                    "no outcome row has this follow-up time",
                    "Use a time that stands in followup_time",
                    file="outcomes.tsv",
                    column="followup_time",
                )
        return np.flatnonzero(chosen)

    def _arms(self, subjects: Objects, at: npt.NDArray[np.int64]) -> Objects:
        by_subject: dict[Any, Any] = {}
        for table in (self.samples, self.lifestyle):
            for subject, arm in zip(table["subject_id"], table.get("arm", _blank(table)), strict=True):
                if arm is not None:
                    by_subject[subject] = arm
        own = self.samples.get("arm", _blank(self.samples))
        arms = [
            own[i] if i >= 0 and own[i] is not None else by_subject.get(s) for s, i in zip(subjects, at, strict=True)
        ]
        return np.array([arm_name(arm) for arm in arms], dtype=object)

    def _assemble(self, outcome: Columns, at: npt.NDArray[np.int64], arm: Objects) -> Design:
        n = len(arm)
        genera, abundance, stool = self._abundance(outcome["sample_id"])
        study = self.samples.get("study", _blank(self.samples))
        numbers = {
            name: _floats(outcome.get(name), n)
            for name in ("baseline_time", "followup_time", "baseline_score", "followup_score")
        }
        return Design(
            subject=outcome["subject_id"], sample=outcome["sample_id"], baseline_time=numbers["baseline_time"],
            baseline=numbers["baseline_score"], arm=arm,
            study=np.array([study[i] if i >= 0 and study[i] is not None else "" for i in at], dtype=object),
            lag=numbers["followup_time"] - numbers["baseline_time"], genera=genera, abundance=abundance, stool=stool,
            unit=self.info.abundance_unit,
            covariates=self._covariates(outcome["subject_id"], outcome["sample_id"], numbers["baseline_time"]),
            follow_up=numbers["followup_score"], label=outcome.get("label", np.full(n, None, dtype=object)),
            function_names=() if self.functions is None else self.functions.lineages,
            functions=None if self.functions is None else self.functions.rows(outcome["sample_id"]), protocol=self._protocols(at),
        )  # fmt: skip

    def _protocols(self, at: npt.NDArray[np.int64]) -> Objects | None:
        """Each row's `protocol` of samples.tsv (kit, region, pipeline, in the cohort's own words)."""
        own = self.samples.get("protocol")
        return None if own is None else np.array([own[i] if i >= 0 else None for i in at], dtype=object)

    def _abundance(self, samples: Objects) -> tuple[tuple[str, ...], Array, npt.NDArray[np.bool_]]:
        if self.counts is None:
            return (), np.zeros((len(samples), 0)), np.zeros(len(samples), dtype=bool)
        genera, sums = self._genus_sums
        position = _position(np.array(self.counts.sample_ids, dtype=object))
        at = np.array([position.get(s, -1) for s in samples], dtype=np.int64)
        stool = at >= 0
        return genera, np.where(stool[:, None], sums[np.where(stool, at, 0)], 0.0), stool

    @cached_property
    def _genus_sums(self) -> tuple[tuple[str, ...], Array]:
        assert self.counts is not None  # noqa: S101  (asked only where there are counts)
        return self.counts.genus_sums()

    def _covariates(self, subjects: Objects, samples: Objects, start: Array) -> dict[str, Objects]:
        """A sample's own lifestyle row wins over the subject's row, cell by cell where it is not blank.

        Cells measured after a row's own baseline are blank, and a column late for every row is none.
        """
        rows: dict[tuple[Any, Any], int] = {}
        for i, (subject, sample) in enumerate(
            zip(self.lifestyle["subject_id"], self.lifestyle["sample_id"], strict=True)
        ):
            rows[subject, sample] = i
        own = [rows.get((subject, sample), -1) for subject, sample in zip(subjects, samples, strict=True)]
        shared = [rows.get((subject, None), -1) for subject in subjects]
        late = {name: self._late(name, start) for name in self.covariate_names()}
        return {
            name: _pick(self.lifestyle[name], own, shared, after) for name, after in late.items() if not after.all()
        }

    def _late(self, name: str, start: Array) -> npt.NDArray[np.bool_]:
        """Return per row whether a column was measured after the row's baseline time `start`.

        Outcome times in another unit, or unknown ones, cannot be compared: then any time after 0 is late.
        """
        at = self.info.columns[name].measured_at if name in self.info.columns else None
        if at is None:
            return np.zeros(len(start), dtype=bool)
        comparable = self.info.outcome_time_unit in ("", self.info.time_unit)
        return np.asarray(at > np.where(np.isnan(start) | (not comparable), 0.0, start))


def _pick(column: Objects, own: list[int], shared: list[int], late: npt.NDArray[np.bool_]) -> Objects:
    picked = np.full(len(own), None, dtype=object)
    for k in np.flatnonzero(~late):
        i, j = own[k], shared[k]
        picked[k] = column[i] if i >= 0 and column[i] is not None else (column[j] if j >= 0 else None)
    return picked


def _position(names: Objects) -> dict[Any, int]:
    return {name: i for i, name in enumerate(names)}


def _blank(table: Columns) -> Objects:
    return np.full(len(table["subject_id"]), None, dtype=object)


def arm_name(arm: Any) -> str:
    """Return the name of an arm; `none (observational)` and a blank both mean that nothing was assigned."""
    text = "" if arm is None else str(arm)
    return NO_ARM if not text or text.startswith("none") else text


def _floats(column: Objects | None, n: int) -> Array:
    if column is None:
        return np.full(n, np.nan)
    return np.array([np.nan if value is None else float(value) for value in column], dtype=float)
