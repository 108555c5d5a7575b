"""The front door: it names its verbs, loads no room too early, and turns failures into exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import vagus
from features.errors import InvalidInput, Problem, Refused, VerificationFailed

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("argv", [[], ["--help"]])
def test_alone_it_lists_every_verb_with_a_line_each(argv, capsys):
    assert vagus.main(argv) == 0
    lines = capsys.readouterr().out.splitlines()
    for verb in ("cohort", "train", "promote", "export", "predict", "serve", "audit", "doctor"):
        assert [line for line in lines if line.split()[:1] == [verb] and len(line.split()) > 3]


def test_listing_the_verbs_imports_no_room():
    code = "import sys, json, vagus; vagus.main([]); sys.stderr.write(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stderr))
    assert "features.errors" in loaded
    assert not {"training", "serving", "models", "numpy", "pandas", "bentoml", "mlflow"} & loaded


def test_an_unknown_verb_is_bad_usage_and_names_the_known_ones(capsys):
    assert vagus.main(["trian"]) == 2
    error = capsys.readouterr().err
    assert "train" in error
    assert "trian" not in error


def room(monkeypatch, act):
    module = ModuleType("a_room")
    module.main = act
    monkeypatch.setitem(sys.modules, "a_room", module)
    monkeypatch.setitem(vagus.VERBS, "train", vagus.Verb("a_room", "for this test"))


def test_the_room_is_given_the_verb_and_its_answer_is_the_exit_code(monkeypatch):
    seen = []
    room(monkeypatch, lambda argv: seen.append(argv) or 3)
    assert vagus.main(["train", "DIR", "--json"]) == 3
    assert seen == [["train", "DIR", "--json"]]


@pytest.mark.parametrize(
    ("failure", "code", "lines"),
    [
        (InvalidInput([Problem("a", "one", "Do x"), Problem("b", "two", "Do y")]), 2, 2),
        (Refused("gate", "the gate says no"), 3, 1),
        (VerificationFailed("arrays.bin differs"), 4, 1),
        (KeyboardInterrupt(), 130, 1),
    ],
)
def test_a_failure_is_one_line_per_problem_and_its_own_exit_code(monkeypatch, capsys, failure, code, lines):
    def act(argv):
        raise failure

    room(monkeypatch, act)
    assert vagus.main(["train"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == lines
    assert "Traceback" not in err


def test_of_many_problems_alike_the_first_are_shown_and_the_others_counted(monkeypatch, capsys):
    def act(argv):
        raise InvalidInput(
            [*(Problem("twice", "a", "Mend it", "t.tsv", k) for k in range(25)), Problem("other", "b", "Do y")]
        )

    room(monkeypatch, act)
    assert vagus.main(["train"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[:20] == [f"t.tsv:{k}: a. Mend it [twice]" for k in range(20)]
    assert lines[20:] == ["b. Do y [other]", "and 5 more [twice]"]


def test_an_unforeseen_fault_shows_its_type_and_none_of_its_text(monkeypatch, capsys):
    monkeypatch.delenv(vagus.DEBUG, raising=False)

    def act(argv):
        raise ZeroDivisionError("cell said CANARY")

    room(monkeypatch, act)
    assert vagus.main(["train"]) == 1
    error = capsys.readouterr().err
    assert "ZeroDivisionError" in error
    assert "CANARY" not in error


def test_the_version_is_that_of_the_project(capsys):
    assert vagus.main(["--version"]) == 0
    assert re.fullmatch(r"vagus \d+\.\d+\.\d+\n", capsys.readouterr().out)
