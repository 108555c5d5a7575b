"""What two runs were made of, showing only what differs: data, splits, code, lock, settings, features, model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training.audit.runs import Run

#: Where each part of a run is written in its record.
PARTS: Mapping[str, tuple[str, ...]] = {
    "target": ("instrument", "task", "positive", "cohort", "lag"),
    "data": ("data_digest", "sources", "rows", "subjects", "dropped_rows", "consent_versions", "arms"),
    "split": ("split_digest",),
    "code": ("code_commit", "code_dirty", "code_digest"),
    "library": ("lock_digest", "versions", "machine", "threads_per_fit"),
    "config": ("config",),
    "features": ("stool_rows", "genera", "features", "preprocessing_digest"),
    "model": ("final_model", "chosen_per_fold", "configurations_tried", "gates"),
}


@dataclass(frozen=True)
class Difference:
    """One setting or digest that is not the same in both runs; None where a run does not state it."""

    part: str
    name: str
    first: Any
    second: Any


def differences(first: Run, second: Run) -> list[Difference]:
    """Return every recorded part that differs, in the order of PARTS."""
    found = []
    for part, names in PARTS.items():
        for name in names:
            own = _flat(name, first.record.get(name)), _flat(name, second.record.get(name))
            for key in sorted(own[0].keys() | own[1].keys()):
                values = own[0].get(key), own[1].get(key)
                if values[0] != values[1]:
                    found.append(Difference(part, key, *values))
    return found


def row_changes(first: Run, second: Run) -> dict[str, int]:
    """Return how many training rows are in both runs, only in the first, only in the second (by digest)."""
    counts = [Counter(run.rows["digest"].tolist()) for run in (first, second)]
    return {
        "both": (counts[0] & counts[1]).total(),
        "removed": (counts[0] - counts[1]).total(),
        "added": (counts[1] - counts[0]).total(),
    }


def comparable_target(first: Run, second: Run) -> str:
    """Return why two runs predict different things; empty when they predict the same."""
    for name in ("instrument", "task", "positive"):
        if first.record.get(name) != second.record.get(name):
            return f"the runs have another {name}"
    return ""


def _flat(name: str, value: object) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {key: inner for own, part in value.items() for key, inner in _flat(f"{name}.{own}", part).items()}
    return {name: value}
