"""Rules that rows keep among each other."""

import pytest

from features.importers.folder import check_cohort

FAULTS = {
    "missing_subject": ("samples.tsv", "A2\tA\t", "A2\t\t", 3, "subject_id"),
    "missing_sample": ("samples.tsv", "A2\tA\t", "\tA\t", 3, "sample_id"),
    "duplicate_sample": ("samples.tsv", "A2\tA\t", "A1\tA\t", 3, "sample_id"),
    "unknown_sample": ("outcomes.tsv", "A\tA1", "A\tX1", 2, "sample_id"),
    "sample_of_other_subject": ("outcomes.tsv", "A\tA1", "A\tB1", 2, "sample_id"),
    "unknown_subject": ("outcomes.tsv", "A\tA1\tPHQ-9", "Z\t\tPHQ-9", 2, "subject_id"),
    "two_arms": ("samples.tsv", "A2\tA\tw8\t8\tweek\tactive", "A2\tA\tw0\t0\tweek\tplacebo", 3, "arm"),
    "duplicate_outcome": (
        "outcomes.tsv", "B\tB1\tPHQ-9\t0\t12\t8\t\t", "A\tA1\tPHQ-9\t0\t14\t8\t9\t-5", 3, "followup_time",
    ),
    "rows_disagree": (
        "outcomes.tsv", "B\tB1\tPHQ-9\t0\t12\t8\t\t", "A\tA1\tPHQ-9\t0\t13\t12\t\t", 3, "baseline_score",
    ),
    "duplicate_lifestyle": ("lifestyle.tsv", "B\t\t\tm", "A\t\t\tm", 3, "sample_id"),
}  # fmt: skip


@pytest.mark.parametrize("code", FAULTS)
def test_a_fault_is_found_where_it_is(code, edit, found):
    name, old, new, row, column = FAULTS[code]
    edit(name, old, new)
    assert (code, name, row, column) in found()


def test_an_arm_may_change_at_a_later_visit(folder, edit):
    edit("samples.tsv", "A2\tA\tw8\t8\tweek\tactive", "A2\tA\tw8\t8\tweek\tplacebo")
    assert check_cohort(folder) == []
