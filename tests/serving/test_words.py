"""Words for people: the safety line first, refusals explained, every reason code has its sentence."""

from __future__ import annotations

import io
import json
import sys

import pytest

from features.errors import InvalidInput
from models.applicability import REASONS as MODEL_REASONS
from serving import ask
from serving.clinical import RULES
from serving.predict import predict
from serving.schemas import PredictRequest, convert
from serving.words import REASONS, in_words


def words(bundles, patient):
    reply = predict(bundles, convert({"patients": [patient]}, PredictRequest))
    return in_words(reply["predictions"][0], reply["model"]).splitlines()


def test_a_prediction_is_told_with_interval_floor_and_parts(bundles, patient):
    lines = words(bundles, patient)
    assert lines[0] == "Safety: the self-harm item was not assessed."
    assert lines[1] == "Expected change: -10.0 points, to a score of 4.0."
    assert lines[2] == "90% interval: -14.0 to -6.0 points."
    assert lines[3] == "Baseline severity alone predicts -7.0 points."
    assert lines[4] == "Probability of response: 25%."
    assert lines[5] == "Made up of: baseline -7.0, microbiome -3.0."


def test_a_positive_self_harm_item_comes_before_everything(bundles, patient):
    patient["baseline"] = {"instrument": "PHQ-9", "items": [2, 2, 2, 2, 2, 2, 1, 0, 1]}
    assert words(bundles, patient)[0].startswith("SAFETY")


def test_a_refusal_gives_its_reason_and_no_number(bundles, patient):
    lines = words(bundles, {**patient, "flags": ["pregnancy"]})
    assert "No prediction is given for this person." in lines
    assert "- pregnancy is outside the intended use" in lines
    assert not [line for line in lines if "points" in line]


def test_every_code_a_reply_can_carry_has_words():
    assert {rule.code for rule in RULES} | set(MODEL_REASONS) <= set(REASONS)


def test_nothing_said_to_people_is_advice():
    spoken = " ".join(REASONS.values()).lower()
    assert "recommend" not in spoken


def test_ask_prints_a_saved_reply(bundles, patient, tmp_path, capsys, monkeypatch):
    reply = json.dumps(predict(bundles, convert({"patients": [patient]}, PredictRequest)))
    (tmp_path / "reply.json").write_text(reply)
    assert ask.main([str(tmp_path / "reply.json")]) == 0
    first = capsys.readouterr().out
    assert "Expected change: -10.0 points" in first
    monkeypatch.setattr(sys, "stdin", io.StringIO(reply))
    assert ask.main(["-"]) == 0
    assert capsys.readouterr().out == first


def test_ask_refuses_what_is_no_reply(tmp_path):
    (tmp_path / "reply.json").write_text('{"error": {"code": "x"}}')
    with pytest.raises(InvalidInput):
        ask.main([str(tmp_path / "reply.json")])
