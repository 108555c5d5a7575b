"""The rules that single cells of a cohort folder must keep: numbers, ranges, units, times.

A Problem names the file, the row and the column, and never the value that was found there.
"""

from __future__ import annotations

from collections.abc import Iterator

from features.errors import Problem
from features.importers.header import TIME_UNITS
from features.importers.tables import MISSING_MARKS, Tables, cell, number
from features.instruments import find, reachable
from features.lifestyle import FIELDS, allowed, converted, fault

OUTCOME_NUMBERS = ("baseline_time", "baseline_score", "followup_time", "followup_score", "change")
_FAULTS = {
    "not_a_number": ("lifestyle_not_a_number", "the declared field is not a number"),
    "out_of_range": ("lifestyle_out_of_range", "the value is outside the plausible range of the field"),
    "unknown_code": ("lifestyle_unknown_code", "the value is not one of the field's codes"),
}


def _numbers(tables: Tables) -> Iterator[Problem]:
    checked = [(tables.samples, "time"), *((tables.outcomes, name) for name in OUTCOME_NUMBERS)]
    for table, column in checked:
        for row, text in enumerate(table[column]):
            if text and number(text) is None:
                remedy = "Give a number, or leave the cell blank"
                yield table.problem("not_a_number", row, column, "the cell is not a finite number", remedy)


def _missing_marks(tables: Tables) -> Iterator[Problem]:
    for name in tables.lifestyle.columns:
        for row, text in enumerate(tables.lifestyle[name]):
            if text.lower() in MISSING_MARKS:
                message = "the cell holds a mark for a missing value"
                remedy = "Leave the cell blank"
                yield tables.lifestyle.problem("missing_mark", row, name, message, remedy)


def _instrument_names(tables: Tables) -> Iterator[Problem]:
    for row, name in enumerate(tables.outcomes["instrument"]):
        if not name:
            message = "the row names no instrument"
            yield tables.outcomes.problem("missing_instrument", row, "instrument", message, "Name it")


def _scores(tables: Tables) -> Iterator[Problem]:
    ranges = {name: reachable(find(name)) for name in set(tables.outcomes["instrument"])}
    for column in ("baseline_score", "followup_score"):
        cells = zip(tables.outcomes["instrument"], tables.outcomes[column], strict=True)
        for row, (name, text) in enumerate(cells):
            score, (low, high) = number(text), ranges[name]
            if score is not None and not low <= score <= high:
                message = f"the score is outside the range of {find(name).name}, {low:g} to {high:g}"
                remedy = "Correct or blank it, or keep it by an explicit choice"
                yield tables.outcomes.problem("score_out_of_range", row, column, message, remedy)


def _follow_up_times(tables: Tables) -> Iterator[Problem]:
    """Codes of an ordered time axis are compared too."""
    times = zip(tables.outcomes["baseline_time"], tables.outcomes["followup_time"], strict=True)
    for row, (before, after) in enumerate(times):
        start, end = number(before), number(after)
        if start is not None and end is not None and end <= start:
            message = "the follow-up is not after the baseline"
            remedy = "Correct the two times"
            yield tables.outcomes.problem("follow_up_not_after_baseline", row, "followup_time", message, remedy)


def _changes(tables: Tables) -> Iterator[Problem]:
    names = ("baseline_score", "followup_score", "change")
    cells = zip(*(tables.outcomes[name] for name in names), strict=True)
    for row, texts in enumerate(cells):
        before, after, change = (number(text) for text in texts)
        if before is None or after is None or change is None:
            continue
        if abs(after - before - change) > _rounding(texts[2]):
            message = "the change is not follow-up minus baseline"
            remedy = "Correct it, or leave the column out"
            yield tables.outcomes.problem("change_disagrees", row, "change", message, remedy)


def _rounding(text: str) -> float:
    """Half a unit of the last decimal shown, and a little for binary rounding."""
    decimals = len(text.partition(".")[2]) if "e" not in text.lower() else 6
    return 0.5 * float(10.0 ** -min(decimals, 9)) * 1.02 if decimals else 1e-6


def _units(tables: Tables) -> Iterator[Problem]:
    declared = tables.info.time_unit
    for row, text in enumerate(tables.samples["time_unit"]):
        unit = text.split(" ")[0]
        if unit and unit not in TIME_UNITS:
            remedy = "Use one of: " + ", ".join(TIME_UNITS)
            message = "the unit of time is not known"
            yield tables.samples.problem("unknown_unit", row, "time_unit", message, remedy)
        elif unit and declared and unit != declared:
            message = "the unit of time is not the one declared in cohort.toml"
            yield tables.samples.problem("unit_disagrees", row, "time_unit", message, "Use one unit of time")


def _stool_times(tables: Tables) -> Iterator[Problem]:
    outcome_unit = tables.info.outcome_time_unit or tables.info.time_unit
    times, units = tables.samples["time"], tables.samples["time_unit"]
    cells = zip(tables.outcomes["sample_id"], tables.outcomes["baseline_time"], strict=True)
    for row, (sample, text) in enumerate(cells):
        at = tables.sample_row.get(sample)
        if at is None or (units[at].split(" ")[0] or tables.info.time_unit) != outcome_unit:
            continue
        taken, baseline = number(times[at]), number(text)
        if taken is not None and baseline is not None and taken > baseline:
            message = "the stool was taken after the baseline time of the row"
            remedy = "Name a sample taken at or before baseline, or leave the cell blank"
            yield tables.outcomes.problem("stool_after_baseline", row, "sample_id", message, remedy)


def _lifestyle_values(tables: Tables) -> Iterator[Problem]:
    for name in tables.lifestyle.columns:
        if name not in FIELDS:
            continue
        unit = tables.info.columns[name].unit if name in tables.info.columns else ""
        for row, text in enumerate(tables.lifestyle[name]):
            kind = fault(name, converted(name, cell(text), unit))
            if kind:
                code, message = _FAULTS[kind]
                remedy = f"Give {allowed(name)}; or keep it by an explicit choice"
                yield tables.lifestyle.problem(code, row, name, message, remedy)


VALUE_RULES = (
    _numbers, _missing_marks, _instrument_names, _scores, _follow_up_times, _changes,
    _units, _stool_times, _lifestyle_values,
)  # fmt: skip
