"""Rules on single cells: numbers, ranges, units, times."""

import pytest

from features.importers.folder import check_cohort

TOML = 'time_unit = "week"\n'


FAULTS = {
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
}  # fmt: skip


@pytest.mark.parametrize("code", FAULTS)
def test_a_fault_is_found_where_it_is(code, edit, found):
    name, old, new, row, column = FAULTS[code]
    edit(name, old, new)
    assert (code, name, row, column) in found()


def test_codes_of_time_are_compared_with_each_other_and_never_with_the_stool(folder, edit):
    (folder / "cohort.toml").write_text(TOML + 'outcome_time_unit = "code"\n')
    edit("outcomes.tsv", "A\tA1", "A\tA2")
    assert check_cohort(folder) == []
    edit("outcomes.tsv", "0\t14\t8", "9\t14\t8")
    assert [p.code for p in check_cohort(folder)] == ["follow_up_not_after_baseline"]


def test_a_change_may_be_rounded(folder, edit):
    edit("outcomes.tsv", "14\t8\t9\t-5", "14.04\t8\t9\t-5.0")
    assert check_cohort(folder) == []
