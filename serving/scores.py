"""The baseline score of a request: as stated, or the total of its items, on the instrument's own scale."""

from __future__ import annotations

from typing import NamedTuple

from features.instruments import Instrument, find, reachable
from serving.faults import RequestError
from serving.schemas import Baseline


class Form(NamedTuple):
    """A questionnaire whose total is a sum: how many items, the highest answer, items scored backwards."""

    items: int
    highest: int
    reversed: frozenset[int] = frozenset()


FORMS = {
    "PHQ-9": Form(9, 3),
    "GAD-7": Form(7, 3),
    "MADRS": Form(10, 6),
    "BDI-II": Form(21, 3),
    "PSS-10": Form(10, 4, frozenset({4, 5, 7, 8})),
}


def total(baseline: Baseline, place: str) -> float:
    """Return the score in the instrument's points; `place` is the path of the baseline in the request.

    Raises RequestError (422) where it is missing, out of range, on no named scale, or not its items' sum.
    """
    instrument = find(baseline.instrument)
    summed = None if baseline.items is None else _sum(instrument, baseline.items, f"{place}.items")
    stated = None if baseline.score is None else baseline.score * _factor(instrument, baseline.scale, place)
    if summed is None and stated is None:
        hint = "Send score, or items"
        raise RequestError(422, "missing_field", "the baseline score is missing", f"{place}.score", hint)
    if summed is not None and stated is not None and summed != stated:
        hint = "Send the items alone, or correct the score"
        message = "the stated score is not the total of the items"
        raise RequestError(422, "score_disagrees", message, f"{place}.score", hint)
    score = stated if summed is None else summed
    low, high = reachable(instrument)
    if score is None or not low <= score <= high:
        hint = f"{instrument.name} goes from {low:g} to {high:g}"
        raise RequestError(422, "out_of_range", "the score is outside the scale", f"{place}.score", hint)
    return score


def self_harm(baseline: Baseline) -> str:
    """Return `positive`, `negative` or `not_assessed` for the item on self-harm."""
    number = find(baseline.instrument).self_harm_item
    if number is None or baseline.items is None or len(baseline.items) < number:
        return "not_assessed"
    answer = baseline.items[number - 1]
    if answer is None:
        return "not_assessed"
    return "positive" if answer > 0 else "negative"


def _sum(instrument: Instrument, items: list[int | None], field: str) -> float:
    form = FORMS.get(instrument.name)
    if form is None:
        message = "items of this instrument are not scored here"
        raise RequestError(422, "items_not_scored", message, field, "Send the score instead")
    if len(items) != form.items or None in items:
        hint = f"Send all {form.items} answers, in the order of the form; missing answers are not made up"
        raise RequestError(422, "items_incomplete", "some items are missing", field, hint)
    answers = [answer for answer in items if answer is not None]
    wrong = [i for i, answer in enumerate(answers) if not 0 <= answer <= form.highest]
    if wrong:
        hint = f"Answers go from 0 to {form.highest}"
        raise RequestError(422, "out_of_range", "an answer is not on the scale", f"{field}[{wrong[0]}]", hint)
    turned = [form.highest - a if i in form.reversed else a for i, a in enumerate(answers, start=1)]
    return float(sum(turned))


def _factor(instrument: Instrument, scale: str | None, place: str) -> float:
    if not instrument.scales:
        return 1.0
    if scale is not None and scale in instrument.scales:
        return float(instrument.scales[scale])
    hint = "Scales: " + ", ".join(instrument.scales)
    code, message = ("scale_required", "the instrument has several scales") if scale is None else (
        "unknown_scale", "the instrument has no such scale")  # fmt: skip
    raise RequestError(422, code, message, f"{place}.scale", hint)
