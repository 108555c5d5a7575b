"""What the data scientist's door prints: progress on stderr, one JSON object or plain words on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from training.config import SEARCH
from training.gates import failed
from training.report import words

Lines = Callable[[Mapping[str, Any]], list[str]]


def say(text: str) -> None:
    """Print a line of progress."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def show(found: Mapping[str, Any], as_json: bool, lines: Lines) -> None:
    """Print a result as JSON or in words."""
    print(json.dumps(found, ensure_ascii=False, allow_nan=False) if as_json else "\n".join(lines(found)))  # noqa: T201


def trained(found: Mapping[str, Any]) -> list[str]:
    """Return a training run in words and a table of its rows."""
    rows = {**found["reference_rows"], **found["model_rows"]}
    table = [f"  {'row':<42}{'R2':>24}{'MAE':>22}"]
    table += [f"  {row['title']:<42}{_span(row['r2']):>24}{_span(row['mae'], 2):>22}" for row in rows.values()]
    if found["metrics"]:
        run = "THE RUN (whole search)" if found["config"]["model"] == SEARCH else "THE RUN (one named model)"
        table.append(f"  {run:<42}{_span(found['metrics']['r2']):>24}{_span(found['metrics']['mae'], 2):>22}")
    lost = failed(found["gates"])
    verdict = (
        ["gates: all passed, or not applicable"]
        if not lost
        else ["gates that say no:", *(f"  {line}" for line in lost)]
    )
    return [
        f"{found['model_name']}  run {found['run_id']}",
        "",
        *table,
        "",
        *(f"- {line}" for line in words(found)),
        *(f"! {line}" for line in found["warnings"]),
        *verdict,
    ]


def curve(found: Mapping[str, Any]) -> list[str]:
    """Return a learning curve in words, its points in a table."""
    table = [f"  {p['people']:>7} people {p['gain']:>+9.4f} R2  (SE {p['se']:.4f})" for p in found["points"]]
    return [f"{found['instrument']}: what the microbiome adds, by number of people", *table, "", found["says"]]


def runs(found: Mapping[str, Any]) -> list[str]:
    """Return one line per run."""
    if not found["runs"]:
        return ["no runs yet: vagus train DIR --instrument NAME"]
    head = f"{'run':<34}{'model':<28}{'people':>7}{'R2':>8}{'baseline':>10}{'microbiome':>12}  gates"
    return [head] + [
        f"{r['run_id']:<34}{r['model_name']:<28}{r['subjects']:>7}{_number(r['r2']):>8}{_number(r['baseline_r2']):>10}"
        f"{_number(r['increment_microbiome']):>12}  {r['failed_gates'].split(':')[0] or ('ok' if r['status'] == 'FINISHED' else r['status'].lower())}"
        for r in found["runs"]
    ]


def alias(found: Mapping[str, Any]) -> list[str]:
    """Return where an alias points now."""
    name = f"{found['model_name']}@{found['alias']}"
    if found["model_version"] is None:
        return [f"{name} is withdrawn (it was version {found['withdrawn_version']})"]
    said = [f"{name} is now version {found['model_version']}"]
    if "share" in found:
        said.append(
            f"logged for {found['share']:.0%} of requests; Vagus does not split them: serve both, and divide before"
        )
    return said


def exported(found: Mapping[str, Any]) -> list[str]:
    """Return where a bundle was written."""
    return [
        f"{found['instrument']} bundle written to {found['bundle']}",
        f"digest {found['digest']}",
        f"serve it with: vagus serve --model {found['bundle']}",
    ]


def predicted(found: Mapping[str, Any]) -> list[str]:
    """Return what was predicted."""
    extra = [f"site reference of unseen studies: {found['site_reference']}"] if "site_reference" in found else []
    return [f"{found['rows']} rows written to {found['out']}, {found['answered']} answered", *extra]


def examined(found: Mapping[str, Any]) -> list[str]:
    """Return the doctor's findings."""
    return [f"{'ok ' if check['ok'] else 'NO '} {name}: {check['detail']}" for name, check in found["checks"].items()]


def _span(value: Mapping[str, Any], digits: int = 3) -> str:
    if value["estimate"] is None:
        return "-"
    return f"{value['estimate']:.{digits}f} [{value['lower']:.{digits}f}, {value['upper']:.{digits}f}]"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
