"""The baseline score of a request: as stated, or the total of its items, on the instrument's own scale."""

from __future__ import annotations

from features.errors import InvalidInput
from features.instruments import Instrument, find, reachable
from features.scoring import FORMS, Score, score
from serving.faults import RequestError
from serving.schemas import Baseline

#: Instrument -> the form whose items it is scored from.
FORM_OF = {name: form for form, content in FORMS.items() for name in content.scales}


def total(baseline: Baseline, place: str) -> float:
    """Return the score in the instrument's points; `place` is the path of the baseline in the request.

    Raises RequestError (422) where it is missing, out of range, on no named scale, or not its items' sum.
    """
    instrument = find(baseline.instrument)
    summed = None if baseline.items is None else _from_items(instrument, baseline.items, f"{place}.items").total
    stated = None if baseline.score is None else baseline.score * _factor(instrument, baseline.scale, place)
    if summed is None and baseline.items is not None:
        hint = "Send every answer, in the order of the form; missing answers are not made up"
        raise RequestError(422, "items_incomplete", "some items are missing", f"{place}.items", hint)
    if summed is None and stated is None:
        hint = "Send score, or items"
        raise RequestError(422, "missing_field", "the baseline score is missing", f"{place}.score", hint)
    if summed is not None and stated is not None and summed != stated:
        hint = "Send the items alone, or correct the score"
        message = "the stated score is not the total of the items"
        raise RequestError(422, "score_disagrees", message, f"{place}.score", hint)
    value = stated if summed is None else summed
    low, high = reachable(instrument)
    if value is None or not low <= value <= high:
        hint = f"{instrument.name} goes from {low:g} to {high:g}"
        raise RequestError(422, "out_of_range", "the score is outside the scale", f"{place}.score", hint)
    return value


def self_harm(baseline: Baseline) -> str:
    """Return `positive`, `negative` or `not_assessed` for the item on self-harm."""
    if baseline.items is None:
        return "not_assessed"
    instrument = find(baseline.instrument)
    if instrument.self_harm_item is None:
        return "not_assessed"
    return _from_items(instrument, baseline.items, "items").self_harm_item or "not_assessed"


def _from_items(instrument: Instrument, items: list[int | None], field: str) -> Score:
    form = FORM_OF.get(instrument.name)
    if form is None:
        message = "items of this instrument are not scored here"
        raise RequestError(422, "items_not_scored", message, field, "Send the score instead")
    try:
        return next(one for one in score(form, items) if one.instrument == instrument.name)
    except InvalidInput as error:
        first = error.problems[0]
        item = f"[{int(first.column) - 1}]" if first.column.isdecimal() else ""
        raise RequestError(422, first.code, first.message, field + item, first.remedy) from None


def _factor(instrument: Instrument, scale: str | None, place: str) -> float:
    if not instrument.scales:
        return 1.0
    if scale is not None and scale in instrument.scales:
        return float(instrument.scales[scale])
    hint = "Scales: " + ", ".join(instrument.scales)
    if scale is None:
        raise RequestError(422, "scale_required", "the instrument has several scales", f"{place}.scale", hint)
    raise RequestError(422, "unknown_scale", "the instrument has no such scale", f"{place}.scale", hint)
