"""TRIPOD+AI (Collins et al. 2024) as checks on a run record."""

from __future__ import annotations

from collections import Counter

import numpy as np

from features.errors import InvalidInput
from features.instruments import find
from training.audit import checklist, diagnostics
from training.audit.checklist import CANNOT, FAIL, PASS, Check, Evidence, Judgement, stated, unstated
from training.metrics import resamples


def _preprocessing(evidence: Evidence) -> Judgement:
    files = evidence.bundle.get("files", {})
    if "model.json" not in files:
        return CANNOT, "the run left no model whose preprocessing could be compared"
    return PASS, f"the fitted encoding is part of the bundle that is served: model.json {files['model.json'][:19]}..."


def _instrument(evidence: Evidence) -> Judgement:
    try:
        instrument = find(str(evidence.record.get("instrument")))
    except InvalidInput:
        return CANNOT, "the outcome is not a registered instrument: its rules cannot be named"
    lag = evidence.record.get("lag")
    if not lag:
        return CANNOT, f"{instrument.name}; the time between baseline and outcome is not stated"
    return (
        PASS,
        f"{instrument.name}, follow-up after {lag['low']:g} to {lag['high']:g} ({evidence.record['cohort'].get('outcome_time_unit')})",
    )


def _output(evidence: Evidence) -> Judgement:
    try:
        instrument = find(str(evidence.record.get("instrument")))
    except InvalidInput:
        return CANNOT, "unit and direction of an unregistered instrument are not known"
    return (
        PASS,
        f"points of {instrument.name}, {'lower' if instrument.lower_is_better else 'higher'} is better; 90 % interval",
    )


def _all_measures(evidence: Evidence) -> Judgement:
    status, text = checklist.interval_of("r2", "mae", "coverage")(evidence)
    if status == FAIL:
        return status, text
    answers = evidence.run.answers()
    slope = diagnostics.calibration(answers, resamples(answers.subject, seed=0, draws=500))["slope"]
    if np.isnan(slope.estimate):
        return FAIL, f"{text}; the calibration slope cannot be computed"
    return (
        PASS,
        f"{text}; calibration slope {slope.estimate:.2f} [{slope.lower:.2f}, {slope.upper:.2f}] (computed here)",
    )


def _sample_size(evidence: Evidence) -> Judgement:
    found = evidence.record.get("sample_size")
    if not found:
        return CANNOT, "no reasoning about sample size is recorded"
    stated_r2 = found["held_out_r2"]
    seen = f"{found['people']} people, {found['candidate_columns']} candidate columns, held-out R2 " + (
        "not known" if stated_r2 is None else f"{stated_r2:.3f}"
    )
    needed = found["people_needed"]
    goal = f"expected shrinkage of {found['shrinkage_target']:g} needs {'more than can be had' if needed is None else needed}"
    return (PASS if found["met"] else FAIL), f"{seen}; {goal} ({found['source']})"


def _trials(evidence: Evidence) -> Judgement:
    table, tried = evidence.run.folder / "trials.tsv", evidence.record.get("configurations_tried")
    if not table.is_file() or not tried:
        return CANNOT, f"{tried} configurations per fold; no table of them is in the run folder"
    folds = Counter(line.split("\t")[0] for line in table.read_text(encoding="utf-8").splitlines()[1:])
    text = f"trials.tsv: {sum(folds.values())} trials of {len(folds)} outer folds, at most {tried} configurations each"
    # A search within a time budget may stop earlier in some folds.
    budget = (evidence.record.get("search") or {}).get("budget_s")
    whole = max(folds.values(), default=0) == tried and (budget or set(folds.values()) == {tried})
    return (PASS if whole else FAIL), text


def subgroups_judged(evidence: Evidence) -> Judgement:
    """Declared in the settings, so before the evaluation; each with its error, or named as too few."""
    declared = evidence.record.get("config", {}).get("subgroups")
    if not declared:
        return CANNOT, "run.json does not state config.subgroups"
    rows = evidence.record.get("subgroups") or []
    missing = [name for name in declared if name not in {row["by"] for row in rows}]
    if missing:
        return FAIL, f"declared and without a result: {', '.join(missing)}"
    judged = [f"{row['by']} {row['group']} {row['mae']:.2f}" for row in rows if "mae" in row]
    few = len(rows) - len(judged)
    return PASS, f"mean absolute error in points: {', '.join(judged) or 'none'}; {few} groups of too few people"


def _flow(evidence: Evidence) -> Judgement:
    record = evidence.record
    if record.get("rows") is None or record.get("dropped_rows") is None:
        return CANNOT, "run.json does not count the rows"
    return (
        PASS,
        f"{record['rows']} rows of {record['subjects']} people used, {record['dropped_rows']} left out without a target",
    )


def _parent(evidence: Evidence) -> Judgement:
    if evidence.record.get("parent"):
        return stated("parent")(evidence)
    return checklist.NOT_APPLICABLE, "the record names no parent: this is a run of its own, not an update"


CHECKS = (
    Check(
        "TR-1/2",
        "target population, outcome and model family are named",
        checklist.all_stated(("cohort", "title"), ("instrument",), ("final_model", "entry")),
    ),
    Check("TR-3c", "known health inequalities of the target population are stated", unstated("health inequalities")),
    Check("TR-5a", "source of every data set", stated("sources")),
    Check("TR-5b", "start and end of accrual and follow-up", stated("cohort", "accrual")),
    Check("TR-6c", "therapy received by every row (other treatments are not judged)", stated("arms")),
    Check("TR-7", "preprocessing is code with a digest, the same object at training and serving", _preprocessing),
    Check("TR-8", "outcome instrument and time window", _instrument),
    Check("TR-9", "every predictor was measured at or before baseline", checklist.gate("no_leak")),
    Check("TR-10", "sample-size reasoning", _sample_size),
    Check("TR-11", "missing-data method, fitted inside the resampling loop", stated("missing_data")),
    Check("TR-12a", "data are partitioned by person, without overlap", checklist.one_fold_each),
    Check("TR-12c", "every tuning trial is in the record", _trials),
    Check("TR-12d", "heterogeneity between sites or studies", checklist.several_studies),
    Check("TR-12e", "discrimination, calibration, error and coverage with intervals", _all_measures),
    Check("TR-14", "subgroups declared before the evaluation", subgroups_judged),
    Check("TR-15", "unit, direction and meaning of the output", _output),
    Check("TR-16", "differences between training and evaluation setting", unstated("differences of setting")),
    Check("TR-18a", "funding", stated("cohort", "funding")),
    Check("TR-18b", "conflicts of interest", stated("cohort", "conflicts")),
    Check("TR-18c", "protocol and registration", stated("cohort", "registration")),
    Check("TR-18e", "availability of data", stated("cohort", "licence")),
    Check("TR-18f", "code and lock by digest", checklist.versions_stated),
    Check("TR-19", "patient involvement", unstated("patient involvement")),
    Check("TR-20/21", "participant flow with counts", _flow),
    Check("TR-22", "the model can be exported in full", checklist.left_a_model),
    Check("TR-23a", "performance with intervals", checklist.interval_of("r2", "mae")),
    Check("TR-23b", "what the microbiome and lifestyle add", checklist.increment_tested),
    Check("TR-24", "an update is a new run with a parent", _parent),
    Check("TR-27a", "behaviour on poor or missing inputs, probed", unstated("a live probe of the service")),
)
