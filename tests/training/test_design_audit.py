"""The design audit: associations by hand, planted faults named with their remedy, ordinary cohorts let through."""

from dataclasses import replace

import numpy as np
import pytest

from features.importers.folder import read_cohort
from features.synthetic import simulate
from training import design_audit
from training.design_audit import audit, cramers_v, high, lines
from training.gates import GATES, Figures
from training.problem import pose


def _column(values):
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


@pytest.fixture(scope="module")
def cohort():
    return simulate(subjects=200, seed=3)[0]


def _with_batch(cohort, batch):
    """The cohort with a batch of each sample, given by its subject's row."""
    return replace(
        cohort, samples={**cohort.samples, "plate": _column([batch[s] for s in cohort.samples["subject_id"]])}
    )


def _found(cohort, problem=None):
    problem = problem or pose(cohort, "PHQ-9")
    seen = audit(cohort, problem, folds=5, repeats=2)
    return seen, {(one["code"], one["says"].split(":")[0]): one for one in seen["findings"]}


def test_cramers_v_by_hand():
    a = np.repeat(["x", "y"], 50)
    assert cramers_v(a, a) == pytest.approx(1.0)
    assert cramers_v(a, np.tile(["p", "q"], 50)) == 0.0
    # 40/10 against 10/40: chi2 = 36, phi2 = .36 - 1/99, corrected sides 2 - 1/99 each, less one.
    b = np.array(["p"] * 40 + ["q"] * 10 + ["p"] * 10 + ["q"] * 40)
    assert cramers_v(a, b) == pytest.approx(np.sqrt((0.36 - 1 / 99) / (1 - 1 / 99)))


def test_an_ordinary_cohort_has_no_high_risk_and_its_scheme_is_named(cohort):
    seen, _ = _found(cohort)
    assert high(seen) == ()
    assert seen["scheme"] == "nested cross-validation, 5 outer folds by subject drawn 2 times"
    several = simulate(subjects=200, seed=3, studies=3)[0]
    seen, _ = _found(several)
    assert high(seen) == ()
    assert "each of 3 studies left out whole" in seen["scheme"]


def test_arms_each_sequenced_on_a_plate_of_their_own_are_a_high_risk(cohort):
    problem = pose(cohort, "PHQ-9")
    arm = dict(zip(problem.subjects, problem.design.arm, strict=True))
    seen, found = _found(_with_batch(cohort, {who: f"plate {arm[who]}" for who in arm}))
    assert high(seen) == ("arm_aligned_with_batch",)
    one = found["arm_aligned_with_batch", "arm and plate"]
    assert one["figure"] > 0.95
    assert "Give every arm in every plate" in one["remedy"]
    assert any("high arm_aligned_with_batch" in line for line in lines(seen))


def test_a_batch_that_goes_with_the_outcome_is_a_high_risk(cohort):
    problem = pose(cohort, "PHQ-9")
    responds = design_audit.event_bar(problem, "response")[1]
    batch = {who: "late" if hit else "early" for who, hit in zip(problem.subjects, responds, strict=True)}
    seen, _ = _found(_with_batch(cohort, batch))
    assert "batch_aligned_with_outcome" in high(seen)


def test_an_effect_of_a_randomised_arm_is_no_fault_of_the_design(cohort):
    problem = pose(cohort, "PHQ-9")
    responds = design_audit.event_bar(problem, "response")[1]
    arms = _column(np.where(responds > 0, "active", "placebo").tolist())
    told = replace(problem, design=replace(problem.design, arm=arms))
    trial, open_label = (replace(cohort, info=replace(cohort.info, randomised=flag)) for flag in (True, False))
    assert high(_found(trial, told)[0]) == ()
    assert high(_found(open_label, told)[0]) == ("arm_aligned_with_outcome",)


def test_covariates_that_tell_the_batch_are_named(cohort):
    problem = pose(cohort, "PHQ-9")
    ages = problem.design.covariates["age_years"]
    median = np.median([value for value in ages if value is not None])
    batch = {who: "old" if (age or 0) > median else "young" for who, age in zip(problem.subjects, ages, strict=True)}
    seen, _ = _found(_with_batch(cohort, batch))
    one = next(one for one in seen["findings"] if one["code"] == "covariates_tell_batch")
    assert one["level"] == "high"
    assert one["figure"] > 0.8


def test_a_batch_at_random_is_low(cohort):
    rng = np.random.default_rng(0)
    seen, _ = _found(_with_batch(cohort, {who: f"p{rng.integers(3)}" for who in cohort.samples["subject_id"]}))
    assert {one["level"] for one in seen["findings"] if "batch" in one["code"]} == {"low"}


def test_repeats_are_counted_and_people_are_the_sample_size(cohort):
    problem = pose(cohort, "PHQ-9")
    twice = problem.take(np.repeat(np.arange(100), 2))
    _, found = _found(cohort, twice)
    assert found["repeated_measures", "200 rows of 100 people, at most 2 of one person"]["figure"] == 2.0
    assert any("100 people for" in says for code, says in found if code == "sample_size")


def test_a_high_risk_makes_the_gate_fail_and_names_it():
    figures = Figures(150, 0.05, 0.02, 1.0, 0.9, 0.85, 0.94, (), design_risks=("arm_aligned_with_batch",))
    verdict = GATES["sound_design"](figures)
    assert verdict.status == "fail"
    assert "arm_aligned_with_batch" in verdict.reason


@pytest.mark.shared
@pytest.mark.parametrize(
    ("folder", "instrument", "task"),
    [("p8_probiotic_stress_2021", "PSS-10", "change"), ("micropouch_fmt_2024", "PDAI", "change"),
     ("fefifo_wastyk_2021", "olink_ADA", "change"), ("ihmp_ibdmdb_2019", "HBI", "change"),
     ("gespic_spa_2022", "BASDAI", "score"), ("parkinson_cirstea_2020", "BDI", "score")],
)  # fmt: skip
def test_real_cohorts_have_no_high_risk(shared, folder, instrument, task):
    accept = frozenset({"score_out_of_range", "same_sample_two_ids", "stool_after_baseline", "lifestyle_out_of_range"})
    cohort = read_cohort(shared / "data" / folder, accept=accept)
    name = instrument if instrument in cohort.instruments else cohort.instruments[0]
    assert high(audit(cohort, pose(cohort, name, task=task), folds=5, repeats=5)) == ()
