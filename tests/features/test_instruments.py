"""Instruments: ranges, directions and thresholds against hand-computed answers."""

import numpy as np
import pytest

from features.instruments import (
    ALIASES,
    INSTRUMENTS,
    find,
    reachable,
    remission_threshold,
    response_threshold,
)

ISSUE = [
    "PHQ-9",
    "GAD-7",
    "HAM-D17",
    "MADRS",
    "BDI-II",
    "PSS-10",
    "WHO-5",
    "GSRS",
    "PSQI",
    "HADS-A",
    "HADS-D",
    "HBI",
    "SCCAI",
    "PDAI",
    "IBS-SSS",
    "CDAI",
]


def test_every_named_instrument_is_there():
    assert set(ISSUE) <= set(INSTRUMENTS)
    assert {f"DASS-21 {part}" for part in ("depression", "anxiety", "stress")} <= set(INSTRUMENTS)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("PHQ-9", 0, 27),
        ("GAD-7", 0, 21),
        ("HAM-D17", 0, 52),
        ("MADRS", 0, 60),
        ("BDI-II", 0, 63),
        ("PSS-10", 0, 40),
        ("DASS-21 stress", 0, 42),
        ("WHO-5", 0, 100),
        ("GSRS", 1, 7),
        ("PSQI", 0, 21),
        ("HADS-A", 0, 21),
        ("SCCAI", 0, 19),
        ("PDAI", 0, 18),
        ("IBS-SSS", 0, 500),
        ("HBI", 0, np.inf),
        ("CDAI", -np.inf, np.inf),
        ("cortisol_ug_dl", -np.inf, np.inf),
    ],
)
def test_reachable_range(name, low, high):
    assert reachable(find(name)) == (low, high)


@pytest.mark.parametrize("instrument", [i for i in INSTRUMENTS.values() if i.bands], ids=lambda i: i.name)
def test_bands_cover_the_range_once(instrument):
    assert instrument.bands[0].low == instrument.low
    assert instrument.bands[-1].high == instrument.high
    for before, after in zip(instrument.bands, instrument.bands[1:], strict=False):
        assert after.low == before.high + 1


@pytest.mark.parametrize(
    ("name", "score", "band"),
    [
        ("PHQ-9", 14, "moderate"),
        ("PHQ-9", 15, "moderately severe"),
        ("GAD-7", 4, "minimal"),
        ("MADRS", 35, "severe"),
        ("BDI-II", 28, "moderate"),
        ("HAM-D17", 23, "very severe"),
        ("DASS-21 anxiety", 9, "mild"),
        ("DASS-21 stress", 34, "extremely severe"),
        ("PSQI", 6, "poor sleep"),
        ("HADS-D", 10, "borderline"),
    ],
)
def test_bands_by_hand(name, score, band):
    assert [b.name for b in find(name).bands if b.low <= score <= b.high] == [band]


def test_half_of_baseline_is_response():
    assert response_threshold(find("PHQ-9"), np.array([14.0, 15.0, 0.0, np.nan])) == pytest.approx(
        [7.0, 7.5, np.nan, np.nan], nan_ok=True
    )


def test_a_drop_of_a_hundred_points_is_response_on_the_cdai():
    assert response_threshold(find("CDAI"), 400.0) == 300.0


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("PHQ-9", 4, 5),
        ("GAD-7", 4, 5),
        ("HAM-D17", 7, 8),
        ("MADRS", 12, 13),
        ("BDI-II", 13, 14),
        ("HADS-A", 7, 8),
        ("HBI", 4, 5),
        ("SCCAI", 2, 3),
        ("PDAI", 6, 7),
        ("CDAI", 149.9, 150),
    ],
)
def test_remission_by_hand(name, inside, outside):
    cut = remission_threshold(find(name))
    assert inside <= cut < outside


@pytest.mark.parametrize("name", ["PSS-10", "DASS-21 stress", "WHO-5", "PSQI", "IL-6"])
def test_no_rule_means_none(name):
    assert response_threshold(find(name), 10.0) is None
    assert remission_threshold(find(name)) is None


def test_higher_is_better_where_it_is():
    assert [find(n).lower_is_better for n in ("WHO-5", "MoCA", "PHQ-9", "biomarker")] == [
        False,
        False,
        True,
        None,
    ]


def test_self_harm_items():
    assert {i.name: i.self_harm_item for i in INSTRUMENTS.values() if i.self_harm_item} == {
        "PHQ-9": 9,
        "HAM-D17": 3,
        "MADRS": 10,
        "BDI-II": 9,
    }


@pytest.mark.parametrize(("alias", "name"), sorted(ALIASES.items()))
def test_aliases_lead_to_an_instrument(alias, name):
    assert find(alias) is INSTRUMENTS[name]


@pytest.mark.parametrize("text", ["phq9", "PHQ_9", " phq-9 ", "PHQ 9"])
def test_names_are_found_whatever_their_punctuation(text):
    assert find(text).name == "PHQ-9"


def test_an_unknown_name_is_a_biomarker_without_rules():
    found = find("olink_IL6")
    assert (found.name, found.bands, found.response, found.low) == ("olink_IL6", (), None, None)


def test_every_rule_has_an_id_a_source_and_a_status():
    rules = [r for i in INSTRUMENTS.values() for r in (i.response, i.remission, i.important_change) if r]
    assert len({r.id for r in rules}) == len(rules)
    assert all(r.source and r.status in ("verified", "convention") and r.id.endswith("@1") for r in rules)
    assert find("PHQ-9").response.id == "phq9-response-50@1"
