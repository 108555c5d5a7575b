"""The baseline score of a request: as stated, or the total of its items, on the instrument's own scale."""

from __future__ import annotations

from features.errors import InvalidInput
from features.instruments import Instrument, find, reachable
from features.scoring import FORMS, score
from serving.faults import RequestError
from serving.schemas import Baseline

# Forms of one score; of a form with several (HADS, DASS-21) the service is sent the score itself.
FORM_OF = {next(iter(form.scales)): name for name, form in FORMS.items() if len(form.scales) == 1}


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
    points = stated if summed is None else summed
    low, high = reachable(instrument)
    if points is None or not low <= points <= high:
        hint = f"{instrument.name} goes from {low:g} to {high:g}"
        raise RequestError(422, "out_of_range", "the score is outside the scale", f"{place}.score", hint)
    return points


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
    name = FORM_OF.get(instrument.name)
    if name is None:
        message = "items of this instrument are not scored here"
        raise RequestError(422, "items_not_scored", message, field, "Send the score instead")
    wanted = len(FORMS[name].ranges)
    if len(items) != wanted or None in items:
        hint = f"Send all {wanted} answers, in the order of the form; missing answers are not made up"
        raise RequestError(422, "items_incomplete", "some items are missing", field, hint)
    try:
        found = score(name, items)[0].total
    except InvalidInput as error:
        first = error.problems[0]
        place = f"{field}[{int(first.column) - 1}]"
        raise RequestError(422, "out_of_range", "an answer is not on the scale", place, first.remedy) from error
    assert found is not None  # noqa: S101  (no answer is missing)
    return found


def _factor(instrument: Instrument, scale: str | None, place: str) -> float:
    if not instrument.scales:
        return 1.0
    if scale is not None and scale in instrument.scales:
        return float(instrument.scales[scale])
    hint = "Scales: " + ", ".join(instrument.scales)
    code, message = ("scale_required", "the instrument has several scales") if scale is None else (
        "unknown_scale", "the instrument has no such scale")  # fmt: skip
    raise RequestError(422, code, message, f"{place}.scale", hint)
