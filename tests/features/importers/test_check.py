"""Rules that rows keep among each other."""

from features.importers.folder import check_cohort


def test_an_arm_may_change_at_a_later_visit(folder, edit):
    edit("samples.tsv", "A2\tA\tw8\t8\tweek\tactive", "A2\tA\tw8\t8\tweek\tplacebo")
    assert check_cohort(folder) == []
