"""The steps of a replay: two run folders compared in the order in which one part of a run rests on the other.

Same image: not one bit may differ. On another processor the predictions may differ by at most CPU_BOUND points, and
the report says that this bound was used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from models.manifest import folder_digest, verify_folder
from training.audit.runs import Run, named_as

#: Largest difference of a prediction, in points, between processors of different make.
CPU_BOUND = 1e-6


@dataclass(frozen=True)
class Step:
    """One step of a replay: `equal`, `within bound` or `differs`, and what was seen."""

    name: str
    status: str
    detail: str


@dataclass(frozen=True)
class Replay:
    """The steps of a replay in order. `verdict` is `identical`, `within bound`, or `differs at STEP`."""

    run: str
    verdict: str
    steps: tuple[Step, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the replay as one JSON object."""
        return asdict(self)


def judge(original: Run, rebuilt: Run, *, bound: float = 0.0) -> Replay:
    """Compare two run folders step by step; `bound` is the largest difference of a prediction that passes."""
    rebuilt, steps = named_as(original, rebuilt), []
    for name, step in STEPS.items():
        status, detail = step(original, rebuilt, bound)
        steps.append(Step(name, status, detail))
    wrong = [step.name for step in steps if step.status == "differs"]
    near = any(step.status == "within bound" for step in steps)
    verdict = f"differs at {wrong[0]}" if wrong else "within bound" if near else "identical"
    return Replay(original.name, verdict, tuple(steps))


def _same(*names: str) -> Callable[[Run, Run, float], tuple[str, str]]:
    """Return the step that demands equal entries of the record."""

    def step(original: Run, rebuilt: Run, bound: float) -> tuple[str, str]:
        for name in names:
            own, other = original.record.get(name), rebuilt.record.get(name)
            if own != other:
                return "differs", f"{name}: recorded {_short(own)}, rebuilt {_short(other)}"
        return "equal", ", ".join(names)

    return step


def _tables(*names: str) -> Callable[[Run, Run, float], tuple[str, str]]:
    """Return the step that demands equal files, naming the first line that is not."""

    def step(original: Run, rebuilt: Run, bound: float) -> tuple[str, str]:
        for name in names:
            own, other = (_lines(run, name) for run in (original, rebuilt))
            if len(own) != len(other):
                return "differs", f"{name}: {len(own) - 1} rows recorded, {len(other) - 1} rebuilt"
            for number, (left, right) in enumerate(zip(own, other, strict=True), start=1):
                if left != right:
                    return "differs", f"{name}: line {number} is the first that differs"
        return "equal", ", ".join(names)

    return step


def _lines(run: Run, name: str) -> list[str]:
    """Return the lines of a table; where people are called as in another run, in the order of those names."""
    head, *lines = (run.folder / name).read_text().splitlines()
    if not run.called:
        return [head, *lines]
    place = head.split("\t").index("subject")
    rows = [line.split("\t") for line in lines]
    rows = [[*row[:place], run.called.get(row[place], row[place]), *row[place + 1 :]] for row in rows]
    if name == "splits.tsv":  # written in the order of repeat, fold and name
        rows.sort(key=lambda row: [(len(cell), cell) for cell in row])
    return [head, *("\t".join(row) for row in rows)]


def _predictions(original: Run, rebuilt: Run, bound: float) -> tuple[str, str]:
    """Demand every out-of-fold value equal, or within the bound between processors."""
    own, other = original.held_out, rebuilt.held_out
    labels = ["row", "subject", "repeat", "fold", "model", "arm", "study"]
    if len(own) != len(other) or not own[labels].equals(other[labels]):
        return "differs", "oof.tsv: not the same rows, folds or models"
    names = ["y", "baseline", "prediction", "lower", "upper", "p_response", "response"]
    left, right = (table[names].to_numpy(dtype=float) for table in (own, other))
    wrong = ~((left == right) | (np.isnan(left) & np.isnan(right)))
    if not wrong.any():
        return "equal", f"{len(own)} rows of oof.tsv, bit for bit"
    line, column = np.argwhere(wrong)[0]
    gap = float(np.nanmax(np.abs(left - right)[wrong]))
    unlike = (np.isnan(left) != np.isnan(right)).any()
    if bound and not unlike and gap <= bound:
        return "within bound", f"largest difference {gap:.3g} points, at most {bound:g} between processors"
    where = f"oof.tsv: line {line + 2}, column {names[column]} is the first of {int(wrong.sum())} values that differ"
    return "differs", f"{where}; largest difference {gap:.3g}"


def _model(original: Run, rebuilt: Run, bound: float) -> tuple[str, str]:
    folders = [run.folder / "bundle" for run in (original, rebuilt)]
    if not any(folder.is_dir() for folder in folders):
        return "equal", "no model was kept in either"
    if not all(folder.is_dir() for folder in folders):
        return "differs", "only one of the two kept a model"
    digests = [folder_digest(verify_folder(folder)) for folder in folders]
    if digests[0] == digests[1]:
        return "equal", digests[0]
    manifests = [verify_folder(folder) for folder in folders]
    names = [name for name in manifests[0]["files"] if manifests[0]["files"][name] != manifests[1]["files"].get(name)]
    status = "within bound" if bound and not names else "differs"
    return status, f"bundle: {names[0] if names else 'the manifest'} differs"


def _figures(original: Run, rebuilt: Run, bound: float) -> tuple[str, str]:
    """Demand equal figures, or within the bound between processors."""
    names = ("metrics", "reference_rows", "model_rows", "increment", "final_model", "noise")
    status, detail = _same(*names)(original, rebuilt, bound)
    own, other = ([run.record.get(name) for name in names] for run in (original, rebuilt))
    return ("within bound", detail) if status == "differs" and bound and _near(own, other, bound) else (status, detail)


def _near(left: object, right: object, bound: float) -> bool:
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(_near(left[name], right[name], bound) for name in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_near, left, right, [bound] * len(left)))
    if isinstance(left, float) and isinstance(right, float):
        return abs(left - right) <= bound * max(1.0, abs(left))
    return left == right


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else text[:77] + "..."


#: The steps of a run in the order in which one rests on the other.
STEPS: Mapping[str, Callable[[Run, Run, float], tuple[str, str]]] = {
    "code": _same("code_digest"),
    "library": _same("lock_digest", "versions", "threads_per_fit"),
    "settings": _same("config", "files", "features", "instrument", "task", "positive"),
    "data": _same("data_digest", "rows", "subjects", "dropped_rows", "consent_versions"),
    "features": _tables("rows.tsv"),
    "split": _tables("splits.tsv"),
    "predictions": _predictions,
    "model": _model,
    "figures": _figures,
    "thresholds": _same("gates", "warnings"),
}
