"""Whom the service does not answer for: intended use and contraindications, one row of a table per rule.

Each rule names its hazard in the risk file (H1 to H20). A refusal is an answer with `answered: false` and the
rule's code among its reasons, never an error: the request was well formed, the prediction would not be safe.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from serving.schemas import Person

ADULT = 18.0  # years; no cohort of minors is in the intended use
STALE_DAYS = 30.0  # oldest sample or score taken as "at baseline"
ANTIBIOTIC_DAYS = 90.0  # time the gut microbiota is taken to need after a course of antibiotics

#: Words in the name of an arm that mean living microbes are given, and words that mean they are not.
LIVE = (
    *("probiotic", "synbiotic", "ferment", "kefir", "yogurt", "yoghurt"),
    *("lactobac", "bifido", "fmt", "faecal", "fecal"),
)
SHAM = ("placebo", "sham")

#: Flag -> words of the arms it rules out; an empty tuple rules out every arm.
FLAGS: dict[str, tuple[str, ...]] = {
    "pregnancy": (),
    "eating_disorder": (),
    "bipolar": (),
    "psychosis": (),
    "under_18": (),
    "consent_withdrawn": (),
    "immunocompromised": LIVE,
    "central_line": LIVE,
    "intensive_care": LIVE,
    "pancreatitis": LIVE,
    "histamine_intolerance": ("ferment", "kefir", "yogurt", "yoghurt"),
    "milk_allergy": ("ferment", "kefir", "yogurt", "yoghurt"),
    "fodmap_intolerance": ("prebiotic", "fibre", "fiber", "inulin", "gos", "fos"),
    "coeliac_disease": ("wheat", "gluten"),
}


class Rule(NamedTuple):
    """A reason code, the hazard it controls, and the test of one person and arm."""

    code: str
    hazard: str
    applies: Callable[[Person, str], bool]


def _age(person: Person) -> float | None:
    value = person.lifestyle.get("age_years")
    return None if value is None or isinstance(value, str) else float(value)


def _minor(person: Person, arm: str) -> bool:
    age = _age(person)
    return "under_18" in person.flags or (age is not None and age < ADULT)


def _flag(name: str) -> Callable[[Person, str], bool]:
    words = FLAGS[name]
    return lambda person, arm: name in person.flags and (not words or _speaks_of(arm, words))


def _speaks_of(arm: str, words: tuple[str, ...]) -> bool:
    text = arm.lower()
    return any(word in text for word in words) and not any(word in text for word in SHAM)


def _sample_age(person: Person) -> float | None:
    return person.microbiome.sample_age_days if person.microbiome else None


def _older(days: float | None, limit: float) -> bool:
    return days is not None and days > limit


def _future(days: float | None) -> bool:
    """A negative age means: taken after treatment started."""
    return days is not None and days < 0


RULES: tuple[Rule, ...] = (
    Rule("under_18", "H6", _minor),
    Rule("pregnancy", "H6", _flag("pregnancy")),
    Rule("bipolar", "H6", _flag("bipolar")),
    Rule("psychosis", "H6", _flag("psychosis")),
    Rule("consent_withdrawn", "H18", _flag("consent_withdrawn")),
    Rule("eating_disorder", "H5", _flag("eating_disorder")),
    Rule("immunocompromised", "H3", _flag("immunocompromised")),
    Rule("central_line", "H3", _flag("central_line")),
    Rule("intensive_care", "H3", _flag("intensive_care")),
    Rule("pancreatitis", "H3", _flag("pancreatitis")),
    Rule("histamine_intolerance", "H4", _flag("histamine_intolerance")),
    Rule("milk_allergy", "H4", _flag("milk_allergy")),
    Rule("fodmap_intolerance", "H4", _flag("fodmap_intolerance")),
    Rule("coeliac_disease", "H4", _flag("coeliac_disease")),
    Rule("antibiotics_recent", "H11", lambda p, arm: _recent_antibiotics(p)),
    Rule("sample_too_old", "H10", lambda p, arm: _older(_sample_age(p), STALE_DAYS)),
    Rule("sample_after_start", "H10", lambda p, arm: _future(_sample_age(p))),
    Rule("baseline_too_old", "H10", lambda p, arm: _older(p.baseline.days_ago, STALE_DAYS)),
    Rule("baseline_after_start", "H10", lambda p, arm: _future(p.baseline.days_ago)),
)


def _recent_antibiotics(person: Person) -> bool:
    days = person.antibiotics_days_ago
    return days is not None and days < ANTIBIOTIC_DAYS


#: The rules that can apply to somebody without flags: most people have none.
_WITHOUT_FLAGS = tuple(rule for rule in RULES if rule.code not in FLAGS or rule.code == "under_18")


def refusals(person: Person, arm: str) -> list[str]:
    """Return the codes of all rules that forbid an answer for this person and arm, in the table's order."""
    rules = RULES if person.flags else _WITHOUT_FLAGS
    return [rule.code for rule in rules if rule.applies(person, arm)]
