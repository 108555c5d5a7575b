"""What may become a feature: only what was measured at or before a row's own baseline."""

from dataclasses import replace

import numpy as np
import pytest

from features.cohort import Cohort, CohortInfo, ColumnInfo


def _objects(*values):
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _cohort(info, baseline_times=(0.0, 4.0)):
    n = len(baseline_times)
    people = _objects(*[f"p{i}" for i in range(n)])
    return Cohort(
        info,
        {"sample_id": people, "subject_id": people},
        {"subject_id": people, "sample_id": _objects(*[None] * n), "fibre": _objects(*[10.0 + i for i in range(n)])},
        {
            "subject_id": people, "sample_id": people, "instrument": _objects(*["PHQ-9"] * n),
            "baseline_time": _objects(*baseline_times), "baseline_score": _objects(*[9.0] * n),
            "followup_time": _objects(*[None] * n), "followup_score": _objects(*[None] * n),
        },
    )  # fmt: skip


def _info(measured_at, **header):
    return CohortInfo(time_unit="week", columns={"fibre": ColumnInfo(measured_at=measured_at)}, **header)


def _fibre(cohort):
    column = cohort.design("PHQ-9").covariates.get("fibre")
    return None if column is None else column.tolist()


def test_a_column_measured_after_every_baseline_is_no_feature_even_without_a_role():
    assert _fibre(_cohort(_info(8.0))) is None


def test_a_column_measured_at_baseline_is_a_feature():
    assert _fibre(_cohort(_info(0.0))) == [10.0, 11.0]
    assert _fibre(_cohort(_info(None))) == [10.0, 11.0]


def test_a_column_late_for_one_row_is_blank_in_that_row_alone():
    cohort = _cohort(_info(4.0))
    assert _fibre(cohort) == [None, 11.0]
    assert _fibre(cohort.take(np.array([1]))) == [11.0]


@pytest.mark.parametrize(("measured_at", "found"), [(8.0, None), (0.0, [10.0, 11.0])])
def test_codes_are_no_times_so_anything_after_zero_is_late(measured_at, found):
    assert _fibre(_cohort(_info(measured_at, outcome_time_unit="code"), (10.0, 20.0))) == found


def test_an_unknown_baseline_time_counts_as_zero():
    assert _fibre(_cohort(_info(1.0), (None, 4.0))) == [None, 11.0]


def test_a_declared_role_bars_a_column_whatever_its_time():
    cohort = _cohort(_info(0.0))
    late = replace(cohort.info, columns={"fibre": ColumnInfo(measured_at=0.0, role="post_baseline")})
    assert _fibre(replace(cohort, info=late)) is None
