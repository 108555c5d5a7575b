"""Plans fixed before the evaluation, and the proof of order that lets a run be promoted under one.

    model_name = "vagus-phq-9"
    planned_change = "the lifestyle block is added"
    holdout_digest = "sha256:..."     # data_digest or split_digest of the evaluation to come
    [thresholds.mae]                  # a metric of the run: at_least, at_most, or both
    at_most = 4.0
    [against]                         # optional: the paired test against the champion
    verdict = ["better", "cannot tell"]

The log decides what came first: an entry's place cannot be changed afterwards. A plan counts only if it stands before
the first evaluation with the same held-out answers, so a result seen and then recorded again does not help.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.digest import json_digest, sha256
from features.errors import InvalidInput, Problem, Refused, VerificationFailed, invalid
from models.log import Log
from models.log_audit import verify_log
from models.log_reader import LogReader
from models.record import Event
from training.audit.compare import compare
from training.audit.runs import Run

VERDICTS = ("better", "cannot tell", "worse")
_REQUIRED = {"model_name": str, "planned_change": str, "holdout_digest": str, "thresholds": dict}
_BOUNDS = frozenset({"at_least", "at_most"})


@dataclass(frozen=True)
class Plan:
    """What was decided before the evaluation; `digest` stands for all of it."""

    model_name: str
    planned_change: str
    holdout_digest: str
    thresholds: Mapping[str, Mapping[str, float]]
    against: Mapping[str, Any]
    digest: str


def read_plan(path: Path) -> Plan:
    """Return the plan of a TOML file; raises InvalidInput with every problem found."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise invalid("plan-unreadable", "the plan is not a readable TOML file", str(error), file=path.name) from error
    problems = list(_problems(content, path.name))
    if problems:
        raise InvalidInput(problems)
    return Plan(
        **{name: content[name] for name in _REQUIRED}, against=content.get("against", {}), digest=json_digest(content)
    )


def seal_plan(path: Path, log: Log, *, actor: str) -> bytes:
    """Put a plan into the log and return the receipt that proves when."""
    plan = read_plan(path)
    facts = {"plan_digest": plan.digest, "model_name": plan.model_name, "holdout_digest": plan.holdout_digest}
    stated = {"thresholds": plan.thresholds, "planned_change": plan.planned_change, "against": plan.against}
    return log.append([Event("plan", actor, {**facts, **stated})])[0]


def note_evaluation(run: Run, log: Log, *, actor: str) -> bytes:
    """Put the evaluation of a run into the log and return the receipt."""
    named = {name: run.record.get(name) for name in ("model_name", "data_digest", "split_digest", "code_digest")}
    return log.append(
        [Event("evaluation", actor, {"run_id": run.name, "answers_digest": answers_digest(run), **named})]
    )[0]


def answers_digest(run: Run) -> str:
    """Return the digest of a run's held-out answers, the same for every recording of one evaluation.

    People's digests are left out: under another secret they differ, and a result recorded again would look like a new one.
    """
    try:
        rows = [line.split("\t") for line in (run.folder / "oof.tsv").read_text(encoding="utf-8").splitlines()]
        place = rows[0].index("subject")
    except (OSError, ValueError, IndexError) as error:
        raise VerificationFailed("oof.tsv: missing or not a table; the run folder is not whole") from error
    return sha256("\n".join("\t".join(row[:place] + row[place + 1 :]) for row in rows).encode())


def check_plan(path: Path, run: Run, reader: LogReader, champion: Run | None = None) -> list[str]:
    """Return what shows that a run may be promoted under a plan, one line per check.

    Raises Refused with every check that fails, and VerificationFailed where the log does not hold.
    """
    plan = read_plan(path)
    verify_log(reader)
    said = [
        *_order(plan, run, reader),
        _holdout(plan, run),
        *(_threshold(run, name, bounds) for name, bounds in plan.thresholds.items()),
        *_against(plan, run, champion),
    ]
    failed = [line for passed, line in said if not passed]
    if failed:
        raise Refused("plan", "not promoted under this plan:\n" + "\n".join(f"  {line}" for line in failed))
    return [line for _, line in said]


def _order(plan: Plan, run: Run, reader: LogReader) -> list[tuple[bool, str]]:
    answers, sealed, evaluated = answers_digest(run), None, None
    for place, entry in reader.entries():
        facts = entry["facts"]
        if sealed is None and entry["kind"] == "plan" and facts["plan_digest"] == plan.digest:
            sealed = place
        if evaluated is None and entry["kind"] == "evaluation" and facts["answers_digest"] == answers:
            evaluated = place
    if sealed is None:
        return [(False, "the plan was never sealed, or was edited after it was: vagus plan seal")]
    if evaluated is None:
        return [(False, "the evaluation of this run is not in the log: nothing proves what came first")]
    return [(sealed < evaluated, f"plan at place {sealed} of the log, evaluation at place {evaluated}")]


def _holdout(plan: Plan, run: Run) -> tuple[bool, str]:
    digests = (run.record.get("data_digest"), run.record.get("split_digest"))
    passed = plan.holdout_digest in digests and plan.model_name == run.record.get("model_name")
    return passed, "the run is of the planned model and hold-out" if passed else "another model or hold-out was planned"


def _threshold(run: Run, name: str, bounds: Mapping[str, float]) -> tuple[bool, str]:
    found = (run.record.get("metrics", {}).get(name) or {}).get("estimate")
    if found is None:
        return False, f"{name}: the run does not state it"
    low, high = bounds.get("at_least", float("-inf")), bounds.get("at_most", float("inf"))
    return low <= found <= high, f"{name} is {found:.4g}, planned between {low:g} and {high:g}"


def _against(plan: Plan, run: Run, champion: Run | None) -> list[tuple[bool, str]]:
    wanted = plan.against.get("verdict")
    if not wanted:
        return []
    if champion is None:
        return [(False, "the plan asks for a paired test against the champion: name its run")]
    found = compare(champion, run)
    return [(found.verdict in wanted, f"against {champion.name}: {found.verdict} ({'; '.join(found.reasons)})")]


def _problems(content: Mapping[str, Any], file: str) -> list[Problem]:
    found = [
        Problem("plan-field", f"{name} is missing or of another type", f"state {name}", file, column=name)
        for name, kind in _REQUIRED.items()
        if not isinstance(content.get(name), kind)
    ]
    unknown = sorted(set(content) - set(_REQUIRED) - {"against"})
    found += [Problem("plan-unknown", f"unknown key {name!r}", "remove it", file, column=name) for name in unknown]
    thresholds = content.get("thresholds")
    for name, bounds in thresholds.items() if isinstance(thresholds, dict) else ():
        numbers = isinstance(bounds, dict) and bounds and set(bounds) <= _BOUNDS
        if not numbers or not all(isinstance(value, int | float) for value in bounds.values()):
            found.append(Problem("plan-bounds", f"{name}: no bounds", "state at_least or at_most", file, column=name))
    wanted = content.get("against", {}).get("verdict", [])
    if not isinstance(wanted, list) or not set(wanted) <= set(VERDICTS):
        found.append(Problem("plan-verdict", "unknown verdict", f"choose from {', '.join(VERDICTS)}", file))
    return found
