"""What trials have published, as prior means of the additive model: for small cohorts, named, sourced, switchable.

Sixty people tell little of how strongly scores regress to the mean or how far an arm moves them; published trials tell more. An
effect that no source states has no prior mean. The data outweigh these priors as a cohort grows; from `SMALL` people they are off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from features.encoding import POOLED, Encoding

SMALL = 400  # people from which a cohort speaks for itself
Known = Mapping[str, tuple[float, float]]
"""`block:column` -> prior mean and sd of that column's weight, in points of the outcome."""


@dataclass(frozen=True)
class Published:
    """A published effect: its mean, the sd of what is not known of it, and where it stands."""

    mean: float
    sd: float
    source: str


@dataclass(frozen=True)
class Literature:
    """A named set of published effects.

    `slopes`: per instrument, points of change per point of baseline in the comparator (regression to the mean). `arms`: per
    construct and kind of arm, the standardised mean difference of change against placebo or usual care.
    """

    name: str
    slopes: Mapping[str, Published]
    arms: Mapping[str, Mapping[str, Published]]


_LIU = "Liu 2019, Neurosci Biobehav Rev 102:13"
_FIRTH = "Firth 2019, Psychosom Med 81:265"
GUT_BRAIN = Literature(
    "gut-brain-1",
    {"PHQ-9": Published(-0.38, 0.12, "between 0.5, the customary pre-post correlation, and the two-week retest correlation 0.737 "
                                     "(Sun 2020, BMC Psychiatry 20:474), a ceiling for longer times; slope = correlation - 1")},
    {
        "depression": {
            "probiotic": Published(-0.24, 0.12, f"{_LIU}: d 0.24; -0.13 in Ng 2018, J Affect Disord 228:13; 0.41 in depressed samples, "
                                                "Hofmeister 2021, CMAJ Open 9:E1195"),
            "prebiotic": Published(-0.2, 0.15, f"{_LIU}: d 0.08, not significant; 0.39 in 3 trials of depressed samples, "
                                               "Hofmeister 2021, CMAJ Open 9:E1195; midpoint"),
            "diet": Published(-0.275, 0.1, f"{_FIRTH}: g 0.275, 95 % CI 0.10 to 0.45"),
        },
        "anxiety": {
            "probiotic": Published(-0.10, 0.1, f"{_LIU}: d 0.10"),
            "prebiotic": Published(0.12, 0.15, f"{_LIU}: d -0.12, not significant"),
            "diet": Published(-0.10, 0.1, f"{_FIRTH}: g 0.100, 95 % CI -0.04 to 0.24"),
        },
    },
)  # fmt: skip
LITERATURE: Mapping[str, Literature] = {GUT_BRAIN.name: GUT_BRAIN}
CONSTRUCTS: Mapping[str, str] = {
    **dict.fromkeys(("PHQ-9", "HAM-D17", "MADRS", "BDI-II", "HADS-D", "DASS-21 depression"), "depression"),
    **dict.fromkeys(("GAD-7", "HADS-A", "STAI-total", "DASS-21 anxiety"), "anxiety"),
}
# The first kind whose word stands in an arm's name; a synbiotic is neither, and no pooled trial effect covers it.
KINDS: tuple[tuple[str, str], ...] = (
    ("synbiotic", ""), ("prebiotic", "prebiotic"), ("probiotic", "probiotic"), ("mediterranean", "diet"), ("diet", "diet"),
)  # fmt: skip
COMPARATORS = ("placebo", "sham", "control", "usual", "wait")


def kind_of(arm: str) -> str:
    """Return the kind of intervention an arm's name speaks of, "" where it names none that is sourced."""
    return next((kind for word, kind in KINDS if word in arm.lower()), "")


def known_effects(literature: Literature | None, instrument: str, encoding: Encoding) -> Known:
    """Return the prior means of an encoding's columns; empty where nothing is sourced.

    The scale of a standardised difference is the baseline's sd in the training rows. An arm's effect is coded as a shared
    column and one of its own: the mean goes to the own one. The shared one has an entry only where every arm is sourced.
    """
    found: dict[str, tuple[float, float]] = {}
    if literature is None:
        return found
    if instrument in literature.slopes:
        slope = literature.slopes[instrument]
        found["base:baseline"] = (slope.mean * encoding.baseline_scale, slope.sd * encoding.baseline_scale)
    sourced = published_arms(literature, instrument, encoding.arms, encoding.comparator)
    for arm, effect in sourced.items():
        scale = encoding.baseline_scale
        found[f"arm:{arm}"] = (effect.mean * scale / np.sqrt(1.0 - POOLED), effect.sd * scale)
    if sourced and len(sourced) == len(encoding.arms) - 1:
        found["arm:any active arm"] = (0.0, max(effect.sd for effect in sourced.values()) * encoding.baseline_scale)
    return found


def effects_for(literature: Literature, instrument: str, arms: Sequence[str], comparator: str) -> dict[str, Published]:
    """Return every effect the set has for an instrument and the arms of a trial, by what it is an effect of."""
    found = {f"arm {arm}": effect for arm, effect in published_arms(literature, instrument, arms, comparator).items()}
    if instrument in literature.slopes:
        found["change per point of baseline"] = literature.slopes[instrument]
    return found


def published_arms(
    literature: Literature, instrument: str, arms: Sequence[str], comparator: str
) -> dict[str, Published]:
    """Return the published effect of each arm that has one; none where the comparator is not a placebo or usual care."""
    table = literature.arms.get(CONSTRUCTS.get(instrument, ""), {})
    if not any(word in comparator.lower() for word in COMPARATORS):
        return {}
    return {arm: table[kind_of(arm)] for arm in arms if arm != comparator and kind_of(arm) in table}
