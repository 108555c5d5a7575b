"""Requests answered together get the answers they would get alone, and share no fate but the bundle's."""

from __future__ import annotations

import asyncio

import pytest

from serving.predict import answers, read
from serving.schemas import PredictRequest, convert
from serving.together import Together


def ask(bundles, patient, **changes):
    return read(bundles, convert({"patients": [{**patient, **changes}]}, PredictRequest))


def all_at_once(*questions):
    async def run():
        together = Together()
        return await asyncio.gather(*map(together.answers, questions), return_exceptions=True)

    return asyncio.run(run())


def numbers(replies):
    return [{name: value for name, value in reply.items() if name != "prediction_id"} for reply in replies]


def test_those_who_ask_at_once_are_told_what_each_is_told_alone(bundles, patient):
    calls = []
    plain = bundles["PHQ-9"].predict
    bundles["PHQ-9"].predict = lambda design, site=None: calls.append(len(design)) or plain(design, site)
    asked = [ask(bundles, patient, id=f"p-{i}", baseline={"instrument": "PHQ-9", "score": 10 + i}) for i in range(4)]
    told = all_at_once(*asked)
    assert calls == [4]
    assert [numbers(replies) for replies in told] == [numbers(answers(*one)) for one in asked]
    assert [replies[0]["id"] for replies in told] == ["p-0", "p-1", "p-2", "p-3"]


def test_models_are_asked_apart(bundles, half_bundle, patient):
    other = {"GAD-7": half_bundle(instrument="GAD-7")}
    anxious = ask(other, patient, baseline={"instrument": "GAD-7", "score": 8})
    first, second = all_at_once(ask(bundles, patient), anxious)
    assert (first[0]["floor_change"], second[0]["floor_change"]) == (-7.0, -4.0)


def test_a_fault_of_the_model_is_told_to_all_who_asked_it(bundles, half_bundle, patient):
    broken = {"PHQ-9": half_bundle()}
    broken["PHQ-9"].predict = lambda design, site=None: 1 / 0
    good, *bad = all_at_once(ask(bundles, patient), ask(broken, patient), ask(broken, patient))
    assert good[0]["answered"] is True
    assert [type(one) for one in bad] == [ZeroDivisionError, ZeroDivisionError]


def test_who_leaves_takes_only_the_own_question(bundles, patient):
    async def run():
        together = Together()
        leaving = asyncio.ensure_future(together.answers(ask(bundles, patient)))
        staying = asyncio.ensure_future(together.answers(ask(bundles, patient)))
        await asyncio.sleep(0)
        leaving.cancel()
        return await staying, leaving

    (told,), left = asyncio.run(run())
    assert told["change"] == pytest.approx(-10.0)
    assert left.cancelled()
