"""Answers that wait at the same time are written in one commit; an error is told to whom it concerns."""

from __future__ import annotations

import asyncio
import threading

import pytest

from serving.access import Principal
from serving.scribe import Answer, Scribe

WHO = Principal("k1", "", "clinic", "north")


class Journal:
    """Stands for the log: it notes what came together, and can be held up."""

    def __init__(self):
        self.commits, self.open = [], threading.Event()

    def prepare(self, answer):
        return threading.get_ident()

    def predictions(self, answers):
        self.commits.append(len(answers))
        self.open.wait(10)
        self.threads = {(prepared, threading.get_ident()) for _, prepared in answers}
        return [ValueError("bad") if answer.facts.get("bad") else None for answer, _ in answers]


def answer(**facts):
    return Answer(WHO, [], [], facts)


@pytest.fixture
def journal():
    return Journal()


def test_what_waits_during_a_commit_is_written_in_the_next(journal):
    scribe = Scribe(journal, None)
    waiting = [scribe.write(answer()) for _ in range(9)]
    journal.open.set()
    assert [done.result(10) for done in waiting] == [None] * 9
    assert sum(journal.commits) == 9
    assert len(journal.commits) <= 3


def test_those_written_together_are_awaited_together(journal, monkeypatch):
    monkeypatch.setattr("serving.scribe.PATIENCE", 5.0)
    scribe = Scribe(journal, None)
    first = [scribe.write(answer()) for _ in range(5)]
    journal.open.set()
    for done in first:
        done.result(10)
    before = len(journal.commits)
    size = journal.commits[-1]
    again = [scribe.write(answer()) for _ in range(size)]
    for done in again:
        done.result(10)
    assert journal.commits[before:] == [size]


def test_a_bad_answer_fails_alone(journal):
    journal.open.set()
    scribe = Scribe(journal, None)
    good, bad = scribe.write(answer()), scribe.write(answer(bad=True))
    assert good.result(10) is None
    with pytest.raises(ValueError, match="bad"):
        bad.result(10)


def test_entries_are_made_by_whoever_asks_and_many_are_written_there_too(journal):
    journal.open.set()
    scribe, here = Scribe(journal, None), threading.get_ident()
    assert scribe.write(answer()).result(10) is None
    ((prepared, written),) = journal.threads
    assert prepared == here != written
    assert scribe.write(Answer(WHO, [{}] * 21, [{}] * 21, {})).result(0) is None
    assert journal.threads == {(here, here)}


def test_an_event_loop_is_told_what_a_thread_is_told(journal):
    journal.open.set()
    scribe = Scribe(journal, None)

    async def run():
        leaving = asyncio.ensure_future(scribe.written(answer()))
        await asyncio.sleep(0)
        leaving.cancel()
        asked = [scribe.written(answer()), scribe.written(answer(bad=True)), scribe.written(answer())]
        return await asyncio.gather(*asked, return_exceptions=True)

    first, second, third = asyncio.run(run())
    assert (first, type(second), third) == (None, ValueError, None)
    assert scribe.write(answer()).result(10) is None
