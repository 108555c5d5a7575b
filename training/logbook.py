"""What the data scientist's acts leave in the append-only log: evaluations, promotions, rollbacks, exports."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models import ledger
from training.audit import plan
from training.audit.runs import Run, read_run
from training.audit.withdraw import barred


def account() -> str:
    """Return who acts: the account of the operating system."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such account, as in a container
        return "unknown"


def note(kind: str, facts: Mapping[str, Any]) -> None:
    """Put one act into the log of this folder."""
    ledger.note(kind, account(), facts)


def note_evaluation(folder: Path) -> None:
    """Put the evaluation of a recorded run into the log."""
    log = ledger.open_ledger(ledger.prepare_ledger())
    try:
        plan.note_evaluation(read_run(folder), log, actor=account())
    finally:
        log.close()


def check_plan(path: Path, run: Path, champion: Path | None) -> dict[str, Any]:
    """Return digest of a plan and what shows that a run was evaluated under it; raises Refused where nothing does."""
    log = ledger.open_ledger(ledger.prepare_ledger())
    try:
        proof = plan.check_plan(path, read_run(run), log.reader, _run(champion))
        return {"plan_digest": plan.read_plan(path).digest, "plan_proof": proof}
    finally:
        log.close()


def _run(folder: Path | None) -> Run | None:
    return None if folder is None else read_run(folder)


def barred_people(subjects: set[str]) -> set[str]:
    """Return which of the people have withdrawn: training leaves them out."""
    return barred(subjects, ledger.DEFAULT_FOLDER)
