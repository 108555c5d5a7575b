"""Questionnaires and indices: range, direction, bands, and when a person counts as responder or remitted.

Every rule has an id (`phq9-response-50@1`), a source and a status: `verified` (read in the source) or
`convention` (in wide use, or weak evidence). Item wording is not part of this table. Any other named
numeric outcome, a biomarker for example, is an Instrument without range, direction or rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Rule:
    """A threshold with its source.

    `measure` says what `amount` is: `share` of the baseline's distance from the best score, `points` of
    change, or a `score` that is itself still inside (`at or below`; `at or above` where higher is better).
    """

    id: str
    amount: float
    measure: str
    source: str
    status: str = "convention"


@dataclass(frozen=True)
class Band:
    """A severity band: scores from `low` to `high`, both included."""

    low: float
    high: float
    name: str


@dataclass(frozen=True)
class Instrument:
    """One score: its range in points (None = no bound), direction, bands and rules.

    `scales` maps a scale id to the factor that turns a score on it into this instrument's points; with more
    than one scale a score is ambiguous unless its scale is named. `step` is the distance between two
    possible scores (None = continuous). `lower_is_better` is None where the direction is not known (a
    biomarker). `self_harm_item` is the number of the item that asks about self-harm.
    """

    name: str
    low: float | None = None
    high: float | None = None
    lower_is_better: bool | None = None
    step: float | None = None
    bands: tuple[Band, ...] = ()
    response: Rule | None = None
    remission: Rule | None = None
    important_change: Rule | None = None
    self_harm_item: int | None = None
    scales: Mapping[str, float] = field(default_factory=dict)
    loinc: str = ""
    source: str = ""


def _bands(key: str, *edges: float) -> tuple[Band, ...]:
    """`edges` are the lowest score of each band after the first, then the highest score of all."""
    names = BAND_NAMES[key]
    lows = (0.0, *edges[:-1])
    highs = (*(edge - 1 for edge in edges[:-1]), edges[-1])
    return tuple(Band(low, high, name) for low, high, name in zip(lows, highs, names, strict=True))


BAND_NAMES: Mapping[str, tuple[str, ...]] = {
    "five": ("minimal", "mild", "moderate", "moderately severe", "severe"),
    "four": ("minimal", "mild", "moderate", "severe"),
    "hamd": ("none", "mild", "moderate", "severe", "very severe"),
    "madrs": ("none", "mild", "moderate", "severe"),
    "three": ("low", "moderate", "high"),
    "dass": ("normal", "mild", "moderate", "severe", "extremely severe"),
    "hads": ("normal", "borderline", "abnormal"),
    "who5": ("low, depression likely", "low", "not low"),
    "psqi": ("good sleep", "poor sleep"),
}  # fmt: skip
_HALF = "at least 50 % lower than baseline"


def _half(prefix: str, status: str = "verified") -> Rule:
    return Rule(f"{prefix}-response-50@1", 0.5, "share", _HALF, status)


def _cut(key: str, last: float, source: str, status: str = "convention") -> Rule:
    return Rule(f"{key}-remission@1", last, "score", source, status)


def _mic(prefix: str, amount: float, source: str, status: str = "convention", measure: str = "points") -> Rule:
    return Rule(f"{prefix}-important-change@1", amount, measure, source, status)


_V = "verified"
_DASS_SCALES = {"dass21-doubled": 1.0, "dass21-raw": 2.0}


def _dass(part: str, *edges: float) -> Instrument:
    return Instrument(
        f"DASS-21 {part}", 0, 42, True, 2, _bands("dass", *edges), scales=_DASS_SCALES,
        source="doubled subscale scores 0-42; no agreed important change, response or remission",
    )  # fmt: skip


def _hads(part: str) -> Instrument:
    key = f"hads-{part.lower()}"
    return Instrument(
        f"HADS-{part}", 0, 21, True, 1, _bands("hads", 8, 11, 21), None, _cut(key, 7, "below 8"),
        _mic(key, 1.7, "1.5-1.7 points, weak evidence; the upper figure"),
    )  # fmt: skip


_TABLE = (
    Instrument(
        "PHQ-9", 0, 27, True, 1, _bands("five", 5, 10, 15, 20, 27), _half("phq9"),
        _cut("phq9", 4, "below 5", _V), _mic("phq9", 5, "5 points"), 9, loinc="44261-6",
        source="nine items 0-3; the tenth, on difficulty, is not summed",
    ),
    Instrument(
        "GAD-7", 0, 21, True, 1, _bands("four", 5, 10, 15, 21), _half("gad7", "convention"),
        _cut("gad7", 4, "below 5"), _mic("gad7", 4, "4 points (Toussaint 2020)", _V), loinc="70274-6",
        source="seven items 0-3",
    ),
    Instrument(
        "HAM-D17", 0, 52, True, 1, _bands("hamd", 8, 14, 19, 23, 52), _half("hamd17"),
        _cut("hamd17", 7, "7 or below", _V), _mic("hamd17", 3, "3-5 points most likely; the lower", _V), 3,
        source="clinician rated; nine items 0-4 and eight 0-2",
    ),
    Instrument(
        "MADRS", 0, 60, True, 1, _bands("madrs", 7, 20, 35, 60), _half("madrs"),
        _cut("madrs", 12, "12 or below (10 or below is in use too)", _V),
        _mic("madrs", 3, "3-6 points (Hengartner 2021); the lower figure", _V), 10,
        source="clinician rated; ten items 0-6",
    ),
    Instrument(
        "BDI-II", 0, 63, True, 1, _bands("four", 14, 20, 29, 63), _half("bdi2"),
        _cut("bdi2", 13, "13 or below"),
        _mic("bdi2", 0.175, "17.5 % of baseline (Button 2015)", measure="share"), 9, loinc="89209-1",
        source="21 items 0-3; proprietary",
    ),
    Instrument(
        "PSS-10", 0, 40, True, 1, _bands("three", 14, 27, 40), None, None,
        _mic("pss10", 11, "11 points (n = 64, work stress)", _V),
        source="ten items 0-4, items 4, 5, 7 and 8 reversed; bands are a convention, not validated",
    ),
    _dass("depression", 10, 14, 21, 28, 42),
    _dass("anxiety", 8, 10, 15, 20, 42),
    _dass("stress", 15, 19, 26, 34, 42),
    Instrument(
        "WHO-5", 0, 100, False, 4, _bands("who5", 29, 51, 100), None, None,
        _mic("who5", 10, "10 points on 0-100", _V), scales={"who5-percent": 1.0, "who5-raw": 4.0},
        source="five items 0-5, sum times four; higher is better",
    ),
    Instrument(
        "GSRS", 1, 7, True, None, (), None, None, _mic("gsrs", 0.5, "about 0.5 per domain, weak evidence"),
        scales={"gsrs-mean-1-7": 1.0, "gsrs-sum-15-105": 1.0 / 15.0},
        source="mean of 15 items 1-7; older interview form 0-3 is another instrument (GSRS-interview)",
    ),
    Instrument("GSRS-interview", 0, 45, True, 1, source="older interview form, sum of 15 items 0-3"),
    Instrument("PSQI", 0, 21, True, 1, _bands("psqi", 6, 21), None, None, _mic("psqi", 3, "3 points"),
               source="seven components 0-3; above 5 is poor sleep"),
    _hads("A"),
    _hads("D"),
    Instrument("HBI", 0, None, True, 1, (), None, _cut("hbi", 4, "below 5", _V), source="Harvey-Bradshaw"),
    Instrument("SCCAI", 0, 19, True, 1, (), None, _cut("sccai", 2, "2 or below"),
               source="simple clinical colitis activity index"),
    Instrument(
        "PDAI", 0, 18, True, 1, (), None,
        _cut("pdai", 6, "below 7 (MicroPouch trial, doi 10.1093/ecco-jcc/jjae066)", _V),
        source="pouchitis disease activity index",
    ),
    Instrument("PDAI-clinical", 0, 6, True, 1, source="the four clinical items of the PDAI"),
    Instrument(
        "CDAI", None, None, True, None, (),
        Rule("cdai-response-100@1", 100, "points", "a drop of at least 100 points"),
        _cut("cdai", float(np.nextafter(150.0, 0.0)), "below 150", _V),
        source="Crohn's disease activity index, about 0-600; some terms can pass either end",
    ),
    Instrument("IBS-SSS", 0, 500, True, None, source="IBS symptom severity score, five items 0-100"),
    Instrument("BASDAI", 0, 10, True, None, source="Bath ankylosing spondylitis disease activity index"),
    Instrument("STAI-total", 40, 160, True, 1, source="state and trait anxiety together, 40 items 1-4"),
    Instrument("FSS", 1, 7, True, None, source="fatigue severity scale, mean of items 1-7"),
    Instrument("Apathy", 0, 42, True, 1, source="apathy scale"),
    Instrument("MoCA", 0, 30, False, 1, source="Montreal cognitive assessment; higher is better"),
    Instrument("ATEC", 0, 180, True, 1, source="autism treatment evaluation checklist"),
)  # fmt: skip
INSTRUMENTS: Mapping[str, Instrument] = {entry.name: entry for entry in _TABLE}
ALIASES: dict[str, str] = {
    "PHQ": "PHQ-9", "GAD": "GAD-7", "HAM-D": "HAM-D17", "HDRS": "HAM-D17", "HDRS-17": "HAM-D17",
    "HRSD": "HAM-D17", "BDI": "BDI-II", "BDI-2": "BDI-II", "PSS": "PSS-10", "STAI": "STAI-total",
    "DASS-21-D": "DASS-21 depression", "DASS-21-A": "DASS-21 anxiety", "DASS-21-S": "DASS-21 stress",
    "HADS anxiety": "HADS-A", "HADS depression": "HADS-D", "Harvey-Bradshaw index": "HBI",
}  # fmt: skip


@lru_cache(maxsize=4096)
def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


_NAMES = {**ALIASES, **{name: name for name in INSTRUMENTS}}
_BY_PLAIN_NAME = {_plain(text): name for text, name in _NAMES.items()}


def find(name: str) -> Instrument:
    """Return the instrument of a name or alias (case, punctuation aside), or one without rules or range."""
    known = _BY_PLAIN_NAME.get(_plain(name))
    return INSTRUMENTS[known] if known else Instrument(name)


def reachable(instrument: Instrument) -> tuple[float, float]:
    """Return the lowest and highest possible score; infinite where the instrument has no bound."""
    low, high = instrument.low, instrument.high
    return -np.inf if low is None else float(low), np.inf if high is None else float(high)


def response_threshold(instrument: Instrument, baseline: npt.ArrayLike) -> Array | None:
    """Return the follow-up score at or below which (above, where higher is better) a person counts as
    responder.

    Shaped like `baseline`; None where no rule is defined; NaN where nobody can respond (already at the best
    score) or the baseline is NaN.
    """
    rule = instrument.response
    if rule is None:
        return None
    start = np.asarray(baseline, dtype=float)
    low, high = reachable(instrument)
    best, sign = (low, -1.0) if instrument.lower_is_better else (high, 1.0)
    gain = rule.amount * np.abs(start - best) if rule.measure == "share" else np.full(start.shape, rule.amount)
    return np.where((gain > 0) & ~np.isnan(start), start + sign * gain, np.nan)


def remission_threshold(instrument: Instrument) -> float | None:
    """Return the follow-up score at or below which (above, where higher is better) a person is in
    remission.
    """
    return None if instrument.remission is None else instrument.remission.amount
