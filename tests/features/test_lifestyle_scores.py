"""MEDAS and IPAQ by hand."""

import pytest

from features.errors import InvalidInput
from features.lifestyle_scores import MEDAS, ipaq, medas

BEST = {
    "olive_oil_main_fat": 1, "olive_oil": 4, "vegetables": 2, "fruit": 3, "red_meat": 0, "butter_cream": 0,
    "sugary_drinks": 0, "wine": 7, "legumes": 3, "fish": 3, "pastry": 2, "nuts": 3, "white_meat_preferred": 1,
    "sofrito": 2,
}  # fmt: skip
JUST_SHORT = {
    "olive_oil_main_fat": 0, "olive_oil": 3.5, "vegetables": 1.9, "fruit": 2, "red_meat": 1, "butter_cream": 1,
    "sugary_drinks": 1, "wine": 6, "legumes": 2, "fish": 2, "pastry": 3, "nuts": 2, "white_meat_preferred": 0,
    "sofrito": 1,
}  # fmt: skip
STILL = {"walking_days": 0, "moderate_days": 0, "vigorous_days": 0}


def test_the_best_diet_has_14_points_and_one_just_short_has_none():
    assert (medas(BEST).total, medas(BEST).without_wine) == (14, 13)
    assert (medas(JUST_SHORT).total, medas(JUST_SHORT).without_wine) == (0, 0)


@pytest.mark.parametrize("item", MEDAS)
def test_each_item_is_worth_one_point(item):
    assert medas(BEST | {item: JUST_SHORT[item]}).total == 13
    assert medas(JUST_SHORT | {item: BEST[item]}).total == 1


def test_a_missing_answer_leaves_the_score_blank_and_wine_is_scored_apart():
    assert medas(BEST | {"wine": None}) == medas({name: x for name, x in BEST.items() if name != "wine"})
    assert (medas(BEST | {"wine": None}).total, medas(BEST | {"wine": None}).without_wine) == (None, 13)
    assert medas(BEST | {"fish": None}).without_wine is None
    assert medas(BEST | {"fish": None}).missing == ("fish",)


@pytest.mark.parametrize(
    ("answers", "met"),
    [
        ({}, 0),
        ({"walking_days": 5, "walking_min": 30}, 495),  # 3.3 x 5 x 30
        ({"moderate_days": 3, "moderate_min": 40}, 480),  # 4 x 3 x 40
        ({"vigorous_days": 2, "vigorous_min": 60}, 960),  # 8 x 2 x 60
        ({"vigorous_days": 7, "vigorous_min": 9}, 0),  # a bout below ten minutes
        ({"vigorous_days": 7, "vigorous_min": 10}, 560),
        ({"walking_days": 7, "walking_min": 240}, 4158),  # cut to 180: 3.3 x 7 x 180
        ({"walking_days": 1, "walking_min": 10, "moderate_days": 1, "moderate_min": 10}, 73),
    ],
)
def test_met_minutes(answers, met):
    assert ipaq(STILL | answers).met_min_week == pytest.approx(met)


def test_what_was_cut_or_missing_is_said():
    assert ipaq(STILL | {"walking_days": 7, "walking_min": 181}).truncated == ("walking",)
    found = ipaq({"walking_days": 3, "moderate_days": 0, "vigorous_days": None})
    assert (found.met_min_week, found.missing) == (None, ("walking_min", "vigorous_days", "vigorous_min"))


@pytest.mark.parametrize(
    ("scorer", "answers", "code"),
    [
        (medas, BEST | {"fish": -1}, "answer_out_of_range"),
        (medas, BEST | {"bread": 1}, "unknown_item"),
        (medas, BEST | {"fish": True}, "not_an_answer"),
        (medas, BEST | {"fish": float("nan")}, "answer_out_of_range"),
        (ipaq, {"walking_days": 8}, "answer_out_of_range"),
        (ipaq, {"walking_min": 600, "moderate_min": 600}, "day_too_long"),
        (ipaq, {"running_min": 5}, "unknown_item"),
        (ipaq, {"walking_min": "long"}, "not_an_answer"),
    ],
)
def test_bad_answers(scorer, answers, code):
    with pytest.raises(InvalidInput) as caught:
        scorer(answers)
    assert code in [problem.code for problem in caught.value.problems]
