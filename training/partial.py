"""Finished folds of a run under way, so that an interrupted one goes on where it stopped.

They lie under .vagus/partial/, in a folder named by the digest of data, settings and code: nothing else can pick them up.
The files are this machine's own scratch (pickles of joblib), never part of a run and gone once the run is recorded.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import joblib

from features.cohort import Cohort
from features.digest import json_digest
from training.config import RunConfig
from training.provenance import code_digest

PLACE = Path(".vagus") / "partial"
KEPT_DAYS = 30  # an interrupted run that nobody takes up within these is given up


def folder_of(cohort: Cohort, config: RunConfig) -> Path | None:
    """Return where a run's finished folds are kept; None with a budget, whose folds depend on the clock."""
    if config.search_budget:
        return None
    people = sorted(set(cohort.outcomes["subject_id"].tolist()))
    told = {"data": cohort.digest, "people": people, "config": config.recorded(), "code": code_digest()}
    return PLACE / json_digest(told).removeprefix("sha256:")[:32]


@contextmanager
def resumable(cohort: Cohort, config: RunConfig, say: Callable[[str], None]) -> Iterator[Path | None]:
    """Give the folder of finished folds, say what of an interrupted run is picked up, and remove it when all is done."""
    folder = folder_of(cohort, config)
    _give_up_old()
    if before := finished(folder):
        say(f"{before} finished folds of an interrupted run are picked up")
    try:
        yield folder
    except KeyboardInterrupt:
        if folder:
            say(f"interrupted: {finished(folder)} finished folds are kept; the same command goes on from there")
        raise
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


def _give_up_old() -> None:
    """Remove the folders of runs that were interrupted long ago."""
    for folder in PLACE.glob("*/"):
        if time.time() - folder.stat().st_mtime > KEPT_DAYS * 86_400:
            shutil.rmtree(folder, ignore_errors=True)


def finished(folder: Path | None) -> int:
    """Return how many finished folds a folder holds."""
    return len(list(folder.glob("*.fold"))) if folder and folder.is_dir() else 0


def kept(path: Path, work: Callable[..., Any], arguments: Any, named: Any) -> Any:
    """Return the result that lies at `path`, or do the work and keep it there; the file appears whole or not at all."""
    if path.is_file():
        return joblib.load(path)
    result = work(*arguments, **named)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    joblib.dump(result, draft)
    draft.replace(path)
    return result
