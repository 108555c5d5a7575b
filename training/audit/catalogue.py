"""All recorded runs at a glance: a small index beside the tracking store, brought up to date on every look.

Only run folders that are new or changed are read; the rest comes from the index, so that hundreds of runs are listed
in milliseconds. The index is a convenience: deleting it loses nothing, and nothing is believed because it stands there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from features.errors import invalid

INDEX_NAME = "runs.index.json"
_VERSION = 1
_RUN = Path("artifacts") / "run" / "run.json"


def store_folder(uri: str | None) -> Path:
    """Return the folder of an SQLite tracking store; raises InvalidInput for another kind of store."""
    address = uri or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path('.vagus').resolve()}/mlflow.db"
    if not address.startswith("sqlite:///"):
        raise invalid("store-kind", "this store is not a file here", "use `vagus runs`, which asks any MLflow store")
    return Path(address.removeprefix("sqlite:///")).parent


def list_runs(folder: Path, *, where: Mapping[str, str] | None = None, text: str = "") -> list[dict[str, Any]]:
    """Return one summary per run, newest first.

    `where` keeps runs whose field has that text (`instrument`, `model_name`, `task` ...); `text` keeps runs that
    have it anywhere.
    """
    rows = refresh(folder)
    for name, value in (where or {}).items():
        rows = [row for row in rows if str(row.get(name)) == value]
    if text:
        rows = [row for row in rows if text.lower() in json.dumps(row).lower()]
    return rows


def refresh(folder: Path) -> list[dict[str, Any]]:
    """Read what is new or changed below the store's artefacts, write the index, and return all summaries."""
    index = _load(folder / INDEX_NAME)
    found: dict[str, dict[str, Any]] = {}
    for name, state in _states(folder / "artifacts"):
        known = index.get(name)
        if known is not None and known["state"] == state:
            found[name] = known
        else:
            summary = _summary(folder / "artifacts" / name / _RUN)
            if summary is not None:
                found[name] = {"state": state, "summary": {**summary, "recorded": state[0] / 1e9}}
    if found != index:
        _store(folder / INDEX_NAME, found)
    rows = [entry["summary"] for entry in found.values()]
    return sorted(rows, key=lambda row: row["recorded"], reverse=True)


def folder_of(folder: Path, run_id: str) -> Path:
    """Return the folder of a listed run; raises InvalidInput where there is none of that id."""
    if run_id not in {str(row["run_id"]) for row in refresh(folder)}:
        raise invalid("run-unknown", "no such run in this store", "list the runs with `vagus runs`")
    return (folder / "artifacts" / run_id / _RUN).parent


def _states(artifacts: Path) -> list[tuple[str, list[int]]]:
    """Return for each run folder when its record was written and how long it is."""
    if not artifacts.is_dir():
        return []
    states = []
    with os.scandir(artifacts) as entries:
        for entry in entries:
            try:
                seen = os.stat(f"{entry.path}/{_RUN}")
            except OSError:
                continue  # a run that failed, or is still being written
            states.append((entry.name, [seen.st_mtime_ns, seen.st_size]))
    return states


def _summary(path: Path) -> dict[str, Any] | None:
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    metrics = record.get("metrics", {})
    names: Sequence[str] = ("run_id", "model_name", "instrument", "task", "subjects", "data_digest", "split_digest")
    kept = {name: record.get(name) for name in (*names, "code_commit")}
    kept |= {name: (metrics.get(name) or {}).get("estimate") for name in ("mae", "r2", "coverage", "response_auc")}
    kept["increment"] = {row["block"]: row["verdict"] for row in record.get("increment", [])}
    kept["failed_gates"] = [name for name, v in record.get("gates", {}).items() if v.get("status") == "fail"]
    return kept


def _load(path: Path) -> dict[str, dict[str, Any]]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    known = isinstance(content, dict) and content.get("format_version") == _VERSION
    runs: dict[str, dict[str, Any]] = content["runs"] if known else {}
    return runs


def _store(path: Path, runs: Mapping[str, Any]) -> None:
    fresh = path.with_suffix(f".{os.getpid()}")
    try:
        fresh.write_text(json.dumps({"format_version": _VERSION, "runs": runs}), encoding="utf-8")
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)  # a store that is read only is still listed, only more slowly
