"""The seven components of the Pittsburgh sleep quality index, by its published rules.

Questions go by what they ask, not by number: two printed forms number the last four differently. Source:
Buysse 1989, doi 10.1016/0165-1781(89)90047-4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from features.errors import InvalidInput, Problem

PSQI_SOURCE = "Buysse 1989, doi 10.1016/0165-1781(89)90047-4"
DISTURBANCES = tuple(f"disturbance_{letter}" for letter in "bcdefghij")
_GRADES = ("disturbance_a", *DISTURBANCES, "quality", "medication", "awake", "enthusiasm")
_NUMBERS = {"latency_min": (0, 600), "sleep_hours": (0, 24)}
_CLOCKS = ("bed_time", "rise_time")
KEYS = (*_CLOCKS, *_NUMBERS, *_GRADES)
# Question 5j asks for another reason: blank means that there is none.
_MAY_BE_BLANK = "disturbance_j"
_CLOCK = re.compile(r"^([01]?\d|2[0-3]):([0-5]\d)$")


def psqi_components(answers: Mapping[str, Any]) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return component -> 0 to 3, and the keys that are missing (then there are no components).

    Keys: `bed_time`, `rise_time` (`23:30`), `latency_min`, `sleep_hours`, `disturbance_a` to `_j`, `quality`,
    `medication`, `awake`, `enthusiasm` (0 to 3). Raises InvalidInput with every problem.
    """
    problems = list(_problems(answers))
    if problems:
        raise InvalidInput(problems)
    missing = tuple(key for key in KEYS if answers.get(key) is None and key != _MAY_BE_BLANK)
    return ({}, missing) if missing else (_components(answers), ())


def _components(a: Mapping[str, Any]) -> dict[str, int]:
    latency = _grade(a["latency_min"], 15, 30, 60)
    disturbance = sum(a.get(key) or 0 for key in DISTURBANCES)
    efficiency = 100.0 * a["sleep_hours"] / _hours_in_bed(a)
    return {
        "quality": a["quality"],
        "latency": _grade(latency + a["disturbance_a"], 0, 2, 4),
        "duration": 3 - sum((a["sleep_hours"] >= 5, a["sleep_hours"] >= 6, a["sleep_hours"] > 7)),
        "efficiency": 3 - sum((efficiency >= 65, efficiency >= 75, efficiency >= 85)),
        "disturbances": _grade(disturbance, 0, 9, 18),
        "medication": a["medication"],
        "daytime": _grade(a["awake"] + a["enthusiasm"], 0, 2, 4),
    }


def _grade(value: float, *edges: float) -> int:
    """How many edges the value lies above."""
    return sum(value > edge for edge in edges)


def _hours_in_bed(answers: Mapping[str, Any]) -> float:
    bed, rise = (_minutes(answers[key]) for key in _CLOCKS)
    return ((rise - bed) % 1440 or 1440) / 60.0


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _problems(answers: Mapping[str, Any]) -> Iterator[Problem]:
    for key, answer in answers.items():
        if key not in KEYS:
            yield Problem("unknown_item", "the form has no such item", f"Items: {', '.join(KEYS)}", column=key)
        elif answer is not None:
            yield from _answer_problems(key, answer)
    if not any(answers.get(key) is None for key in (*_CLOCKS, "sleep_hours")):
        yield from _contradiction(answers)


def _answer_problems(key: str, answer: object) -> Iterator[Problem]:
    if key in _CLOCKS:
        if not isinstance(answer, str) or not _CLOCK.match(answer):
            yield Problem("not_a_time", "the answer is not a time of day", "Write it as 23:30", column=key)
        return
    low, high = _NUMBERS.get(key, (0, 3))
    kinds = (int, float) if key in _NUMBERS else (int,)
    if isinstance(answer, bool) or not isinstance(answer, kinds):
        yield Problem("not_an_answer", "the answer is not a number of the right kind", "Give points", column=key)
    elif not low <= answer <= high:
        remedy = f"Give {low} to {high}"
        yield Problem("answer_out_of_range", "the answer is outside the item's range", remedy, column=key)


def _contradiction(answers: Mapping[str, Any]) -> Iterator[Problem]:
    usable = all(isinstance(answers[key], str) and _CLOCK.match(answers[key]) for key in _CLOCKS)
    hours = answers["sleep_hours"]
    if usable and isinstance(hours, (int, float)) and hours > _hours_in_bed(answers):
        message = "the hours slept are more than the hours in bed"
        yield Problem("sleep_exceeds_bed", message, "Check the two times and the hours", column="sleep_hours")
