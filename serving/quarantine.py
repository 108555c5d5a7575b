"""Which outcomes that came back may train a model, and the reason code of each that may not.

A person asked about twice is one subject; a course of a person (one day of baseline) is one sample, with one intervention.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from features.digest import json_digest
from features.instruments import find, reachable
from serving.inputs import Input
from serving.schemas import Patient

DAY = 86_400.0
#: Without a stated day the follow-up is taken to be as late as was asked; at least this share of it must have passed.
PASSED = 0.75
#: Reason code -> why an outcome stays in quarantine.
REASONS: Mapping[str, str] = {
    "withdrawn": "the person is on the list of --without",
    "input_not_kept": "what was asked was not kept (the service ran without --keep-inputs, or it was erased)",
    "steered": "the prediction influenced the therapy (--with-steered takes it)",
    "score_out_of_range": "the score at follow-up is outside the range of the instrument",
    "no_follow_up_time": "neither the outcome says its day nor the question its weeks",
    "follow_up_before_baseline": "the follow-up is not after the baseline",
    "follow_up_too_early": "the outcome came before its follow-up can have been",
    "unit_disagrees": "the amounts of the sample are not in the unit that was stated",
    "unit_mixed": "the unit of the sample cannot be converted to that of the others",
    "second_outcome": "the person has an outcome of the same instrument and baseline already",
    "other_intervention": "the person has another intervention from the same baseline on",
    "same_sample": "the sample is that of another course or person",
}
_SHARES = frozenset({"counts", "percent", "proportion"})
_WHOLE = {"counts": np.inf, "percent": 101.0, "proportion": 1.01, "other": np.inf}


@dataclass(frozen=True)
class Returned:
    """One outcome: the prediction's id, tenant and time (Unix s), the score seen, when it was sent, days after baseline."""

    id: str
    tenant: str
    told: float
    follow_up: float
    steered: bool
    sent: float
    state: str
    days: float | None
    input: Input | None

    @property
    def patient(self) -> Patient:
        """Return what was asked; only for outcomes whose input was kept."""
        assert self.input is not None  # noqa: S101  (the first of the checks)
        return self.input.patient

    @property
    def start(self) -> float:
        """Return the time of the baseline score, in Unix seconds."""
        return self.told - (self.patient.baseline.days_ago or 0.0) * DAY

    @property
    def course(self) -> tuple[str, int]:
        """Return the subject and the day of baseline."""
        return self.patient.id, int(self.start // DAY)

    @property
    def after(self) -> float | None:
        """Return days from baseline to follow-up: as stated, otherwise as asked."""
        weeks = self.patient.weeks
        return self.days if self.days is not None else None if weeks is None else 7 * weeks


def judge(returned: Sequence[Returned], *, with_steered: bool = False) -> tuple[list[Returned], dict[str, str]]:
    """Return the outcomes that pass, in order of their sending, and the reason code of each other one."""
    refused: dict[str, str] = {}
    passed: list[Returned] = []
    for one in sorted(returned, key=lambda own: (own.sent, own.id)):
        code = next(_alone(one, with_steered), None)
        if code is None:
            passed.append(one)
        else:
            refused[one.id] = code
    unit = common_unit([_unit(one) for one in passed if _unit(one)])
    seen = _Seen()
    for one in list(passed):
        code = "unit_mixed" if _unit(one) not in ("", unit, *(_SHARES if unit in _SHARES else ())) else seen.fault(one)
        if code is not None:
            passed.remove(one)
            refused[one.id] = code
    return passed, refused


def _alone(one: Returned, with_steered: bool) -> Iterator[str]:
    """Yield what is wrong with one outcome by itself."""
    if one.state == "withdrawn":
        yield "withdrawn"
    if one.input is None:
        yield "input_not_kept"
    if one.steered and not with_steered:
        yield "steered"
    low, high = reachable(find(one.patient.baseline.instrument))
    if not low <= one.follow_up <= high:
        yield "score_out_of_range"
    if one.after is None:
        yield "no_follow_up_time"
    elif one.after <= 0:
        yield "follow_up_before_baseline"
    # A day of grace: a date without its hour may be up to a day later than it says.
    elif (one.sent - one.start) / DAY + 1 < one.after * (PASSED if one.days is None else 1.0):
        yield "follow_up_too_early"
    if not _in_unit(one):
        yield "unit_disagrees"


def _unit(one: Returned) -> str:
    return "" if one.patient.microbiome is None else one.patient.microbiome.unit


def _in_unit(one: Returned) -> bool:
    if one.patient.microbiome is None:
        return True
    unit, amounts = _unit(one), np.array([*one.patient.microbiome.taxa.values()])
    whole = unit != "counts" or not np.any(amounts % 1)
    return bool(whole and amounts.sum() <= _WHOLE[unit] and not (unit == "percent" and amounts.sum() <= 1.01))


def common_unit(units: Sequence[str]) -> str:
    """Return the unit of a cohort's table: the one of all samples; shares where several can be converted to shares."""
    kinds = set(units)
    if len(kinds) <= 1:
        return next(iter(kinds), "counts")
    return "proportion" if kinds & _SHARES else "other"


class _Seen:
    """What one outcome after the other has taken: rows, interventions of courses, samples."""

    def __init__(self) -> None:
        self.rows: set[tuple[Any, ...]] = set()
        self.arms: dict[tuple[str, int], str] = {}
        self.samples: dict[str, tuple[str, int]] = {}

    def fault(self, one: Returned) -> str | None:
        """Return why an outcome does not fit those before it; it is noted where it does."""
        row = (*one.course, find(one.patient.baseline.instrument).name)
        if row in self.rows:
            return "second_outcome"
        if self.arms.setdefault(one.course, one.patient.intervention) != one.patient.intervention:
            return "other_intervention"
        if one.patient.microbiome is not None:
            taxa = json_digest(one.patient.microbiome.taxa)
            if self.samples.setdefault(taxa, one.course) != one.course:
                return "same_sample"
        self.rows.add(row)
        return None
