"""One fault at a time in a cohort folder that is otherwise right: each is found under its code, where it is."""

import pytest

FAULTS = {
    # shapes of tables
    "row_length": ("lifestyle.tsv", "\tcat", "", 2, ""),
    "missing_column": ("samples.tsv", "subject_id", "patient", 1, "subject_id"),
    "duplicate_column": ("lifestyle.tsv", "pet", "sex", 1, "sex"),
    # single cells
    "missing_instrument": ("outcomes.tsv", "B1\tPHQ-9", "B1\t", 3, "instrument"),
    "not_a_number": ("outcomes.tsv", "0\t14", "0\tfourteen", 2, "baseline_score"),
    "score_out_of_range": ("outcomes.tsv", "0\t12", "0\t28", 3, "baseline_score"),
    "follow_up_not_after_baseline": ("outcomes.tsv", "12\t8\t", "12\t0\t", 3, "followup_time"),
    "change_disagrees": ("outcomes.tsv", "9\t-5", "9\t5", 2, "change"),
    "stool_after_baseline": ("outcomes.tsv", "A\tA1", "A\tA2", 2, "sample_id"),
    "unknown_unit": ("samples.tsv", "w8\t8\tweek", "w8\t8\tfortnight", 3, "time_unit"),
    "unit_disagrees": ("samples.tsv", "w8\t8\tweek", "w8\t8\tday", 3, "time_unit"),
    "lifestyle_out_of_range": ("lifestyle.tsv", "41", "141", 2, "age_years"),
    "lifestyle_not_a_number": ("lifestyle.tsv", "9.5", "lots", 2, "fibre_g_day"),
    "lifestyle_unknown_code": ("lifestyle.tsv", "Female", "2", 2, "sex"),
    "missing_mark": ("lifestyle.tsv", "cat", "NA", 2, "pet"),
    # rows among each other
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
    # the abundance table
    "negative_count": ("counts.tsv.gz", "A1\t3", "A1\t-3", 2, "f1"),
    "missing_count": ("counts.tsv.gz", "A1\t3", "A1\t", 2, "f1"),
    "all_zero_sample": ("counts.tsv.gz", "B1\t0\t7\t1", "B1\t0\t0\t0", 4, ""),
    "duplicate_taxon": ("counts.tsv.gz", "f3", "f1", 1, "f1"),
    "same_sample_two_ids": ("counts.tsv.gz", "B1\t0\t7\t1", "B1\t3\t0\t5", 4, "sample_id"),
}  # fmt: skip


@pytest.mark.parametrize("code", FAULTS)
def test_a_fault_is_found_where_it_is(code, edit, found):
    name, old, new, row, column = FAULTS[code]
    edit(name, old, new)
    assert (code, name, row, column) in found()
