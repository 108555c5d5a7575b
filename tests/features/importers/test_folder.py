"""The cohort folder from the outside: what is read, what is refused, what is written back."""

import gzip
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.errors import InvalidInput
from features.importers.folder import ACCEPTABLE, check_cohort, read_cohort, write_cohort

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data"
TOML = 'title = "a trial"\nrandomised = true\nabundance_unit = "counts"\ntime_unit = "week"\n'


def test_a_good_folder_has_no_problem_and_reads(folder):
    assert check_cohort(folder) == []
    cohort = read_cohort(folder)
    assert cohort.info.title == "a trial"
    assert cohort.info.randomised is True
    assert cohort.lifestyle["age_years"].tolist() == [41.0, None]
    assert cohort.lifestyle["sex"].tolist() == ["female", "male"]
    assert cohort.lifestyle["pet"].tolist() == ["cat", None]
    assert cohort.lifestyle["sample_id"].tolist() == [None, None]
    assert cohort.outcomes["followup_score"].tolist() == [9.0, None]
    assert cohort.outcomes["label"].tolist() == [None, None]
    assert set(cohort.source) == {
        "cohort.toml", "samples.tsv", "lifestyle.tsv", "outcomes.tsv", "counts.tsv.gz", "taxonomy.tsv",
    }  # fmt: skip
    assert all(digest.startswith("sha256:") and len(digest) == 71 for digest in cohort.source.values())


def test_the_digest_does_not_depend_on_the_order_of_rows_or_columns(folder, edit):
    before = read_cohort(folder).digest
    (folder / "counts.tsv.gz").write_bytes(
        gzip.compress(b"sample_id\tf3\tf1\tf2\nB1\t1\t0\t7\nA2\t0\t1\t2\nA1\t5\t3\t0\n")
    )
    edit(
        "lifestyle.tsv",
        "A\t\t41\tFemale\t9.5\tcat\nB\t\t\tm\t22\t\n",
        "B\t\t\tm\t22\t\nA\t\t41\tFemale\t9.5\tcat\n",
    )
    assert read_cohort(folder).digest == before


def test_people_to_predict_for_need_no_follow_up_columns(folder):
    (folder / "outcomes.tsv").write_text(
        "subject_id\tsample_id\tinstrument\tbaseline_time\tbaseline_score\nA\tA1\tPHQ-9\t0\t14\n"
    )
    design = read_cohort(folder).design("PHQ-9")
    assert design.baseline.tolist() == [14.0]
    assert np.isnan(design.follow_up).all()


def test_every_problem_is_listed_at_once_and_no_value_is_shown(folder, edit):
    edit("lifestyle.tsv", "41", "141.25")
    edit("outcomes.tsv", "0\t14", "0\tsecretword")
    edit("counts.tsv.gz", "A1\t3", "A1\t-3.75")
    with pytest.raises(InvalidInput) as caught:
        read_cohort(folder)
    assert {p.code for p in caught.value.problems} == {
        "lifestyle_out_of_range",
        "not_a_number",
        "negative_count",
    }
    assert not any(value in str(caught.value) for value in ("141.25", "secretword", "3.75"))
    assert all(p.remedy for p in caught.value.problems)


def test_some_problems_can_be_kept_by_choice(folder, edit):
    edit("outcomes.tsv", "0\t12", "0\t28")
    with pytest.raises(InvalidInput):
        read_cohort(folder)
    cohort = read_cohort(folder, accept=frozenset({"score_out_of_range"}))
    assert cohort.outcomes["baseline_score"].tolist() == [14.0, 28.0]


def test_other_problems_cannot_be_kept(folder):
    with pytest.raises(InvalidInput, match="cannot_accept"):
        read_cohort(folder, accept=frozenset({"negative_count"}))


def test_stool_after_baseline_is_reported_but_does_not_stop_reading(folder, edit):
    edit("outcomes.tsv", "A\tA1", "A\tA2")
    assert [p.code for p in check_cohort(folder)] == ["stool_after_baseline"]
    assert len(read_cohort(folder).outcomes["subject_id"]) == 2


def test_a_missing_folder(tmp_path):
    assert [p.code for p in check_cohort(tmp_path / "none")] == ["missing_folder"]


