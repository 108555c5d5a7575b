"""Who a run learned from: distributions without small cells, blanks, declared groups, people enough or not."""

from dataclasses import replace

import numpy as np
import pytest

from features.importers.folder import read_cohort
from training import people
from training.assess import held_out
from training.problem import pose
from training.protocol import evaluate, outer_splits


@pytest.mark.parametrize(
    ("counts", "kept"),
    [
        ({"female": 40, "male": 25}, {"female": 40, "male": 25}),
        ({"female": 40, "male": 25, "x": 3, "y": 8}, {"female": 40, "male": 25, "other": 11}),
        ({"female": 40, "male": 25, "x": 3}, {"female": 40, "other": 28}),  # 3 alone could be worked out by subtraction
        ({"female": 40, "x": 3}, {"other": 43}),
        ({"x": 3, "y": 4}, {}),
        ({}, {}),
    ],
)
def test_no_cell_is_below_ten_nor_can_be_worked_out(counts, kept):
    assert people.safe_cells(counts) == kept


@pytest.mark.parametrize(
    ("r2", "columns", "needed"), [(0.2, 25, 918), (0.3, 25, 574), (0.2, 50, 1924), (0.5, 100, 1264)]
)
def test_people_needed_are_those_of_the_published_programme(r2, columns, needed):
    """The known answers are those of pmsampsize's own tests (criterion 1 of Riley et al. 2019)."""
    assert people.people_needed(columns, r2) == needed


@pytest.fixture(scope="module")
def cohort(cohort_folder):
    return read_cohort(cohort_folder, instrument="PHQ-9")


@pytest.fixture(scope="module")
def problem(cohort):
    return pose(cohort, "PHQ-9", task="change", follow_up=None, positive="")


def with_life(problem, **columns):
    life = {name: np.array(values, dtype=object) for name, values in columns.items()}
    return replace(problem, design=replace(problem.design, covariates=life))


def test_age_and_sex_of_eighty_people(problem):
    ages, sexes = [float(20 + i % 41) for i in range(80)], ["female"] * 50 + ["male"] * 26 + [None] * 4
    found = people.demographics(with_life(problem, age_years=ages, sex=sexes))
    low, median, high = np.quantile(ages, [0.25, 0.5, 0.75])
    assert found["age_years"] == {"people": 80, "median": median, "quartiles": [low, high]}
    assert found["sex"] == {"female": 50, "male": 26}
    few = [30.0] * 19 + [None] * 61
    assert people.demographics(with_life(problem, age_years=few)) == {}


def test_blanks_are_shares_and_few_ones_are_not_counted(problem):
    half, few = [None] * 40 + [1.0] * 40, [None] * 9 + [1.0] * 71
    shares = people.missing_data(with_life(problem, half=half, few=few, none=[1.0] * 80))["share_of_rows"]
    assert shares == {"baseline score": 0.0, "few": "few", "half": 0.5, "none": 0.0, "stool sample": 0.0}


def test_what_the_header_says_is_carried_and_nothing_else(cohort, problem):
    info = replace(cohort.info, title="a trial", extra={"funding": "a fund", "sequencing": {"platform": "MiSeq"}})
    found = people.described(replace(cohort, info=info), problem)
    assert (found["title"], found["funding"], found["sequencing"]) == ("a trial", "a fund", {"platform": "MiSeq"})
    assert "accrual" not in found


def test_declared_groups_have_their_error_and_small_ones_no_figures(problem):
    evaluation = evaluate(problem, outer_splits(problem, repeats=1, seed=0, folds=2), seed=0, candidates=(), jobs=1)
    held = held_out(problem, evaluation, "baseline")
    own = with_life(problem, sex=["female"] * 60 + ["male"] * 15 + ["other"] * 5)
    rows = {row["group"]: row for row in people.subgroups(own, held, ["sex"])}
    error = held.prediction[0] - problem.y
    assert rows["female"] == {
        "by": "sex", "group": "female", "people": 60,
        "mae": pytest.approx(np.abs(error[:60]).mean()), "mean_error": pytest.approx(error[:60].mean()),
    }  # fmt: skip
    assert rows["male"] == {"by": "sex", "group": "male", "people": 15}
    assert rows["other"] == {"by": "sex", "group": "other", "people": None}


def test_too_few_people_are_flagged_with_the_number_that_is_needed(problem):
    found = people.sample_size(problem, 0.3)
    assert (found["people"], found["met"]) == (80, False)
    assert found["people_needed"] == people.people_needed(found["candidate_columns"], 0.3) > 80
    assert people.sample_size(problem, -0.1)["people_needed"] is None
