"""What a training run does between reading the cohort and writing things down: validate, judge, fit what is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from features.cohort import Cohort
from models.bundle import Bundle
from models.catalog import CATALOG
from training import design_audit, findings, gates, people, report, runfolder, splits
from training.assess import HeldOut, held_out
from training.config import SEARCH, RunConfig
from training.finalfit import fit_final
from training.heterogeneity import between_studies
from training.importance import importance, taxa
from training.metrics import resamples
from training.problem import Problem
from training.protocol import (
    CHOSEN,
    Evaluation,
    candidates_for,
    evaluate,
    leave_one_study_out,
    outer_splits,
    repeats_for,
)
from training.selection import Configuration
from training.shuffles import shuffled
from training.splits import Split

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Trained:
    """What a training run found, before it is written down."""

    cohort: Cohort
    problem: Problem
    evaluation: Evaluation
    answers: dict[str, HeldOut]
    record: dict[str, Any]
    bundle: Bundle | None


def learn(
    cohort: Cohort,
    problem: Problem,
    config: RunConfig,
    *,
    run_id: str,
    name: str,
    say: Say,
    partial: Path | None = None,
) -> Trained:
    """Evaluate by nested validation, judge the gates, and fit the model that is kept; `partial` keeps finished folds."""
    enough = problem.people >= gates.LEAST_PEOPLE
    folds = _splits(problem, config)
    design = _audited(cohort, problem, folds, say)
    deadline = time.time() + config.search_budget if config.search_budget else inf
    clock = time.perf_counter()
    evaluation, studies = _validated(problem, config, folds, deadline, partial)
    timings = {"nested_validation_s": time.perf_counter() - clock}
    tried = tuple(name for name in evaluation.candidates if config.model in (SEARCH, name))
    draws = _shuffles(problem, config) if enough and tried else 0  # a reference is not searched for
    noise = shuffled(problem, draws=draws, seed=config.seed, candidates=tried, partial=partial)
    shown = [row for row in evaluation.predictions if row in CATALOG or row == CHOSEN]
    answers = {row: held_out(problem, evaluation, row, config.interval_groups) for row in shown}
    record = findings.header(cohort, problem, config, evaluation, run_id=run_id, name=name)
    search = findings.search(evaluation, candidates_for(problem.people, config.model), config.search_budget)
    record |= {"design_audit": design, "search": search, "noise": [row._asdict() for row in noise]}
    record |= _figures(problem, config, evaluation, studies, answers, design_audit.high(design))
    record["warnings"] += findings.sample_warnings(cohort, problem)
    clock = time.perf_counter()
    bundle, fit_s = None, 0.0
    if enough and problem.task == "change":
        bundle, fit_s = _kept(problem, evaluation, studies, config, record, deadline)
    # CPU seconds of the additive model's out-of-fold and final fits: what its predictions and intervals cost.
    timings |= {
        "final_fit_s": time.perf_counter() - clock,
        "additive_fit_and_intervals_s": evaluation.additive_s + fit_s,
    }
    record["timings"] = timings
    return Trained(cohort, problem, evaluation, answers, runfolder.plain(record), bundle)


def _validated(
    problem: Problem, config: RunConfig, folds: tuple[Split, ...], deadline: float, partial: Path | None
) -> tuple[Evaluation, Evaluation | None]:
    """Return the nested validation, and that of whole studies left out; of too few people the references alone."""
    enough = problem.people >= gates.LEAST_PEOPLE
    candidates = candidates_for(problem.people, config.model) if enough else ()
    evaluation = evaluate(
        problem, folds, seed=config.seed, candidates=candidates, jobs=config.jobs, deadline=deadline, partial=partial
    )
    if not enough:
        return evaluation, None
    if config.model != SEARCH:
        evaluation = _fixed(evaluation, config.model)
    return evaluation, leave_one_study_out(problem, seed=config.seed, jobs=config.jobs, partial=partial)


def _figures(
    problem: Problem, config: RunConfig, evaluation: Evaluation, studies: Evaluation | None, answers: dict[str, HeldOut],
    risks: tuple[str, ...],
) -> dict[str, Any]:  # fmt: skip
    weights = resamples(problem.subjects, seed=config.seed)
    record = findings.figures(problem, evaluation, answers, weights, risks)
    return record | {
        "leave_one_study_out": findings.study_figures(problem, studies),
        "heterogeneity": between_studies(problem, studies),
        "literature": findings.literature_figures(problem, evaluation, weights),
        "subgroups": people.subgroups(problem, answers.get(CHOSEN, answers["mean"]), config.subgroups),
        "sample_size": people.sample_size(problem, record["metrics"].get("r2", {}).get("estimate")),
    }


def _audited(cohort: Cohort, problem: Problem, folds: Sequence[Split], say: Say) -> dict[str, Any]:
    """Look at the design before anything is fitted, and say what is not low."""
    k = len(np.unique(folds[0].fold))
    say(f"{len(problem.y)} rows of {problem.people} people, {len(folds)} x {k} folds by subject")
    found = design_audit.audit(cohort, problem, folds=k, repeats=len(folds))
    for line in design_audit.lines(found):
        say(line)
    return found


def _kept(
    problem: Problem,
    evaluation: Evaluation,
    studies: Evaluation | None,
    config: RunConfig,
    record: dict[str, Any],
    deadline: float,
) -> tuple[Bundle, float]:
    """Fit the model that is kept and add to the record what it goes by; return its bundle and the CPU seconds of the fit."""
    widen = findings.widening(problem, evaluation, studies)
    final = fit_final(problem, evaluation, config, widen=widen, manifest=_bundle_fields(record), deadline=deadline)
    record["final_model"] = {"entry": final.configuration.entry, "params": dict(final.configuration.params)}
    record["importance"] = importance(problem, final)
    record["taxa"] = taxa(problem, evaluation, studies, record)
    return final.bundle, final.fit_s


def _fixed(evaluation: Evaluation, model: str) -> Evaluation:
    """A run of one named model: that row takes the place of the search's."""
    return replace(
        evaluation,
        predictions={**evaluation.predictions, CHOSEN: evaluation.predictions[model]},
        sds={**evaluation.sds, CHOSEN: evaluation.sds[model]},
        choices=tuple(replace(c, winner=c.per_entry.get(model, Configuration(model, {}))) for c in evaluation.choices),
    )


def _shuffles(problem: Problem, config: RunConfig) -> int:
    return config.shuffles if config.shuffles >= 0 else (3 if problem.people <= 100 else 1)


def _splits(problem: Problem, config: RunConfig) -> tuple[Split, ...]:
    if config.splits:
        return (splits.read_own(Path(config.splits), problem.design),)
    return outer_splits(
        problem, repeats=config.repeats or repeats_for(problem.people), seed=config.seed, folds=config.folds
    )


def _bundle_fields(record: dict[str, Any]) -> dict[str, Any]:
    kept = (
        "model_name",
        "run_id",
        "data_digest",
        "split_digest",
        "code_digest",
        "lock_digest",
        "task",
        "nomenclature_version",
    )
    named = {"kind": "bundle", "name": record["model_name"], **{name: record[name] for name in kept}}
    arm = next((row["verdict"] for row in record["increment"] if row["block"] == "arm"), "not shown")
    design = {
        "randomised": record["cohort"]["randomised"],
        "arm_effect": arm,
        "time_unit": record["cohort"]["outcome_time_unit"],
    }
    return {**named, **design, "card": report.card(runfolder.plain(record))}
