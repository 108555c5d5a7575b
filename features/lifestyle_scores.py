"""Lifestyle scores from answers: adherence to a Mediterranean diet (MEDAS) and weekly exercise (IPAQ short
form).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from features.errors import InvalidInput, Problem

Answers = Mapping[str, float | None]


@dataclass(frozen=True)
class MedasItem:
    """One item of MEDAS: what is asked (amount per `unit`, or yes = 1) and when it earns its point."""

    unit: str
    earns: Callable[[float], bool]
    rule: str


# Rule id medas-14@1. Frame: 14 items of one point each; cut-offs by convention, and they differ between versions
# (pastry below 2 or below 3; high adherence from 9 or from 10).
MEDAS: Mapping[str, MedasItem] = {
    "olive_oil_main_fat": MedasItem("yes = 1", lambda x: x >= 1, "olive oil is the main fat"),
    "olive_oil": MedasItem("tablespoons/day", lambda x: x >= 4, "4 or more"),
    "vegetables": MedasItem("servings/day", lambda x: x >= 2, "2 or more"),
    "fruit": MedasItem("servings/day", lambda x: x >= 3, "3 or more"),
    "red_meat": MedasItem("servings/day", lambda x: x < 1, "less than 1"),
    "butter_cream": MedasItem("servings/day", lambda x: x < 1, "less than 1"),
    "sugary_drinks": MedasItem("servings/day", lambda x: x < 1, "less than 1"),
    "wine": MedasItem("glasses/week", lambda x: x >= 7, "7 or more"),
    "legumes": MedasItem("servings/week", lambda x: x >= 3, "3 or more"),
    "fish": MedasItem("servings/week", lambda x: x >= 3, "3 or more"),
    "pastry": MedasItem("servings/week", lambda x: x < 3, "less than 3"),
    "nuts": MedasItem("servings/week", lambda x: x >= 3, "3 or more"),
    "white_meat_preferred": MedasItem("yes = 1", lambda x: x >= 1, "white meat rather than red"),
    "sofrito": MedasItem("servings/week", lambda x: x >= 2, "2 or more"),
}


@dataclass(frozen=True)
class MedasScore:
    """Points out of 14, and out of 13 without the wine item; None where an answer is missing."""

    total: int | None
    without_wine: int | None
    missing: tuple[str, ...]


def medas(answers: Answers) -> MedasScore:
    """Return the MEDAS score of 14 answers; raises InvalidInput for unknown items and impossible amounts."""
    _refuse(_amount_problems(answers, dict.fromkeys(MEDAS, 100.0)))
    points = {name: int(item.earns(x)) for name, item in MEDAS.items() if (x := answers.get(name)) is not None}
    missing = tuple(name for name in MEDAS if name not in points)
    without = sum(points.values()) - points.get("wine", 0)
    return MedasScore(
        None if missing else sum(points.values()), without if not set(missing) - {"wine"} else None, missing
    )


# IPAQ short form, rules of the scoring protocol of 2005 (rule id ipaq-short@1): MET per activity; bouts below 10
# minutes do not count, more than 180 minutes a day are cut to 180, more than 960 in all are not believed.
IPAQ_MET: Mapping[str, float] = {"walking": 3.3, "moderate": 4.0, "vigorous": 8.0}
SHORTEST_BOUT, LONGEST_DAY, MOST_IN_A_DAY = 10.0, 180.0, 960.0


@dataclass(frozen=True)
class IpaqScore:
    """Weekly activity in MET-min, None where an answer is missing; `truncated` are activities cut to 180
    min/day.
    """

    met_min_week: float | None
    missing: tuple[str, ...]
    truncated: tuple[str, ...]


def ipaq(answers: Answers) -> IpaqScore:
    """Return MET-min/week from `walking_days`, `walking_min`, ... (days per week, minutes per such day).

    No days need no minutes. Raises InvalidInput for unknown items, impossible amounts, and days that sum to
    more than 16 hours of activity.
    """
    limits = {f"{name}_days": 7.0 for name in IPAQ_MET} | {f"{name}_min": 1440.0 for name in IPAQ_MET}
    _refuse(_amount_problems(answers, limits))
    _refuse(_day_too_long(answers))
    days = {name: answers.get(f"{name}_days") for name in IPAQ_MET}
    minutes = {name: 0.0 if days[name] == 0 else answers.get(f"{name}_min") for name in IPAQ_MET}
    missing = tuple(
        f"{name}_{part}" for name in IPAQ_MET for part, had in (("days", days), ("min", minutes)) if had[name] is None
    )
    truncated = tuple(name for name, m in minutes.items() if m is not None and m > LONGEST_DAY)
    if missing:
        return IpaqScore(None, missing, truncated)
    total = sum(met * (days[name] or 0.0) * _counted(minutes[name] or 0.0) for name, met in IPAQ_MET.items())
    return IpaqScore(total, (), truncated)


def _counted(minutes: float) -> float:
    return 0.0 if minutes < SHORTEST_BOUT else min(minutes, LONGEST_DAY)


def _day_too_long(answers: Answers) -> Iterator[Problem]:
    if sum(answers.get(f"{name}_min") or 0.0 for name in IPAQ_MET) > MOST_IN_A_DAY:
        message = "the minutes of a day add up to more than 16 hours"
        yield Problem("day_too_long", message, "Give minutes per day, not per week", column="walking_min")


def _amount_problems(answers: Answers, limits: Mapping[str, float]) -> Iterator[Problem]:
    for name, amount in answers.items():
        if name not in limits:
            yield Problem("unknown_item", "the form has no such item", f"Items: {', '.join(limits)}", column=name)
        elif amount is None:
            continue
        elif isinstance(amount, bool) or not isinstance(amount, (int, float)):
            yield Problem("not_an_answer", "the answer is not a number", "Give an amount", column=name)
        elif not 0 <= amount <= limits[name]:
            remedy = f"Give 0 to {limits[name]:g}"
            yield Problem("answer_out_of_range", "the amount is not possible", remedy, column=name)


def _refuse(problems: Iterator[Problem]) -> None:
    found = list(problems)
    if found:
        raise InvalidInput(found)


SCORERS: Mapping[str, Callable[[Answers], MedasScore | IpaqScore]] = {"medas": medas, "ipaq": ipaq}
