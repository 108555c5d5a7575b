"""One function per command of the data scientist. The doors parse arguments and call these."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from features.cohort import Cohort
from features.derived import functions_of
from features.errors import Refused, invalid
from features.importers.folder import read_cohort
from features.withdrawn import without
from models.bundle import Bundle
from models.catalog import CANDIDATES, CATALOG
from models.seal import sign_folder
from training import design_audit, findings, gates, people, plots, report, runfolder, splits, tracking
from training.assess import HeldOut, held_out
from training.config import SEARCH, RunConfig
from training.finalfit import fit_final
from training.heterogeneity import between_studies
from training.importance import importance, taxa
from training.keyring import secret_id, signing_key, subject_secret
from training.leaks import refuse_leaks
from training.metrics import resamples
from training.problem import Problem, literature_for, pose, refuse_if_untestable
from training.protocol import (
    CHOSEN,
    Evaluation,
    evaluate,
    leave_one_study_out,
    outer_splits,
    repeats_for,
    shuffled,
)
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


def train(
    folder: Path, config: RunConfig, *, name: str, uri: str | None, say: Say, barred: Callable[[set[str]], set[str]]
) -> dict[str, Any]:
    """Train, record and register; returns the JSON object of `vagus train --json`.

    `barred` names those of a cohort's people who have withdrawn: they are left out. Raises InvalidInput (bad cohort), Refused
    (a leak; too few people, where the run is recorded first).
    """
    started = time.time()
    derived, accept = config.derived(), frozenset(config.accept)
    cohort = read_cohort(folder, accept=accept, instrument=config.instrument, functions=functions_of(derived))
    cohort = without(cohort, barred(set(cohort.outcomes["subject_id"].tolist())))
    problem = pose(cohort, config.instrument, task=config.task, follow_up=config.follow_up, positive=config.positive)
    problem = replace(problem, derived=derived, literature=literature_for(problem, config.literature))
    refuse_if_untestable(problem)
    refuse_leaks(cohort, problem)
    api = tracking.client(uri)
    model_name = name or _default_name(problem)
    run_id = tracking.start_run(api, name=model_name, uri=uri)
    try:
        trained = learn(cohort, problem, config, run_id=run_id, name=model_name, say=say)
        return _write_down(api, trained, started, say)
    except BaseException:
        tracking.fail(api, run_id)
        raise


def learn(cohort: Cohort, problem: Problem, config: RunConfig, *, run_id: str, name: str, say: Say) -> Trained:
    """Evaluate by nested validation, judge the gates, and fit the model that is kept."""
    enough = problem.people >= gates.LEAST_PEOPLE
    folds = _splits(problem, config)
    design = _audited(cohort, problem, folds, say)
    clock = time.perf_counter()
    candidates = CANDIDATES if enough else ()
    evaluation = evaluate(problem, folds, seed=config.seed, candidates=candidates, jobs=config.jobs)
    if enough and config.model != SEARCH:
        evaluation = _fixed(evaluation, config.model)
    studies = leave_one_study_out(problem, seed=config.seed, jobs=config.jobs) if enough else None
    timings = {"nested_validation_s": time.perf_counter() - clock}
    noise = shuffled(problem, draws=_shuffles(problem, config), seed=config.seed) if enough else []
    record = findings.header(cohort, problem, config, evaluation, run_id=run_id, name=name)
    weights = resamples(problem.subjects, seed=config.seed)
    shown = [row for row in evaluation.predictions if row in CATALOG or row == CHOSEN]
    answers = {row: held_out(problem, evaluation, row, config.interval_groups) for row in shown}
    record |= findings.figures(problem, evaluation, answers, weights, design_audit.high(design))
    record["design_audit"] = design
    record["warnings"] += findings.sample_warnings(cohort, problem)
    record |= {
        "noise": [{"best_inner_r2": best, "nested_r2": nested} for best, nested in noise],
        "leave_one_study_out": findings.study_figures(problem, studies),
        "heterogeneity": between_studies(problem, studies),
        "literature": findings.literature_figures(problem, evaluation),
        "subgroups": people.subgroups(problem, answers.get(CHOSEN, answers["mean"]), config.subgroups),
        "sample_size": people.sample_size(problem, record["metrics"].get("r2", {}).get("estimate")),
    }
    clock = time.perf_counter()
    bundle, fit_s = None, 0.0
    if enough and problem.task == "change":
        bundle, fit_s = _kept(problem, evaluation, studies, config, record)
    # CPU seconds of the additive model's out-of-fold and final fits: what its predictions and intervals cost.
    timings |= {
        "final_fit_s": time.perf_counter() - clock,
        "additive_fit_and_intervals_s": evaluation.additive_s + fit_s,
    }
    record["timings"] = timings
    return Trained(cohort, problem, evaluation, answers, runfolder.plain(record), bundle)


def _audited(cohort: Cohort, problem: Problem, folds: Sequence[Split], say: Say) -> dict[str, Any]:
    """Look at the design before anything is fitted, and say what is not low."""
    k = len(np.unique(folds[0].fold))
    say(f"{len(problem.y)} rows of {problem.people} people, {len(folds)} x {k} folds by subject")
    found = design_audit.audit(cohort, problem, folds=k, repeats=len(folds))
    for line in design_audit.lines(found):
        say(line)
    return found


def _kept(
    problem: Problem, evaluation: Evaluation, studies: Evaluation | None, config: RunConfig, record: dict[str, Any]
) -> tuple[Bundle, float]:
    """Fit the model that is kept and add to the record what it goes by; return its bundle and the CPU seconds of the fit."""
    widen = findings.widening(problem, evaluation, studies)
    final = fit_final(problem, evaluation, config, widen=widen, manifest=_bundle_fields(record))
    record["final_model"] = {"entry": final.configuration.entry, "params": dict(final.configuration.params)}
    record["importance"] = importance(problem, final)
    record["taxa"] = taxa(problem, evaluation, record, seed=config.seed)
    return final.bundle, final.fit_s


def _fixed(evaluation: Evaluation, model: str) -> Evaluation:
    """A run of one named model: that row takes the place of the search's."""
    return replace(
        evaluation,
        predictions={**evaluation.predictions, CHOSEN: evaluation.predictions[model]},
        sds={**evaluation.sds, CHOSEN: evaluation.sds[model]},
    )


