"""From a recorded run to what is served: runs, gates, aliases, export. An alias moves only if every gate passes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from features.errors import Refused, invalid
from models.bundle import Bundle
from models.manifest import MANIFEST_NAME, verify_folder
from training import gates, tracking
from training.runfolder import copy_bundle


def show(reference: str, uri: str | None) -> dict[str, Any]:
    """Return the record of a run, its folder verified first."""
    folder = tracking.fetch(tracking.resolve(reference, uri), uri)
    verify_folder(folder)
    record: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return record


def promote(reference: str, *, alias: str, uri: str | None) -> dict[str, Any]:
    """Point an alias at a run's model if its gates pass; raises Refused with every failing gate otherwise.

    A canary that becomes the champion is a canary no longer; `was_canary` says so.
    """
    api = tracking.client(uri)
    run_id = tracking.resolve(reference, uri)
    record = show(run_id, uri)
    failing = gates.failed(record["gates"])
    if failing:
        raise Refused(
            "gate_failed", f"not promoted: {len(failing)} gate(s) failed\n" + "\n".join(f"  {line}" for line in failing)
        )
    version = tracking.version_of(api, run_id)
    if version is None:
        raise Refused(
            "no_model", "this run has no registered model (only a `change` task with enough people leaves one)"
        )
    tracking.move_alias(api, version.name, alias, version.version)
    found = {"model_name": version.name, "model_version": str(version.version), "alias": alias, "run_id": run_id}
    canary = tracking.alias_version(api, version.name, tracking.CANARY)
    if alias == tracking.CHAMPION and canary is not None:
        found["was_canary"] = str(canary.version) == str(version.version)
        if found["was_canary"]:
            tracking.drop_alias(api, version.name, tracking.CANARY)
    return found


def run_folder(reference: str, uri: str | None) -> Path:
    """Return the folder of a run."""
    return tracking.fetch(tracking.resolve(reference, uri), uri)


def current(reference: str, alias: str, uri: str | None) -> Path | None:
    """Return the run folder of the model that now bears the alias a run aspires to, or None."""
    version = tracking.alias_version(tracking.client(uri), show(reference, uri)["model_name"], alias)
    return None if version is None else tracking.fetch(version.run_id, uri)


def rollback(name: str, *, alias: str, uri: str | None) -> dict[str, Any]:
    """Point an alias back at the version it had before; raises Refused when there was none.

    A canary that is rolled back is over: its alias is taken away, whatever was tried before it.
    """
    api = tracking.client(uri)
    bearer = tracking.alias_version(api, name, alias)
    if bearer is None:
        raise invalid("unknown_alias", "no model version carries this alias", "List the models with: vagus runs")
    if alias == tracking.CANARY:
        tracking.drop_alias(api, name, alias)
        return {"model_name": name, "model_version": None, "alias": alias, "withdrawn_version": str(bearer.version)}
    before = tracking.previous(api, name, alias)
    if before is None:
        raise Refused("nothing_before", f"{name}@{alias} was never moved: there is nothing to go back to")
    tracking.move_alias(api, name, alias, before)
    return {"model_name": name, "model_version": before, "alias": alias}


def bundle_folder(reference: str, uri: str | None) -> Path:
    """Return the folder of a bundle given by path, run or NAME@ALIAS; raises InvalidInput when there is none."""
    path = Path(reference)
    if (path / MANIFEST_NAME).is_file():
        return path / "bundle" if (path / "bundle" / MANIFEST_NAME).is_file() else path
    folder = tracking.fetch(tracking.resolve(reference, uri), uri)
    if not (folder / "bundle").is_dir():
        raise invalid("no_bundle", "this run left no model", "Only a `change` task with at least 20 people leaves one")
    return folder / "bundle"


def export(reference: str, out: Path, *, uri: str | None) -> Bundle:
    """Copy the run's bundle to a new folder, verify it there and return it."""
    copy_bundle(bundle_folder(reference, uri), out)
    return Bundle.load(out)


def listing(uri: str | None) -> list[dict[str, Any]]:
    """Return one line per run: id, model, instrument, people, R2, microbiome increment, failed gates, aliases."""
    api = tracking.client(uri)
    rows = []
    for run in tracking.list_runs(api):
        data, params = run.data.metrics, run.data.params
        rows.append({
            "run_id": run.info.run_id, "status": run.info.status, "model_name": run.data.tags.get("vagus.model", run.info.run_name or ""),
            "instrument": params.get("instrument", ""), "subjects": params.get("subjects", ""), "r2": data.get("r2"),
            "baseline_r2": data.get("reference_baseline_r2"), "increment_microbiome": data.get("increment_microbiome"),
            "failed_gates": run.data.tags.get("vagus.failed_gates", ""),
        })  # fmt: skip
    return rows
