"""Warnings of a run: stool that was taken after the score it stands for."""

from dataclasses import replace

import numpy as np
import pytest

from features.synthetic import simulate
from training.findings import sample_warnings
from training.problem import pose


@pytest.fixture(scope="module")
def cohort():
    return simulate(subjects=30, seed=5)[0]


def _with_times(cohort, unit, times):
    info = replace(cohort.info, time_unit=unit)
    column = np.empty(len(times), dtype=object)
    column[:] = times
    return replace(cohort, info=info, samples={**cohort.samples, "time": column})


def test_stool_taken_at_baseline_gives_no_warning(cohort):
    n = len(cohort.samples["sample_id"])
    timed = _with_times(cohort, "week", [0.0] * n)
    assert sample_warnings(timed, pose(timed, "PHQ-9")) == []


def test_stool_taken_after_baseline_is_counted(cohort):
    n = len(cohort.samples["sample_id"])
    timed = _with_times(cohort, "week", [3.0, 3.0] + [0.0] * (n - 2))
    problem = pose(timed, "PHQ-9")
    late = sum(sample in set(cohort.samples["sample_id"][:2]) for sample in problem.design.sample)
    found = sample_warnings(timed, problem)
    assert len(found) == 1
    assert f"in {late} of {len(problem.y)} rows" in found[0]
    assert "stool_after_baseline" in found[0]


def test_codes_are_not_compared_with_weeks(cohort):
    n = len(cohort.samples["sample_id"])
    timed = _with_times(cohort, "week", [3.0] * n)
    timed = replace(timed, info=replace(timed.info, outcome_time_unit="code"))
    assert sample_warnings(timed, pose(timed, "PHQ-9")) == []