def _shuffles(problem: Problem, config: RunConfig) -> int:
    return config.shuffles if config.shuffles >= 0 else (3 if problem.people <= 100 else 1)


def _splits(problem: Problem, config: RunConfig) -> tuple[Split, ...]:
    if config.splits:
        return (splits.read_own(Path(config.splits), problem.design),)
    return outer_splits(
        problem, repeats=config.repeats or repeats_for(problem.people), seed=config.seed, folds=config.folds
    )


def _default_name(problem: Problem) -> str:
    return f"vagus-{problem.instrument.name}".replace(" ", "-").replace("/", "-").lower()


def _bundle_fields(record: dict[str, Any]) -> dict[str, Any]:
    kept = ("model_name", "run_id", "data_digest", "split_digest", "code_digest", "lock_digest", "task", "nomenclature_version")
    named = {"kind": "bundle", "name": record["model_name"], **{name: record[name] for name in kept}}
    arm = next((row["verdict"] for row in record["increment"] if row["block"] == "arm"), "not shown")
    design = {
        "randomised": record["cohort"]["randomised"],
        "arm_effect": arm,
        "time_unit": record["cohort"]["outcome_time_unit"],
    }
    return {**named, **design, "card": report.card(runfolder.plain(record))}


def _write_down(api: Any, trained: Trained, started: float, say: Say) -> dict[str, Any]:
    record, key, secret = trained.record, signing_key(), subject_secret()
    with tempfile.TemporaryDirectory(prefix="vagus-run-") as scratch:
        folder = Path(scratch) / "run"
        folder.mkdir()
        record["timings"]["total_s"] = time.time() - started
        if trained.bundle is not None:
            record["model_version"] = tracking.register(api, record["run_id"], record["model_name"])
            _versioned(trained.bundle, record["model_version"]).save(folder / "bundle")
            sign_folder(folder / "bundle", key)
        record["subject_key_id"] = secret_id(secret)
        runfolder.write_oof(folder, trained.problem, trained.evaluation, trained.answers, secret)
        runfolder.write_splits(folder, trained.problem, trained.evaluation, secret)
        runfolder.write_rows(folder, trained.problem, secret)
        runfolder.write_trials(folder, trained.evaluation)
        drawn = plots.draw_all(folder / "plots", trained.problem, trained.answers, record)
        (folder / "report.html").write_text(report.page(record, drawn), encoding="utf-8")
        runfolder.write_record(folder, record)
        runfolder.close(folder, record)
        sign_folder(folder, key)
        tracking.record(
            api,
            record["run_id"],
            folder,
            params=tracking.params_of(record),
            metrics=tracking.metrics_of(record),
            tags=tracking.tags_of(record),
        )
    say(f"run {record['run_id']} recorded")
    return {**record, "model_version": record.get("model_version")}


def _versioned(bundle: Bundle, version: str) -> Bundle:
    """Return the bundle with the registry's version of it, which every answer names."""
    return replace(bundle, manifest={**bundle.manifest, "model_version": version})


def refuse_small(record: dict[str, Any]) -> None:
    """Raise Refused for a recorded run of too few people."""
    if record["subjects"] < gates.LEAST_PEOPLE:
        raise Refused("too_few_people", f"too few people: {record['subjects']}, at least {gates.LEAST_PEOPLE} are needed. "
                      f"The run {record['run_id']} is recorded with its reference rows; nothing can be promoted.")  # fmt: skip


def copy_bundle(source: Path, out: Path) -> None:
    """Copy a bundle to a new folder; raises InvalidInput when that exists and is not empty."""
    if out.exists() and any(out.iterdir()):
        raise invalid(
            "out_not_empty", "the output folder exists and is not empty", "Choose another --out", file=str(out)
        )
    shutil.copytree(source, out, dirs_exist_ok=True)
