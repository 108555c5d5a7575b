"""What a run found, as the record that is written down: who and what was learned from, figures, gates, warnings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from features.cohort import Cohort
from features.digest import file_digest
from features.nomenclature import synonyms
from models.catalog import CATALOG
from models.intervals import quantile
from models.literature import effects_for
from training import gates, people, splits
from training.abstention import reject_curves
from training.assess import (
    LEVEL,
    HeldOut,
    as_json,
    decision_curves,
    gain_over_mean,
    held_out,
    interval_metrics,
    mae_loss,
    probability_metrics,
    row_metrics,
    scaled_residuals,
)
from training.config import RunConfig
from training.groups import interval_groups, probability_groups
from training.increment import Increment, increments
from training.metrics import CALIBRATION, resamples
from training.problem import Problem
from training.protocol import BLIND, CHOSEN, NO_LITERATURE, Evaluation, increment_pairs
from training.provenance import provenance
from training.selection import configurations


def header(
    cohort: Cohort, problem: Problem, config: RunConfig, evaluation: Evaluation, *, run_id: str, name: str
) -> dict[str, Any]:
    """Return what a run learned from, with what settings, code and lock: the part of the record known beforehand."""
    design = problem.design
    lag = design.lag[~np.isnan(design.lag)]
    return {
        "format_version": 1, "run_id": run_id, "model_name": name, "instrument": problem.instrument.name, "task": problem.task,
        "positive": problem.positive, "config": config.recorded(), "data_digest": cohort.digest, "sources": dict(cohort.source),
        "cohort": people.described(cohort, problem), "missing_data": people.missing_data(problem),
        "split_digest": splits.digest(list(evaluation.splits), problem.subjects), "rows": len(problem.y), "subjects": problem.people,
        "dropped_rows": problem.dropped, "stool_rows": int(design.stool.sum()), "genera": len(design.genera),
        "arms": people.rows_of_arms(design),
        "lag": {"low": float(lag.min()), "median": float(np.median(lag)), "high": float(lag.max())} if len(lag) else None,
        "consent_versions": sorted({str(v) for v in cohort.samples.get("consent_version", []) if v is not None}),
        "claim": "prognostic", "nomenclature_version": synonyms().version, **provenance(), **_features(problem),
        "files": {setting: {"name": path.name, "digest": file_digest(path)} for setting, path in config.files().items()},
    }  # fmt: skip


def _features(problem: Problem) -> dict[str, Any]:
    """Return what the record says of further feature blocks; nothing where a run has none."""
    blocks = {b.kind: {"digest": b.digest, "lists": [name for name, _ in b.sets]} for b in problem.derived}
    return {"features": blocks} if blocks else {}


def figures(
    problem: Problem, evaluation: Evaluation, answers: dict[str, HeldOut], weights: Any, design_risks: tuple[str, ...]
) -> dict[str, Any]:
    """Return metrics, reference and model rows, increments, gates and warnings of an evaluation."""
    rows = {row: row_metrics(problem, held, weights) for row, held in answers.items()}
    names = [name for name, entry in CATALOG.items() if entry.reference]
    reference = {name: {"title": CATALOG[name].title, **as_json(rows[name])} for name in names}
    if problem.people < gates.LEAST_PEOPLE:
        return {"reference_rows": reference, **_too_few(problem)}
    interval = interval_metrics(problem, answers[CHOSEN], weights)
    calibration = probability_metrics(problem, answers[CHOSEN], weights, CALIBRATION)
    gain = gain_over_mean(problem, evaluation, CHOSEN, weights)
    folds = len(np.unique(evaluation.fold))
    added = increments(problem.y, evaluation.predictions, _testable(problem), weights, folds=folds)
    lost, floor = mae_loss(problem, evaluation, CHOSEN, weights)
    cover, claims = interval["coverage"], tuple(i.block for i in added)
    judged = gates.Figures(
        problem.people,
        gain.lower,
        lost,
        floor,
        cover.estimate,
        cover.lower,
        cover.upper,
        claims,
        problem.task == "change",
        design_risks,
    )
    return {
        "reference_rows": reference, "metrics": {**as_json(rows[CHOSEN] | calibration | interval), "r2_gain_over_mean": gain.as_dict()},
        "decision_curve": decision_curves(problem, answers, CHOSEN, weights),
        "interval_groups": interval_groups(problem, answers[CHOSEN], weights),
        "probability_groups": probability_groups(problem, answers[CHOSEN], weights),
        "reject_curve": reject_curves(problem, evaluation, answers[CHOSEN], weights),
        "model_rows": {name: {"title": CATALOG[name].title, **as_json(rows[name])} for name in evaluation.candidates},
        "increment": [i.as_dict() for i in added], "gates": {name: v.as_dict() for name, v in gates.judge(judged).items()},
        "chosen_per_fold": _counted(evaluation), "configurations_tried": max((choice.tried for choice in evaluation.choices), default=0),
        "warnings": _warnings(problem, rows[CHOSEN], added),
    }  # fmt: skip


def _too_few(problem: Problem) -> dict[str, Any]:
    verdict = gates.GATES["enough_people"](gates.Figures(problem.people, 0, 0, 0, 0, 0, 0, ()))
    empty: dict[str, Any] = {
        name: {}
        for name in ("metrics", "model_rows", "chosen_per_fold", "decision_curve", "reject_curve", "probability_groups")
    }
    stated = {"gates": {"enough_people": verdict.as_dict()}, "warnings": ["too few people"]}
    return {**empty, "increment": [], "interval_groups": [], "configurations_tried": 0, **stated}


def search(evaluation: Evaluation, candidates: Sequence[str], budget: float) -> dict[str, Any]:
    """Return how far the search came: configurations offered, and the fewest and most tried in a fold, within what budget."""
    tried = [choice.tried for choice in evaluation.choices]
    return {
        "budget_s": budget or None, "offered": len(configurations(candidates)) if tried else 0,
        "tried_least": min(tried, default=0), "tried_most": max(tried, default=0), "candidates": list(evaluation.candidates),
    }  # fmt: skip


def _testable(problem: Problem) -> list[tuple[str, str, str]]:
    design = problem.design
    functions = design.functions
    present = {
        "microbiome": design.stool.any(),
        "lifestyle": bool(design.covariates),
        "arm": len(set(design.arm.tolist())) > 1,
        "diversity": design.stool.any(),
        "producers": design.stool.any(),
        "modules": functions is not None and bool((functions > 0).any()),
    }
    return [pair for pair in increment_pairs(problem) if present[pair[0]]]


def _counted(evaluation: Evaluation) -> dict[str, int]:
    winners = [choice.winner.entry for choice in evaluation.choices]
    return {name: winners.count(name) for name in sorted(set(winners))}


def _warnings(problem: Problem, found: Any, added: list[Increment]) -> list[str]:
    """A headline that is too good for one small trial is a reason to audit, not to rejoice."""
    said = []
    if (
        problem.people < 200
        and found["r2"].estimate > 0.15
        and any(i.block == "microbiome" and i.verdict == "shown" for i in added)
    ):
        said.append(
            "A microbiome increment on fewer than 200 people is rare in this field: have the run audited before it is used."
        )
    if not problem.design.stool.any():
        said.append("The cohort has no stool samples: the model rests on baseline, lifestyle and arm.")
    if problem.dropped:
        said.append(f"{problem.dropped} outcome rows have no target and were left out.")
    return said


def sample_warnings(cohort: Cohort, problem: Problem) -> list[str]:
    """Return a line where stool was taken after the baseline it stands for (times in one unit only)."""
    info, samples = cohort.info, cohort.samples
    blank = [None] * len(samples["sample_id"])
    cells = zip(samples["sample_id"], samples.get("time", blank), samples.get("time_unit", blank), strict=True)
    taken = {
        sample: float(time)
        for sample, time, unit in cells
        if isinstance(time, float)
        and (unit or info.time_unit).split(" ")[0] == (info.outcome_time_unit or info.time_unit)
    }
    design = problem.design
    late = sum(taken.get(s, -np.inf) > start for s, start in zip(design.sample, design.baseline_time, strict=True))
    if not late:
        return []
    return [
        f"stool_after_baseline: in {late} of {len(design)} rows the stool was taken after the baseline score, so it may "
        "already show the therapy."
    ]


def literature_figures(problem: Problem, evaluation: Evaluation, weights: Any) -> dict[str, Any]:
    """Return the published effects that served as prior means, and the additive model's figures with and without them."""
    told = problem.literature
    if told is None:
        return {}
    effects = effects_for(told, problem.instrument.name, sorted(set(problem.design.arm.tolist())), problem.comparator)
    rows = {"with": "additive", "without": NO_LITERATURE}
    figures = {
        name: as_json(row_metrics(problem, held_out(problem, evaluation, row), weights))
        for name, row in rows.items() if row in evaluation.predictions
    }  # fmt: skip
    return {"name": told.name, "effects": {name: vars(effect) for name, effect in effects.items()}, **figures}


def study_figures(problem: Problem, studies: Evaluation | None) -> dict[str, Any]:
    """Return the leave-one-study-out figures per model row; empty with a single study.

    The interval of a study is as wide as the other studies, each left out in its turn, say: what an unseen study may count on.
    """
    if studies is None:
        return {}
    weights = resamples(problem.subjects, seed=0)
    answers = {row: held_out(problem, studies, row) for row in studies.predictions}
    return {
        row: as_json(row_metrics(problem, held, weights) | interval_metrics(problem, held, weights))
        for row, held in answers.items()
    }


def widening(problem: Problem, evaluation: Evaluation, studies: Evaluation | None) -> tuple[float, float]:
    """Return how much wider an interval must be in a study training never saw: (uncentred, centred on itself), at least 1.

    Conformal quantiles of the additive model's scaled residuals, whole studies left out, over those within studies.
    """
    if studies is None:
        return 1.25, 1.0  # one study only: nothing measured, so a stated allowance
    inside = quantile(scaled_residuals(problem, evaluation, "additive"), LEVEL)
    blind, centred = (quantile(scaled_residuals(problem, studies, row), LEVEL) for row in (BLIND, "additive"))
    return max(1.0, blind / inside), max(1.0, centred / inside)
