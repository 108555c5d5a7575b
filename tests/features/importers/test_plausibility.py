"""Rules on single cells: numbers, ranges, units, times."""

from features.importers.folder import check_cohort

TOML = 'time_unit = "week"\n'


def test_codes_of_time_are_compared_with_each_other_and_never_with_the_stool(folder, edit):
    (folder / "cohort.toml").write_text(TOML + 'outcome_time_unit = "code"\n')
    edit("outcomes.tsv", "A\tA1", "A\tA2")
    assert check_cohort(folder) == []
    edit("outcomes.tsv", "0\t14\t8", "9\t14\t8")
    assert [p.code for p in check_cohort(folder)] == ["follow_up_not_after_baseline"]


def test_a_change_may_be_rounded(folder, edit):
    edit("outcomes.tsv", "14\t8\t9\t-5", "14.04\t8\t9\t-5.0")
    assert check_cohort(folder) == []
