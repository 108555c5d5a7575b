"""Before anything is trained again: is this the recorded code, lock and set of libraries, and can they be had?"""

import platform
import sys
from pathlib import Path

import pytest

from features.digest import sha256
from features.errors import Refused, VerificationFailed
from training.audit import environment
from training.audit.runs import read_run
from training.provenance import ROOT, code_digest

RECORD = {"code_digest": "sha256:c", "lock_digest": "sha256:l", "versions": {"python": "3.11.4", "numpy": "2.4.6"}}


def steps(**changed):
    return [(step.name, step.status) for step in environment.first_steps(RECORD, {**RECORD, **changed})]


def test_the_first_difference_is_named_before_anything_is_trained():
    assert steps() == [("code", "equal"), ("library", "equal")]
    assert steps(code_digest="sha256:x", lock_digest="sha256:x") == [("code", "differs")]
    assert steps(lock_digest="sha256:x") == [("code", "equal"), ("library", "differs")]
    assert steps(versions={"python": "3.11.4"}) == [("code", "equal"), ("library", "differs")]


def test_each_library_that_differs_is_named_with_both_versions_and_the_remedy():
    found = {**RECORD, "versions": {"python": "3.12.1", "numpy": "2.4.5"}}
    detail = environment.first_steps(RECORD, found)[-1].detail
    assert detail.startswith("recorded python 3.11.4, here 3.12.1; numpy 2.4.6, here 2.4.5; ")
    assert "--build-env DIR" in detail


def test_the_code_is_asked_by_the_interpreter_that_will_run_it(tmp_path):
    stated = environment.stated_by(ROOT, sys.executable)
    assert (stated["versions"]["python"], stated["code_digest"]) == (platform.python_version(), code_digest())
    with pytest.raises(VerificationFailed, match="cannot run the recorded code"):
        environment.stated_by(ROOT, str(tmp_path / "no-such-python"))


@pytest.fixture
def locked(simulation, tmp_path):
    """A run whose lock names no package."""
    record = {"lock_digest": sha256(b"# nothing\n"), "versions": {"python": platform.python_version()}}
    return read_run(simulation.write(tmp_path / "run", record=record))


def test_the_recorded_environment_is_built_once(locked, tmp_path):
    python = environment.build(locked, b"# nothing\n", tmp_path / "env")
    assert python == str(tmp_path / "env" / "bin" / "python")
    built = (tmp_path / "env" / "requirements.txt").stat().st_mtime_ns
    assert environment.build(locked, b"# nothing\n", tmp_path / "env") == python
    assert (tmp_path / "env" / "requirements.txt").stat().st_mtime_ns == built
    with pytest.raises(VerificationFailed, match="cannot run the recorded code"):  # it has no numpy
        environment.stated_by(ROOT, python)


def test_only_the_recorded_lock_and_python_are_built(locked, simulation, tmp_path):
    with pytest.raises(Refused, match="not the lock that was recorded"):
        environment.build(locked, b"numpy", tmp_path / "env")
    record = {"lock_digest": sha256(b""), "versions": {"python": "3.9.2"}}
    with pytest.raises(Refused, match=r"needs Python 3\.9\.2"):
        environment.build(read_run(simulation.write(tmp_path / "old", record=record)), b"", tmp_path / "env")
    assert not (tmp_path / "env").exists()


def test_a_lock_without_digests_is_not_installed(simulation, tmp_path):
    lock = b"numpy==2.4.6\n"
    record = {"lock_digest": sha256(lock), "versions": {"python": platform.python_version()}}
    with pytest.raises(VerificationFailed, match="cannot be built"):
        environment.build(read_run(simulation.write(tmp_path / "run", record=record)), lock, tmp_path / "env")


def test_an_environment_named_from_here_is_found_from_elsewhere(locked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert environment.build(locked, b"# nothing\n", Path("env")) == str(tmp_path / "env" / "bin" / "python")