def test_what_is_written_reads_back_equal_and_byte_for_byte_the_same(folder, tmp_path, edit):
    (folder / "cohort.toml").write_text(
        TOML + 'licence = "CC0 \\"ish\\""\nnot_participants = ["donor"]\n[sequencing]\nregion = "V4"\n'
        '[columns."odd name (g)"]\nmeasured_at = 8.5\nrole = "post_baseline"\n'
    )
    edit("lifestyle.tsv", "pet", "odd name (g)")
    edit("lifestyle.tsv", "cat", '"say ""hi"""')
    cohort = read_cohort(folder)
    write_cohort(cohort, tmp_path / "one")
    write_cohort(cohort, tmp_path / "two")
    again = read_cohort(tmp_path / "one")
    assert again.digest == cohort.digest
    assert again.info == cohort.info
    assert again.lifestyle["odd name (g)"].tolist() == ['say "hi"', None]
    names = sorted(os.listdir(tmp_path / "one"))
    assert names == ["cohort.toml", "counts.tsv.gz", "lifestyle.tsv", "outcomes.tsv", "samples.tsv"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_numbers_survive_writing_to_the_last_bit(folder, tmp_path):
    cohort = read_cohort(folder)
    values = np.array([0.1 + 0.2, 1e-310], dtype=object)
    cohort = replace(cohort, lifestyle={**cohort.lifestyle, "crp": values})
    write_cohort(cohort, tmp_path / "out")
    assert read_cohort(tmp_path / "out").lifestyle["crp"].tolist() == values.tolist()


def test_writing_never_touches_what_is_there_and_leaves_nothing_half(folder, tmp_path):
    cohort = read_cohort(folder)
    with pytest.raises(InvalidInput, match="folder_exists"):
        write_cohort(cohort, folder)
    broken = replace(cohort, samples={**cohort.samples, "visit": np.array(["only one"], dtype=object)})
    with pytest.raises(ValueError, match="zip"):
        write_cohort(broken, tmp_path / "half")
    assert sorted(os.listdir(tmp_path)) == ["cohort"]


CLEAN = [
    "agp_ibs_2021",
    "crohn_ustekinumab_2018",
    "hugerth_popcol_2019",
    "ihmp_ibdmdb_2019",
    "kang_autism_2017",
    "kump_uc_fmt_2017",
    "micropouch_fmt_2024",
    "p8_probiotic_stress_2021",
]
KNOWN = {
    # README: "waist_cm carries the source's label but values near 32 look like inches"
    "fefifo_wastyk_2021": {("lifestyle_out_of_range", "waist_cm")},
    # README: "a BASDAI of 11 ... is in the source"; "coding of 1/2 sex is not documented"
    "gespic_spa_2022": {("score_out_of_range", "baseline_score"), ("lifestyle_unknown_code", "sex")},
    # README: "one STAI-total below 40, a MoCA of 31"
    "parkinson_cirstea_2020": {("score_out_of_range", "baseline_score")},
    # README: PSS at weeks 0 and 12, first stool at week 1
    "prebiotic_residents_2020": {("stool_after_baseline", "sample_id")},
}


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared cohorts are not here")
@pytest.mark.parametrize("name", [*CLEAN, *KNOWN])
def test_real_cohorts_read_with_none_but_their_known_problems(name, tmp_path):
    assert {(p.code, p.column) for p in check_cohort(SHARED / name)} == KNOWN.get(name, set())
    cohort = read_cohort(SHARED / name, accept=ACCEPTABLE)
    write_cohort(cohort, tmp_path / "copy")
    assert read_cohort(tmp_path / "copy", accept=ACCEPTABLE).digest == cohort.digest


def test_scores_of_another_instrument_may_be_out_of_range_when_one_is_named(folder, edit):
    edit("outcomes.tsv", "B\tB1\tPHQ-9\t0\t12", "B\tB1\tGAD-7\t0\t99")
    for named in ("", "GAD-7"):
        with pytest.raises(InvalidInput, match="score_out_of_range"):
            read_cohort(folder, instrument=named)
    assert read_cohort(folder, instrument="PHQ-9").design("PHQ-9").baseline.tolist() == [14.0]
    assert [p.code for p in check_cohort(folder)] == ["score_out_of_range"]


@pytest.mark.parametrize(("least", "rows"), [(0.0, []), (0.3, []), (0.4, [2]), (0.9, [2, 4])])
def test_samples_of_few_named_taxa_are_refused_when_asked_for(folder, least, rows):
    """A1 has 3 of 8 reads in a named genus, A2 all three, B1 seven of eight."""
    found = [p for p in check_cohort(folder, least_named=least) if p.code == "few_named_taxa"]
    assert [(p.file, p.row) for p in found] == [("counts.tsv.gz", row) for row in rows]
    cohort = read_cohort(folder)
    out = folder.parent / "out"
    if rows:
        with pytest.raises(InvalidInput, match="few_named_taxa"):
            write_cohort(cohort, out, accept=frozenset(), least_named=least)
        assert not out.exists()
    else:
        write_cohort(cohort, out, accept=frozenset(), least_named=least)
        assert out.is_dir()
