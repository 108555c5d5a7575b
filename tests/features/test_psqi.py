"""PSQI components and totals, worked out by hand, edge by edge."""

import pytest

from features.errors import InvalidInput
from features.psqi import psqi_components
from features.scoring import score

GOOD = {
    "bed_time": "23:00", "rise_time": "07:00", "latency_min": 10, "sleep_hours": 7.5,
    **{f"disturbance_{letter}": 0 for letter in "abcdefghij"},
    "quality": 0, "medication": 0, "awake": 0, "enthusiasm": 0,
}  # fmt: skip
# What is changed, the component it moves, and its points.
CASES = [
    ({}, "quality", 0),
    ({"quality": 3}, "quality", 3),
    ({"latency_min": 15}, "latency", 0),
    ({"latency_min": 16}, "latency", 1),
    ({"latency_min": 30}, "latency", 1),
    ({"latency_min": 31}, "latency", 1),
    ({"latency_min": 60}, "latency", 1),
    ({"latency_min": 61}, "latency", 2),
    ({"latency_min": 16, "disturbance_a": 1}, "latency", 1),
    ({"latency_min": 31, "disturbance_a": 1}, "latency", 2),
    ({"latency_min": 31, "disturbance_a": 2}, "latency", 2),
    ({"latency_min": 61, "disturbance_a": 2}, "latency", 3),
    ({"latency_min": 61, "disturbance_a": 3}, "latency", 3),
    ({"disturbance_a": 3}, "latency", 2),
    ({"sleep_hours": 7.1}, "duration", 0),
    ({"sleep_hours": 7}, "duration", 1),
    ({"sleep_hours": 6}, "duration", 1),
    ({"sleep_hours": 5.9}, "duration", 2),
    ({"sleep_hours": 5}, "duration", 2),
    ({"sleep_hours": 4.9}, "duration", 3),
    ({"sleep_hours": 6.8}, "efficiency", 0),
    ({"sleep_hours": 6.7}, "efficiency", 1),
    ({"sleep_hours": 6}, "efficiency", 1),
    ({"sleep_hours": 5.9}, "efficiency", 2),
    ({"sleep_hours": 5.2}, "efficiency", 2),
    ({"sleep_hours": 5.1}, "efficiency", 3),
    ({"bed_time": "0:30", "rise_time": "10:30"}, "efficiency", 1),
    ({"bed_time": "22:00", "rise_time": "06:00"}, "efficiency", 0),
    ({"disturbance_b": 1}, "disturbances", 1),
    ({f"disturbance_{letter}": 1 for letter in "bcdefghij"}, "disturbances", 1),
    ({f"disturbance_{letter}": 1 for letter in "bcdefghi"} | {"disturbance_j": 2}, "disturbances", 2),
    ({f"disturbance_{letter}": 2 for letter in "bcdefghij"}, "disturbances", 2),
    ({f"disturbance_{letter}": 2 for letter in "bcdefghi"} | {"disturbance_j": 3}, "disturbances", 3),
    ({f"disturbance_{letter}": 3 for letter in "bcdefghij"}, "disturbances", 3),
    ({"disturbance_j": None}, "disturbances", 0),
    ({"medication": 2}, "medication", 2),
    ({"awake": 1}, "daytime", 1),
    ({"awake": 1, "enthusiasm": 1}, "daytime", 1),
    ({"awake": 2, "enthusiasm": 1}, "daytime", 2),
    ({"awake": 2, "enthusiasm": 2}, "daytime", 2),
    ({"awake": 3, "enthusiasm": 2}, "daytime", 3),
    ({"awake": 3, "enthusiasm": 3}, "daytime", 3),
]


@pytest.mark.parametrize(("change", "component", "points"), CASES)
def test_components(change, component, points):
    components, missing = psqi_components(GOOD | change)
    assert (components[component], missing) == (points, ())


def test_totals():
    (best,) = score("psqi", GOOD)
    assert (best.total, best.band) == (0, "good sleep")
    worst = GOOD | {f"disturbance_{letter}": 3 for letter in "abcdefghij"}
    worst |= {"latency_min": 90, "sleep_hours": 3, "quality": 3, "medication": 3, "awake": 3, "enthusiasm": 3}
    (bad,) = score("psqi", worst)
    assert (bad.total, bad.band) == (21, "poor sleep")
    # latency 2, duration 1, efficiency 1, disturbances 1, quality 1: six is poor sleep.
    mixed = GOOD | {"latency_min": 45, "disturbance_a": 1, "sleep_hours": 6, "disturbance_b": 2, "quality": 1}
    (one,) = score("psqi", mixed)
    assert (one.total, one.band) == (6, "poor sleep")


@pytest.mark.parametrize("key", sorted(set(GOOD) - {"disturbance_j"}))
def test_any_missing_answer_leaves_the_score_blank(key):
    (one,) = score("psqi", GOOD | {key: None})
    assert (one.total, one.band, one.missing) == (None, "", (key,))


@pytest.mark.parametrize(
    ("change", "code", "column"),
    [
        ({"bed_time": "25:00"}, "not_a_time", "bed_time"),
        ({"bed_time": 23}, "not_a_time", "bed_time"),
        ({"quality": 4}, "answer_out_of_range", "quality"),
        ({"quality": 1.5}, "not_an_answer", "quality"),
        ({"awake": True}, "not_an_answer", "awake"),
        ({"latency_min": -1}, "answer_out_of_range", "latency_min"),
        ({"sleep_hours": 25}, "answer_out_of_range", "sleep_hours"),
        ({"sleep_hours": 9}, "sleep_exceeds_bed", "sleep_hours"),
        ({"5a": 1}, "unknown_item", "5a"),
    ],
)
def test_bad_answers(change, code, column):
    with pytest.raises(InvalidInput) as caught:
        psqi_components(GOOD | change)
    assert (code, column) in [(problem.code, problem.column) for problem in caught.value.problems]
