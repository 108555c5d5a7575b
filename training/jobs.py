"""One function per command of the data scientist. The doors parse arguments and call these."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from features.cohort import Cohort
from features.derived import functions_of
from features.errors import Refused
from features.importers.folder import read_cohort
from features.withdrawn import without
from models.bundle import Bundle
from models.seal import sign_folder
from training import gates, learning_curve, plots, report, runfolder, tracking
from training.config import RunConfig
from training.keyring import secret_id, signing_key, subject_secret
from training.leaks import refuse_leaks
from training.learning import Say, Trained, learn
from training.partial import resumable
from training.problem import Problem, literature_for, pose, refuse_if_untestable


def train(
    folder: Path, config: RunConfig, *, name: str, uri: str | None, say: Say, barred: Callable[[set[str]], set[str]]
) -> dict[str, Any]:
    """Train, record and register; returns the JSON object of `vagus train --json`.

    `barred` names those of a cohort's people who have withdrawn: they are left out. Raises InvalidInput (bad cohort), Refused
    (a leak; too few people, where the run is recorded first).
    """
    started = time.time()
    cohort, problem = posed(folder, config, barred)
    api = tracking.client(uri)
    model_name = name or _default_name(problem)
    run_id = tracking.start_run(api, name=model_name, uri=uri)
    try:
        with resumable(cohort, config, say) as partial:
            trained = learn(cohort, problem, config, run_id=run_id, name=model_name, say=say, partial=partial)
        return _write_down(api, trained, started, say)
    except BaseException:
        tracking.fail(api, run_id)
        raise


def posed(folder: Path, config: RunConfig, barred: Callable[[set[str]], set[str]]) -> tuple[Cohort, Problem]:
    """Read a cohort, leave out who is barred, and pose its problem; raises InvalidInput, or Refused where a leak is found."""
    derived, accept = config.derived(), frozenset(config.accept)
    cohort = read_cohort(folder, accept=accept, instrument=config.instrument, functions=functions_of(derived))
    cohort = without(cohort, barred(set(cohort.outcomes["subject_id"].tolist())))
    problem = pose(cohort, config.instrument, task=config.task, follow_up=config.follow_up, positive=config.positive)
    problem = replace(problem, derived=derived, literature=literature_for(problem, config.literature))
    refuse_if_untestable(problem)
    refuse_leaks(cohort, problem)
    return cohort, problem


def curve(
    folder: Path, config: RunConfig, *, plot: Path | None, barred: Callable[[set[str]], set[str]]
) -> dict[str, Any]:
    """Return how many more people would show the microbiome's increment; draw it where `plot` (.svg or .html) is given."""
    found = learning_curve.learning_curve(posed(folder, config, barred)[1], seed=config.seed, jobs=config.jobs)
    if plot is not None:
        drawn = learning_curve.drawing(found)
        page = f"<!doctype html><meta charset=utf-8><title>learning curve</title>{drawn}<p>{found['says']}</p>"
        plot.write_text(page if plot.suffix == ".html" else drawn, encoding="utf-8")
        found["plot"] = str(plot)
    return found


def _default_name(problem: Problem) -> str:
    return f"vagus-{problem.instrument.name}".replace(" ", "-").replace("/", "-").lower()


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
    """Return the bundle with the registry's version of it, which every answer names, and a card that fits what is in it."""
    card = report.stating_modules(bundle.manifest["card"], bundle.encoding.derived)
    return replace(bundle, manifest={**bundle.manifest, "model_version": version, "card": card})


def refuse_small(record: dict[str, Any]) -> None:
    """Raise Refused for a recorded run of too few people."""
    if record["subjects"] < gates.LEAST_PEOPLE:
        raise Refused("too_few_people", f"too few people: {record['subjects']}, at least {gates.LEAST_PEOPLE} are needed. "
                      f"The run {record['run_id']} is recorded with its reference rows; nothing can be promoted.")  # fmt: skip
