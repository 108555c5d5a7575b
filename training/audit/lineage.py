"""From one answer back to what made it: log entry, bundle, run, training rows, preprocessing, thresholds, consent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from features.digest import canonical_json, file_digest
from features.errors import VerificationFailed
from models.checkpoint import read_checkpoint
from models.log_reader import LogReader
from models.manifest import folder_digest, verify_folder
from models.merkle import leaf_hash, verify_inclusion
from training.audit.runs import Run

_OF_THE_RUN = (
    "run_id",
    "model_name",
    "code_commit",
    "code_digest",
    "lock_digest",
    "data_digest",
    "split_digest",
    "versions",
)


def prove_entry(prediction_id: str, reader: LogReader) -> dict[str, Any]:
    """Return the entry of a prediction with its place, after proving that it is part of the log as last signed."""
    place = reader.place(prediction_id)
    entry = reader.entry(place)
    head = read_checkpoint(*reader.head())
    proof = reader.inclusion(place, head.size)
    verify_inclusion(leaf_hash(canonical_json(entry)), place, head.size, proof, head.root)
    return {"place": place, "log": head.origin, "size": head.size, **entry}


def trace(entry: Mapping[str, Any], run: Run) -> dict[str, Any]:
    """Return the lineage of a proven entry through the run its model came from.

    Raises VerificationFailed where the model that answered is not the one the run left behind.
    """
    facts = entry["facts"]
    bundle = _bundle(run.folder / "bundle", str(facts.get("model_digest", "")))
    return {
        "prediction": {name: entry[name] for name in ("id", "kind", "time", "actor", "place", "log", "size")},
        "stated": dict(facts),
        "bundle": bundle,
        "run": {**{name: run.record.get(name) for name in _OF_THE_RUN}, "seal": asdict(run.seal)},
        "training_rows": {
            "rows": len(run.rows),
            "people": int(run.rows["subject"].nunique()),
            "digests": file_digest(run.folder / "rows.tsv"),
        },
        "preprocessing": {"digest": bundle["files"].get("model.json"), "what": "encoding, fitted on the training rows"},
        "thresholds": {"gates": run.record.get("gates"), "level": run.record.get("metrics", {}).get("coverage")},
        "consent_versions": run.record.get("consent_versions", []),
    }


def _bundle(folder: Path, answered_with: str) -> dict[str, Any]:
    if not folder.is_dir():
        raise VerificationFailed("trace: the run that is named left no model; this answer cannot come from it")
    manifest = verify_folder(folder)
    digest = folder_digest(manifest)
    if digest != answered_with:
        raise VerificationFailed("trace: the model that answered is not the one this run left; do not rely on it")
    return {"digest": digest, "files": manifest["files"]}
