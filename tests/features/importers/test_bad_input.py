"""The catalogue of bad input: each case has its own code and place, a remedy, and shows no value of a patient."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from features.errors import InvalidInput, Problem
from features.importers import read
from features.importers.folder import check_cohort
from features.instruments import INSTRUMENTS, reachable
from features.lifestyle import FIELDS
from features.lifestyle_scores import ipaq, medas
from features.psqi import KEYS
from features.scoring import FORMS, score


@dataclass(frozen=True)
class Case:
    """What is done to a good folder or form, and the problem it must give."""

    name: str
    do: Callable[[Path], list[Problem]]
    code: str
    place: tuple[str, int | None, str]
    value: str = ""


def refused(act: Callable[..., Any], *given: Any, **more: Any) -> list[Problem]:
    with pytest.raises(InvalidInput) as caught:
        act(*given, **more)
    return list(caught.value.problems)


def table(name: str, text: str) -> Callable[[Path], list[Problem]]:
    def do(folder: Path) -> list[Problem]:
        (folder / name).write_text(text)
        return check_cohort(folder)

    return do


HEAD = {
    "samples.tsv": "sample_id\tsubject_id\ttime\ttime_unit\tarm\n",
    "lifestyle.tsv": "subject_id\tsample_id\t{0}\n",
    "outcomes.tsv": "subject_id\tsample_id\tinstrument\tbaseline_time\tbaseline_score\tfollowup_time\tfollowup_score\tchange\n",
    "counts.tsv": "sample_id\tt1\tt2\tt3\n",
}
OUTCOME = ("subject_id", "sample_id", "instrument", "baseline_time", "baseline_score", "followup_time", "followup_score",
           "change")  # fmt: skip
NOT_NUMBERS = ("x", "nan", "inf", "-inf", "1e999", "1_000", "1,5", "0x10", "١٢", "twelve", "--3", "NA", "5 points", "½")


def outcome(**cells: str) -> Callable[[Path], list[Problem]]:
    row = {"subject_id": "A", "sample_id": "A1", "instrument": "x", "baseline_time": "0", **cells}
    return table("outcomes.tsv", HEAD["outcomes.tsv"] + "\t".join(row.get(name, "") for name in OUTCOME) + "\n")


def counts(cells: str) -> Callable[[Path], list[Problem]]:
    def do(folder: Path) -> list[Problem]:
        (folder / "counts.tsv.gz").unlink()
        (folder / "taxonomy.tsv").unlink()
        (folder / "counts.tsv").write_text(HEAD["counts.tsv"] + "A1\t1\t2\t3\n" + cells + "\n")
        return check_cohort(folder)

    return do


def lab(name: str, text: str) -> Callable[[Path], list[Problem]]:
    def do(folder: Path) -> list[Problem]:
        (folder / name).write_text(text)
        return refused(read, folder / name)

    return do


def toml(text: str) -> Callable[[Path], list[Problem]]:
    return table("cohort.toml", 'time_unit = "week"\n' + text + "\n")


CASES: list[Case] = []
for column in ("baseline_time", "baseline_score", "followup_time", "followup_score", "change"):
    for text in NOT_NUMBERS:
        place = ("outcomes.tsv", 2, column)
        CASES.append(Case(f"{column} is {text}", outcome(**{column: text}), "not_a_number", place, text))
for text in NOT_NUMBERS:
    case = Case(f"count is {text}", counts(f"A2\t1\t{text}\t0"), "not_a_number", ("counts.tsv", 3, "t2"), text)
    CASES.append(case)
for text, code in (("-1", "negative_count"), ("-0.5", "negative_count"), ("", "missing_count")):
    for place, row in enumerate(("{}\t1\t1", "1\t{}\t1", "1\t1\t{}"), 1):
        cells = "A2\t" + row.format(text)
        CASES.append(Case(f"count {text!r} of taxon {place}", counts(cells), code, ("counts.tsv", 3, f"t{place}")))
for cells, code, column in (
    ("A2\t0\t0\t0", "all_zero_sample", ""),
    ("A1\t4\t5\t6", "duplicate_sample", "sample_id"),
    ("Z9\t4\t5\t6", "unknown_sample", "sample_id"),
    ("A2\t1\t2\t3", "same_sample_two_ids", "sample_id"),
    ("A2\t1\t2", "row_length", ""),
    ("A2\t1\t2\t3\t4", "row_length", ""),
    ("A2\t1.5\t2\t3", "unit_disagrees", ""),
):
    CASES.append(Case(f"counts row {cells!r}", counts(cells), code, ("counts.tsv", 3, column)))
for instrument in INSTRUMENTS.values():
    low, high = reachable(instrument)
    for bound, text in ((low, f"{low - 1:g}"), (high, f"{high + 1:g}")):
        for column in ("baseline_score", "followup_score"):
            if abs(bound) != float("inf"):
                do = outcome(instrument=instrument.name, **{column: text})
                name = f"{instrument.name} {column} {text}"
                CASES.append(Case(name, do, "score_out_of_range", ("outcomes.tsv", 2, column)))
for field in FIELDS.values():
    wrong = (("sometimes", "unknown_code"), ("7", "unknown_code")) if field.coding else (
        (f"{field.low - 1:g}", "out_of_range"), (f"{field.high * 1.5 + 1:g}", "out_of_range"), ("lots", "not_a_number")
    )  # fmt: skip
    for text, kind in wrong:
        do = table("lifestyle.tsv", HEAD["lifestyle.tsv"].format(field.name) + f"A\t\t{text}\n")
        place = ("lifestyle.tsv", 2, field.name)
        CASES.append(Case(f"{field.name} is {text}", do, f"lifestyle_{kind}", place))
for mark in ("NA", "nan", "N/A", "null", ".", "#N/A"):
    do = table("lifestyle.tsv", HEAD["lifestyle.tsv"].format("pet") + f"A\t\t{mark}\n")
    CASES.append(Case(f"mark {mark}", do, "missing_mark", ("lifestyle.tsv", 2, "pet")))
for cells, code, column in (
    ({"subject_id": ""}, "missing_subject", "subject_id"),
    ({"subject_id": "Z", "sample_id": ""}, "unknown_subject", "subject_id"),
    ({"sample_id": "Z9"}, "unknown_sample", "sample_id"),
    ({"sample_id": "B1"}, "sample_of_other_subject", "sample_id"),
    ({"sample_id": "A2"}, "stool_after_baseline", "sample_id"),
    ({"instrument": ""}, "missing_instrument", "instrument"),
    ({"followup_time": "0"}, "follow_up_not_after_baseline", "followup_time"),
    ({"followup_time": "-3"}, "follow_up_not_after_baseline", "followup_time"),
    ({"baseline_score": "9", "followup_score": "5", "change": "4"}, "change_disagrees", "change"),
    ({"baseline_score": "9", "followup_score": "5", "change": "-4.5"}, "change_disagrees", "change"),
):
    CASES.append(Case(f"outcome {cells}", outcome(**cells), code, ("outcomes.tsv", 2, column)))
for cells, code, column in (
    ("A1\tA\t0\tweek\ta\nA1\tA\t1\tweek\ta", "duplicate_sample", "sample_id"),
    ("A1\tA\t0\tweek\ta\n\tA\t1\tweek\ta", "missing_sample", "sample_id"),
    ("A1\tA\t0\tweek\ta\nA2\t\t1\tweek\ta", "missing_subject", "subject_id"),
    ("A1\tA\t0\tweek\ta\nA2\tA\tsoon\tweek\ta", "not_a_number", "time"),
    ("A1\tA\t0\tweek\ta\nA2\tA\t1\tfortnight\ta", "unknown_unit", "time_unit"),
    ("A1\tA\t0\tweek\ta\nA2\tA\t1\tday\ta", "unit_disagrees", "time_unit"),
    ("A1\tA\t0\tweek\ta\nA2\tA\t0\tweek\tb", "two_arms", "arm"),
    ("A1\tA\t0\tweek\ta\nA2\tA", "row_length", ""),
):
    do = table("samples.tsv", HEAD["samples.tsv"] + cells + "\n")
    CASES.append(Case(f"samples {code}", do, code, ("samples.tsv", 3, column)))
for text, code, column in (
    ('titel = "x"', "unknown_key", "titel"),
    ('abundance_unit = "reads"', "unknown_value", "abundance_unit"),
    ('outcome_time_unit = "moons"', "unknown_value", "outcome_time_unit"),
    ('randomised = "yes"', "wrong_type", "randomised"),
    ("title = 3", "wrong_type", "title"),
    ('not_participants = "donor"', "wrong_type", "not_participants"),
    ("[columns.pet]\nrole = 'later'", "unknown_value", "columns.pet.role"),
    ("[columns.pet]\nmeasured_at = 'week 8'", "wrong_type", "columns.pet.measured_at"),
    ("[columns.pet]\nmeasured_at = true", "wrong_type", "columns.pet.measured_at"),
    ("[columns.pet]\nwhen = 8", "unknown_key", "columns.pet.when"),
    ("[columns.pett]\nrole = 'ignore'", "unknown_column", "columns.pett"),
    ("[columns.fibre_g_day]\nunit = 'spoons'", "unknown_unit", "columns.fibre_g_day.unit"),
    ("= 3", "unreadable_file", ""),
):
    CASES.append(Case(f"header {text!r}", toml(text), code, ("cohort.toml", None, column)))
for form, layout in FORMS.items():
    good = {str(i): low for i, (low, _) in enumerate(layout.ranges, 1)}
    for answer, code in (
        (layout.ranges[0][1] + 1, "answer_out_of_range"), (-1, "answer_out_of_range"), (1.5, "not_an_answer"),
        ("2", "not_an_answer"), (True, "not_an_answer"),
    ):  # fmt: skip
        do = lambda folder, f=form, a={**good, "1": answer}: refused(score, f, a)  # noqa: E731
        CASES.append(Case(f"{form} item 1 is {answer!r}", do, code, ("", None, "1")))
    do = lambda folder, f=form, a={**good, "99": 0}: refused(score, f, a)  # noqa: E731
    CASES.append(Case(f"{form} item 99", do, "unknown_item", ("", None, "99")))
for key in KEYS:
    do = lambda folder, k=key: refused(score, "psqi", {k: [1]})  # noqa: E731
    CASES.append(Case(f"psqi {key} is a list", do, "not_a_time" if "time" in key else "not_an_answer", ("", None, key)))
for scorer, key in ((medas, "fish"), (medas, "wine"), (ipaq, "walking_days"), (ipaq, "vigorous_min")):
    for answer, code in ((-1, "answer_out_of_range"), (1e9, "answer_out_of_range"), ("2", "not_an_answer")):
        do = lambda folder, s=scorer, a={key: answer}: refused(s, a)  # noqa: E731
        CASES.append(Case(f"{key} is {answer!r}", do, code, ("", None, key)))
for name, text, code, row, column in (
    ("m.txt", "#mpa_v\nclade_name\tA\nk__B|s__X\t-1\n", "negative_count", None, ""),
    ("m.txt", "#mpa_v\nclade_name\tA\nk__B|s__X\tmuch\n", "not_a_number", 3, "A"),
    ("m.txt", "#mpa_v\nclade_name\tA\tA\nk__B|s__X\t1\t1\n", "duplicate_sample", None, ""),
    ("k.txt", " 1.0\t1\t1\tU\t0\tunclassified\n" * 6 + "odd\trow\n", "row_length", 7, ""),
    ("ko.tsv", "function\tA\nK00001\tmuch\n", "not_a_number", 2, "A"),
    ("ko.tsv", "function\tA\nK00001\t1\nK00002\t1\t2\n", "row_length", 3, ""),
    ("s.shared", "label\tGroup\tnumOtus\to1\n0.03\tA\t1\t1\n0.05\tA\t1\t1\n", "several_labels", None, ""),
    ("t.csv", "sample,o1,o1\nA,1,2\n", "duplicate_taxon", None, ""),
    ("t.csv", "sample,o1,o2\nA,1,2\nA,3,4\n", "duplicate_sample", None, ""),
    ("t.csv", "sample,o1,o2\nA,1\n", "row_length", 2, ""),
    ("x.csv", "id,Taxonomy\no1,Bacteria\no1,Bacteria\n", "duplicate_taxon", 3, ""),
    ("map.txt", "#SampleID\ta\ta\nS1\tx\ty\n", "duplicate_column", 1, ""),
    ("t.biom", "{", "unreadable_file", None, ""),
    ("t.qza", "no archive", "unreadable_file", None, ""),
    ("t.rds", "no R data", "unreadable_file", None, ""),
    ("t.tsv", "version https://git-lfs.github.com/spec/v1\n", "git_lfs_pointer", None, ""),
    ("t.tsv", "", "empty_file", None, ""),
    ("t.tsv", "words alone\n", "unknown_format", None, ""),
):
    CASES.append(Case(f"{name} {code}", lab(name, text), code, (name, row, column)))


def test_the_catalogue_is_long_enough():
    assert len(CASES) >= 200


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_input_is_refused_with_its_code_place_and_remedy(case, folder):
    problems = case.do(folder)
    assert (case.code, case.place) in [(p.code, (p.file, p.row, p.column)) for p in problems]
    assert all(problem.message and problem.remedy for problem in problems)
    if len(case.value) > 2:
        assert not any(case.value in problem.message + problem.remedy for problem in problems)
