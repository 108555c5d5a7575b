"""Known answers of the questionnaires, worked out by hand."""

import pytest

from features.errors import InvalidInput
from features.instruments import find
from features.scoring import FORMS, score


def only(form, answers, **more):
    (one,) = score(form, answers, **more)
    return one


@pytest.mark.parametrize(
    ("form", "answers", "total", "band"),
    [
        ("phq9", [0] * 9, 0, "minimal"),
        ("phq9", [3] * 9, 27, "severe"),
        ("phq9", [2, 2, 2, 2, 2, 1, 1, 1, 1], 14, "moderate"),
        ("phq9", [1, 1, 1, 1, 1, 0, 0, 0, 0], 5, "mild"),
        ("gad7", [3] * 7, 21, "severe"),
        ("gad7", [1, 1, 1, 1, 0, 0, 0], 4, "minimal"),
        ("hamd17", [4, 4, 4, 2, 2, 2, 4, 4, 4, 4, 4, 2, 2, 2, 4, 2, 2], 52, "very severe"),
        ("hamd17", [1] * 8 + [0] * 9, 8, "mild"),
        ("madrs", [6] * 10, 60, "severe"),
        ("madrs", [2] * 10, 20, "moderate"),
        ("bdi2", [1] * 13 + [0] * 8, 13, "minimal"),
        ("bdi2", [3] * 21, 63, "severe"),
        ("pss10", [0] * 10, 16, "moderate"),
        ("pss10", [4, 4, 4, 0, 0, 4, 0, 0, 4, 4], 40, "high"),
        ("pss10", [0, 0, 0, 4, 4, 0, 4, 4, 0, 0], 0, "low"),
        ("pss10", [2] * 10, 20, "moderate"),
        ("who5", [5] * 5, 100, "not low"),
        ("who5", [1, 1, 1, 2, 2], 28, "low, depression likely"),
        ("who5", [2, 2, 3, 3, 3], 52, "not low"),
        ("gsrs-interview", [3] * 15, 45, ""),
    ],
)
def test_totals_and_bands(form, answers, total, band):
    one = only(form, answers)
    assert (one.total, one.band, one.missing) == (total, band, ())


def test_gsrs_is_a_mean_with_its_domains():
    answers = dict(zip(map(str, range(1, 16)), [1, 5, 6, 2, 3, 1, 2, 3, 4, 7, 1, 1, 7, 1, 7], strict=True))
    one = only("gsrs", answers)
    assert one.total == pytest.approx(51 / 15)
    assert one.parts == pytest.approx(
        {"reflux": 5.5, "abdominal pain": 2.0, "indigestion": 2.5, "diarrhoea": 1.0, "constipation": 7.0}
    )


def test_dass21_gives_three_doubled_scores():
    answers = {str(item): 0 for item in range(1, 22)}
    answers |= {"3": 3, "5": 2, "2": 1, "4": 3, "1": 3, "6": 3, "8": 3, "11": 3, "12": 3, "14": 3, "18": 3}
    found = {one.instrument: (one.total, one.band) for one in score("dass21", answers)}
    assert found == {
        "DASS-21 depression": (10, "mild"),
        "DASS-21 anxiety": (8, "mild"),
        "DASS-21 stress": (42, "extremely severe"),
    }


def test_hads_gives_two_scores_by_odd_and_even_items():
    answers = [3, 0] * 7
    assert [(one.instrument, one.total) for one in score("hads", answers)] == [("HADS-A", 21), ("HADS-D", 0)]


def test_hads_captured_in_one_order_is_reversed_where_worded_positively():
    # All zero in one order: item 7 of anxiety and 2, 4, 6, 12, 14 of depression score 3.
    totals = [one.total for one in score("hads", [0] * 14, capture="uniform")]
    assert totals == [3, 15]


@pytest.mark.parametrize("form", FORMS)
def test_the_extremes_of_every_form_are_its_instruments_range(form):
    ranges = FORMS[form].ranges
    reverse = FORMS[form].reverse
    low = [high if i in reverse else low for i, (low, high) in enumerate(ranges, 1)]
    high = [low if i in reverse else high for i, (low, high) in enumerate(ranges, 1)]
    for answers, side in ((low, "low"), (high, "high")):
        for one in score(form, answers):
            assert one.total == getattr(find(one.instrument), side)


@pytest.mark.parametrize(
    ("form", "item", "answer", "flag"),
    [("phq9", 9, 0, "negative"), ("phq9", 9, 1, "positive"), ("phq9", 9, None, "not_assessed"),
     ("hamd17", 3, 1, "positive"), ("madrs", 10, 2, "positive"), ("bdi2", 9, 1, "positive"), ("gad7", 7, 3, "")],
)  # fmt: skip
def test_self_harm_items_are_flagged(form, item, answer, flag):
    answers = {str(i): 0 for i in range(1, len(FORMS[form].ranges) + 1)} | {str(item): answer}
    assert only(form, answers).self_harm_item == flag


def test_a_missing_answer_leaves_the_score_blank():
    one = only("phq9", [1] * 8 + [None])
    assert (one.total, one.band, one.missing) == (None, "", ("9",))


def test_prorating_only_by_a_named_rule_and_within_its_limit():
    one = only("phq9", [1, 1, 1, 1, 1, 1, 2, None, None], prorate="phq9-prorate-2@1")
    assert one.total == 10  # 8 / 7 * 9 = 10.29
    assert "phq9-prorate-2@1" in one.rules
    three = only("phq9", [1] * 6 + [None] * 3, prorate="phq9-prorate-2@1")
    assert three.total is None
    gad = only("gad7", [2] * 6 + [None], prorate="gad7-prorate-1@1")
    assert gad.total == 14


def test_every_score_names_its_rules():
    assert only("phq9", [1] * 9).rules == (
        "phq9-sum@1", "phq9-response-50@1", "phq9-remission@1", "phq9-important-change@1",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("answers", "more", "code"),
    [
        ([0] * 10, {}, "unknown_item"),
        ([0] * 8 + [4], {}, "answer_out_of_range"),
        ([0] * 8 + [-1], {}, "answer_out_of_range"),
        ([0] * 8 + [1.5], {}, "not_an_answer"),
        ([0] * 8 + ["1"], {}, "not_an_answer"),
        ([0] * 8 + [True], {}, "not_an_answer"),
        ([1] * 9, {"total": 8}, "total_disagrees"),
        ([1] * 9, {"prorate": "mean"}, "unknown_rule"),
        ([1] * 9, {"capture": "backwards"}, "unknown_capture"),
    ],
)
def test_bad_answers_are_refused_without_showing_them(answers, more, code):
    with pytest.raises(InvalidInput) as caught:
        score("phq9", answers, **more)
    assert [problem.code for problem in caught.value.problems] == [code]


def test_an_unknown_form():
    with pytest.raises(InvalidInput, match="unknown_form"):
        score("phq8", [0])


def test_a_total_that_agrees_is_accepted():
    assert only("phq9", [1] * 9, total=9).total == 9
