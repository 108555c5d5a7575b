"""cohort.toml: what is understood, what is refused."""

import pytest

from features.cohort import ColumnInfo
from features.importers.folder import check_cohort, read_cohort, write_cohort

TOML = 'title = "a trial"\ntime_unit = "week"\n'


@pytest.mark.parametrize(
    ("line", "code", "column"),
    [
        ('titel = "x"', "unknown_key", "titel"),
        ('abundance_unit = "reads"', "unknown_value", "abundance_unit"),
        ('outcome_time_unit = "fortnight"', "unknown_value", "outcome_time_unit"),
        ('randomised = "yes"', "wrong_type", "randomised"),
        ("[columns.pet]\nrole = 'later'", "unknown_value", "columns.pet.role"),
        ("[columns.pet]\nwhen = 8", "unknown_key", "columns.pet.when"),
        ("[columns.pett]\nrole = 'post_baseline'", "unknown_column", "columns.pett"),
        ("[columns.fibre_g_day]\nunit = 'mg/day'", "unknown_unit", "columns.fibre_g_day.unit"),
        ("[sequencing]\ndate = 2019-01-01", "wrong_type", "sequencing.date"),
        ("= 3", "unreadable_file", ""),
    ],
)
def test_a_header_that_is_wrong(folder, line, code, column, found):
    (folder / "cohort.toml").write_text('time_unit = "week"\n' + line + "\n")
    assert (code, "cohort.toml", None, column) in found()


def test_declared_roles_arrive_in_the_header(folder):
    (folder / "cohort.toml").write_text(TOML + "[columns.pet]\nmeasured_at = 8\nrole = 'post_baseline'\n")
    cohort = read_cohort(folder)
    assert cohort.info.columns == {"pet": ColumnInfo(8, "", "post_baseline")}
    assert "pet" not in cohort.covariate_names()


def test_a_declared_unit_is_converted_once(folder, tmp_path):
    (folder / "lifestyle.tsv").write_text("subject_id\twaist_cm\nA\t32\nB\t\n")
    assert [problem.code for problem in check_cohort(folder)] == ["lifestyle_out_of_range"]
    (folder / "cohort.toml").write_text(TOML + '[columns.waist_cm]\nunit = "inch"\n')
    cohort = read_cohort(folder)
    assert cohort.lifestyle["waist_cm"].tolist() == [81.28, None]
    assert cohort.info.columns["waist_cm"].unit == "cm"
    write_cohort(cohort, tmp_path / "out")
    assert read_cohort(tmp_path / "out").lifestyle["waist_cm"].tolist() == [81.28, None]


def test_what_guidelines_ask_for_is_kept_and_written_back(folder, tmp_path):
    stated = 'funding = "a fund"\naccrual = "2019-01 to 2020-03"\n[sequencing]\nplatform = "MiSeq"\n'
    (folder / "cohort.toml").write_text(TOML + stated)
    own = {"funding": "a fund", "accrual": "2019-01 to 2020-03", "sequencing": {"platform": "MiSeq"}}
    assert dict(read_cohort(folder).info.extra) == own
    write_cohort(read_cohort(folder), tmp_path / "out")
    assert dict(read_cohort(tmp_path / "out").info.extra) == own
