"""PROBAST+AI (Moons et al. 2025) as checks on a run record."""

from __future__ import annotations

from training.audit import checklist
from training.audit.checklist import CANNOT, FAIL, PASS, Check, Evidence, Judgement, stated, unstated
from training.audit.tripod_ai import subgroups_judged

_LEAST_PEOPLE = 100


def _size(evidence: Evidence) -> Judgement:
    people = int(evidence.record.get("subjects") or 0)
    text = f"{people} people; below {_LEAST_PEOPLE} neither coverage nor increments can be established"
    return (PASS if people >= _LEAST_PEOPLE else FAIL), text


def _all_steps(evidence: Evidence) -> Judgement:
    noise = evidence.record.get("noise") or []
    if not noise:
        return CANNOT, "the search was not repeated on shuffled outcomes, so leakage of a step would not show"
    nested = [row["nested_r2"] for row in noise]
    high = max(nested)
    text = f"on shuffled outcomes the whole search reaches R2 {high:.3f} at most ({len(nested)} shuffles)"
    return (PASS if high <= 0.1 else FAIL), text


def _optimism(evidence: Evidence) -> Judgement:
    if evidence.record.get("metrics"):
        return PASS, "every figure is of held-out people in nested resampling"
    return FAIL, "no held-out figure is recorded"


def _baseline_overlap(evidence: Evidence) -> Judgement:
    if evidence.record.get("task") != "change":
        return checklist.NOT_APPLICABLE, "the outcome is not a change from a baseline score"
    floor = evidence.record.get("reference_rows", {}).get("baseline")
    if not floor:
        return FAIL, "the outcome contains the baseline score, and no baseline-only row is shown beside it"
    return (
        PASS,
        f"the baseline score is part of the change; shown beside it: baseline-only R2 {floor['r2']['estimate']:.3f}",
    )


CHECKS = (
    Check("PB-1", "appropriate data source", stated("sources"), "participants"),
    Check("PB-2", "inclusion does not depend on follow-up", unstated("reasons for inclusion"), "participants"),
    Check("PB-3", "predictors are made by one code for all rows", checklist.versions_stated, "predictors"),
    Check("PB-4", "no predictor uses knowledge of the outcome", checklist.gate("no_leak"), "predictors"),
    Check("PB-5", "all predictors are available at intended use", unstated("availability in the clinic"), "predictors"),
    Check("PB-6", "outcome pre-specified by instrument", stated("instrument"), "outcome"),
    Check("PB-7", "predictors are not part of the outcome, or their share is shown", _baseline_overlap, "outcome"),
    Check("PB-8", "time between predictor and outcome", stated("lag"), "outcome"),
    Check("PB-9", "reasonable sample size", _size, "analysis"),
    Check("PB-10", "no screening of predictors outside the folds", _all_steps, "analysis"),
    Check("PB-11", "all enrolled are analysed or counted", stated("rows"), "analysis"),
    Check("PB-12", "resampling repeats all steps, by person", checklist.one_fold_each, "analysis"),
    Check("PB-13", "calibration and discrimination", checklist.interval_of("r2", "mae", "coverage"), "analysis"),
    Check("PB-14", "estimates free of optimism", _optimism, "analysis"),
    Check("PB-15", "fairness assessed in declared groups", subgroups_judged, "analysis"),
    Check("PB-16", "overall judgement by rule (overrides are not judged)", stated("gates"), "analysis"),
)
