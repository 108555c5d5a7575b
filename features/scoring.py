"""Scores from item answers: eleven questionnaires, without a word of their items.

Answers are whole numbers by item number. Nothing is filled in silently: a missing answer leaves the score
blank, unless a named rule for prorating is asked for. Values never appear in an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import floor
from typing import Any

from features.errors import InvalidInput, Problem, invalid
from features.instruments import Instrument, find
from features.psqi import psqi_components


@dataclass(frozen=True)
class Form:
    """How a questionnaire's answers become scores.

    `ranges` holds (lowest, highest) per item; `scales` maps an instrument's name to its items; `reverse`
    are items scored high minus answer; `uniform_reverse` those to reverse only when all were captured in
    one order; `mean` takes the mean instead of the sum; `factor` multiplies; `parts` are sub-scores given
    as means beside the total; `prorate` maps a rule id to the most answers that may be missing.
    """

    ranges: tuple[tuple[int, int], ...]
    scales: Mapping[str, tuple[int, ...]]
    rule: str
    source: str
    reverse: frozenset[int] = frozenset()
    uniform_reverse: frozenset[int] = frozenset()
    factor: int = 1
    mean: bool = False
    parts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    prorate: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Score:
    """One scored instrument: `total` in its points, None where an answer is missing and no rule fills it.

    `self_harm_item` is positive, negative, not_assessed, or '' where the questionnaire does not ask.
    `rules` are the ids of every rule that was used.
    """

    instrument: str
    total: float | None
    band: str
    missing: tuple[str, ...]
    self_harm_item: str
    parts: Mapping[str, float]
    rules: tuple[str, ...]


def _all(n: int) -> tuple[int, ...]:
    return tuple(range(1, n + 1))


def _plain(name: str, n: int, high: int, rule: str, source: str, **more: Any) -> Form:
    return Form(((0, high),) * n, {name: _all(n)}, rule, source, **more)


# Items 1-3 and 7-11 and 15 of the HAM-D17 run to 4, the others to 2.
_HAMD = tuple((0, 4 if item in (1, 2, 3, 7, 8, 9, 10, 11, 15) else 2) for item in _all(17))
_DASS = {
    "DASS-21 depression": (3, 5, 10, 13, 16, 17, 21),
    "DASS-21 anxiety": (2, 4, 7, 9, 15, 19, 20),
    "DASS-21 stress": (1, 6, 8, 11, 12, 14, 18),
}
_GSRS_DOMAINS = {
    "reflux": (2, 3),
    "abdominal pain": (1, 4, 5),
    "indigestion": (6, 7, 8, 9),
    "diarrhoea": (11, 12, 14),
    "constipation": (10, 13, 15),
}
FORMS: Mapping[str, Form] = {
    "phq9": _plain("PHQ-9", 9, 3, "phq9-sum@1", "sum of nine items", prorate={"phq9-prorate-2@1": 2}),
    "gad7": _plain("GAD-7", 7, 3, "gad7-sum@1", "sum of seven items", prorate={"gad7-prorate-1@1": 1}),
    "hamd17": Form(_HAMD, {"HAM-D17": _all(17)}, "hamd17-sum@1", "sum of 17 items, nine 0-4 and eight 0-2"),
    "madrs": _plain("MADRS", 10, 6, "madrs-sum@1", "sum of ten items"),
    "bdi2": _plain("BDI-II", 21, 3, "bdi2-sum@1", "sum of 21 items"),
    "pss10": _plain("PSS-10", 10, 4, "pss10-sum@1", "sum, items 4, 5, 7, 8 reversed", reverse=frozenset({4, 5, 7, 8})),
    "dass21": Form(((0, 3),) * 21, _DASS, "dass21-doubled@1", "subscale sums of seven items, doubled", factor=2),
    "who5": _plain("WHO-5", 5, 5, "who5-percent@1", "sum of five items, times four", factor=4),
    "gsrs": Form(
        ((1, 7),) * 15, {"GSRS": _all(15)}, "gsrs-mean@1", "mean of 15 items 1-7", mean=True, parts=_GSRS_DOMAINS
    ),
    "gsrs-interview": _plain("GSRS-interview", 15, 3, "gsrs-interview-sum@1", "sum of 15 items 0-3"),
    "hads": Form(
        ((0, 3),) * 14,
        {"HADS-A": _all(14)[0::2], "HADS-D": _all(14)[1::2]},
        "hads-sum@1",
        "odd items anxiety, even items depression",
        uniform_reverse=frozenset({2, 4, 6, 7, 12, 14}),
    ),
}
NAMES = (*FORMS, "psqi")


def score(
    form: str,
    answers: Mapping[str, Any] | Sequence[Any],
    *,
    prorate: str = "",
    capture: str = "scored",
    total: float | None = None,
) -> tuple[Score, ...]:
    """Return the scores of a form, one per instrument it measures; raises InvalidInput with every problem.

    `answers` maps item number (or PSQI key) to the answer, None where not given; a list is items 1, 2, ...
    `prorate` names a rule; `capture` is `scored` (as the form prints its points) or `uniform` (all items in
    one order, HADS); `total`, when given, must be the score found.
    """
    if form not in NAMES:
        raise invalid("unknown_form", "the form is not known", f"Choose one of: {', '.join(NAMES)}")
    given = dict(answers) if isinstance(answers, Mapping) else {str(i): a for i, a in enumerate(answers, 1)}
    scores = (_psqi(given),) if form == "psqi" else _sums(FORMS[form], given, prorate, capture)
    if total is not None and [one.total for one in scores] != [float(total)]:
        raise invalid("total_disagrees", "the total is not that of the items", "Give one of the two", column="total")
    return scores


def _sums(form: Form, given: Mapping[str, Any], prorate: str, capture: str) -> tuple[Score, ...]:
    problems = list(_answer_problems(form, given))
    if prorate and prorate not in form.prorate:
        known = ", ".join(form.prorate) or "none for this form"
        problems.append(Problem("unknown_rule", "the rule for prorating is not known", f"Known: {known}"))
    if capture not in ("scored", "uniform"):
        problems.append(Problem("unknown_capture", "the capture is not known", "Use scored or uniform"))
    if problems:
        raise InvalidInput(problems)
    reverse = form.reverse | (form.uniform_reverse if capture == "uniform" else frozenset())
    points = {
        item: form.ranges[item - 1][1] - given[str(item)] if item in reverse else given[str(item)]
        for item in _all(len(form.ranges))
        if given.get(str(item)) is not None
    }
    return tuple(_one(form, name, items, points, prorate) for name, items in form.scales.items())


def _answer_problems(form: Form, given: Mapping[str, Any]) -> Iterator[Problem]:
    known = {str(item): bounds for item, bounds in enumerate(form.ranges, 1)}
    for item, answer in given.items():
        if item not in known:
            yield Problem("unknown_item", "the form has no such item", f"Items are 1 to {len(known)}", column=item)
        elif answer is not None and (isinstance(answer, bool) or not isinstance(answer, int)):
            yield Problem("not_an_answer", "the answer is not a whole number", "Give points", column=item)
        elif answer is not None and not known[item][0] <= answer <= known[item][1]:
            low, high = known[item]
            remedy = f"Give {low} to {high} points"
            yield Problem("answer_out_of_range", "the answer is outside the item's range", remedy, column=item)


def _one(form: Form, name: str, items: tuple[int, ...], points: Mapping[int, int], prorate: str) -> Score:
    instrument = find(name)
    missing = tuple(str(item) for item in items if item not in points)
    answered = [points[item] for item in items if item in points]
    fill = bool(missing) and len(missing) <= form.prorate.get(prorate, 0)
    value: float | None = None
    if not missing:
        value = sum(answered) / len(answered) if form.mean else float(sum(answered) * form.factor)
    elif fill:
        value = float(floor(sum(answered) / len(answered) * len(items) + 0.5))
    parts = {
        part: sum(points[item] for item in own) / len(own)
        for part, own in form.parts.items()
        if all(item in points for item in own)
    }
    rules = (form.rule, *((prorate,) if fill else ()), *_rule_ids(instrument))
    return Score(name, value, band(instrument, value), missing, _self_harm(instrument, points), parts, rules)


def _self_harm(instrument: Instrument, points: Mapping[int, int]) -> str:
    item = instrument.self_harm_item
    if item is None:
        return ""
    return "not_assessed" if item not in points else "positive" if points[item] > 0 else "negative"


def _rule_ids(instrument: Instrument) -> tuple[str, ...]:
    rules = (instrument.response, instrument.remission, instrument.important_change)
    return tuple(rule.id for rule in rules if rule is not None)


def band(instrument: Instrument, total: float | None) -> str:
    """Return the severity band of a score, '' where there is none or no score."""
    named = (one.name for one in instrument.bands if total is not None and one.low <= total <= one.high)
    return next(named, "")


def _psqi(given: Mapping[str, Any]) -> Score:
    components, missing = psqi_components(given)
    total = None if missing else float(sum(components.values()))
    parts = {name: float(value) for name, value in components.items()}
    instrument = find("PSQI")
    return Score("PSQI", total, band(instrument, total), missing, "", parts, ("psqi-sum@1", *_rule_ids(instrument)))
