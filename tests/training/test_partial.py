"""An interrupted run goes on where it stopped, gives the same bytes, and picks up nothing that belongs to another run."""

import contextlib
import os
import time
from dataclasses import replace

import pytest

from features.synthetic import simulate
from training import protocol
from training.config import RunConfig
from training.partial import KEPT_DAYS, PLACE, finished, folder_of, resumable
from training.problem import pose
from training.protocol import evaluate, outer_splits


@pytest.fixture(scope="module")
def cohort():
    return simulate(subjects=60, seed=6)[0]


@pytest.fixture(scope="module")
def problem(cohort):
    return pose(cohort, "PHQ-9")


def _interrupted_after(folds, monkeypatch):
    """Let some folds through and then act as Ctrl-C would; return the list of folds that were worked on."""
    worked, real = [], protocol._fold

    def fold(*arguments):
        if len(worked) == folds:
            raise KeyboardInterrupt
        worked.append(arguments[1])
        return real(*arguments)

    monkeypatch.setattr(protocol, "_fold", fold)
    return worked


def test_finished_folds_are_picked_up_and_the_bytes_are_the_same(problem, tmp_path, monkeypatch):
    splits = outer_splits(problem, repeats=1, seed=0)
    whole = evaluate(problem, splits, seed=0, candidates=("additive",), jobs=1)
    with monkeypatch.context() as patched:
        _interrupted_after(2, patched)
        with pytest.raises(KeyboardInterrupt):
            evaluate(problem, splits, seed=0, candidates=("additive",), jobs=1, partial=tmp_path)
    assert finished(tmp_path) == 2
    with monkeypatch.context() as patched:
        worked = _interrupted_after(99, patched)
        again = evaluate(problem, splits, seed=0, candidates=("additive",), jobs=1, partial=tmp_path)
    assert len(worked) == 3
    for row, predicted in whole.predictions.items():
        assert predicted.tobytes() == again.predictions[row].tobytes(), row
        assert whole.sds[row].tobytes() == again.sds[row].tobytes(), row
    assert [vars(c) for c in whole.choices] == [vars(c) for c in again.choices]


def test_other_data_settings_or_people_have_another_folder(cohort):
    config = RunConfig(instrument="PHQ-9")
    own = folder_of(cohort, config)
    assert own == folder_of(cohort, replace(config, jobs=2))
    assert own != folder_of(cohort, replace(config, seed=1))
    assert own != folder_of(simulate(subjects=60, seed=7)[0], config)
    fewer = {name: column[1:] for name, column in cohort.outcomes.items()}
    assert own != folder_of(replace(cohort, outcomes=fewer), config)
    assert folder_of(cohort, replace(config, budget=1.0)) is None


def test_what_is_kept_and_picked_up_is_said_and_removed_when_done(cohort, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config, said = RunConfig(instrument="PHQ-9"), []
    with contextlib.suppress(KeyboardInterrupt), resumable(cohort, config, said.append) as folder:
        folder.mkdir(parents=True)
        (folder / "nested-validation-0.fold").write_bytes(b"x")
        raise KeyboardInterrupt
    assert said == ["interrupted: 1 finished folds are kept; the same command goes on from there"]
    with resumable(cohort, config, said.append) as folder:
        assert finished(folder) == 1
    assert said[1:] == ["1 finished folds of an interrupted run are picked up"]
    assert not folder.exists()


def test_runs_interrupted_long_ago_are_given_up(cohort, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    old, young = PLACE / "old", PLACE / "young"
    for folder in (old, young):
        folder.mkdir(parents=True)
        (folder / "nested-validation-0.fold").write_bytes(b"x")
    long_ago = time.time() - (KEPT_DAYS + 1) * 86_400
    os.utime(old, (long_ago, long_ago))
    with resumable(cohort, RunConfig(instrument="PHQ-9"), print):
        assert (old.exists(), young.exists()) == (False, True)
