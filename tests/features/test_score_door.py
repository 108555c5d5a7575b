"""vagus score, by its output."""

import json

import pytest

from features.__main__ import main


def test_score_in_words(tmp_path, capsys):
    (tmp_path / "items.json").write_text("[2, 2, 2, 2, 2, 1, 1, 1, 1]")
    assert main(["score", "phq9", str(tmp_path / "items.json")]) == 0
    out = capsys.readouterr().out
    assert out.startswith("PHQ-9: 14, moderate; self-harm item: positive; rules: phq9-sum@1")


def test_score_as_json_with_a_missing_answer(tmp_path, capsys):
    (tmp_path / "items.json").write_text('{"items": {"1": 1, "2": null, "3": 1}, "total": null}')
    assert main(["score", "gad7", str(tmp_path / "items.json"), "--json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)["scores"]
    assert (one["total"], one["missing"]) == (None, ["2", "4", "5", "6", "7"])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[9, 0]", "answer_out_of_range"),
        ("{", "unreadable_file"),
        ("3", "wrong_type"),
        ('{"items": 3}', "wrong_type"),
        ('{"items": [0, 0, 0, 0, 0, 0, 1], "total": 2}', "total_disagrees"),
        ("[" * 100_000, "unreadable_file"),
    ],
)
def test_score_of_bad_items_ends_in_2(tmp_path, capsys, text, code):
    (tmp_path / "items.json").write_text(text)
    assert main(["score", "gad7", str(tmp_path / "items.json")]) == 2
    assert code in capsys.readouterr().err


def test_score_of_a_lifestyle_form(tmp_path, capsys):
    items = {"walking_days": 5, "walking_min": 30, "moderate_days": 0, "vigorous_days": 0}
    (tmp_path / "items.json").write_text(json.dumps(items))
    assert main(["score", "ipaq", str(tmp_path / "items.json")]) == 0
    assert json.loads(capsys.readouterr().out)["ipaq"]["met_min_week"] == pytest.approx(495)
    (tmp_path / "items.json").write_text('{"running_min": 5}')
    assert main(["score", "ipaq", str(tmp_path / "items.json")]) == 2


def test_a_lifestyle_form_goes_by_names(tmp_path, capsys):
    (tmp_path / "items.json").write_text("[1, 2]")
    assert main(["score", "medas", str(tmp_path / "items.json")]) == 2
    assert "wrong_type" in capsys.readouterr().err
