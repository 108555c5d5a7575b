"""The run folder: what an auditor reads, written once per training. People appear as keyed digests only.

run.json (the record), oof.tsv (held-out answers per person, repeat and model row), splits.tsv, rows.tsv (digests of the
training rows), trials.tsv (what the inner loops tried), bundle/ (the fitted model as data), plots/, report.html, and a manifest with the digest of each.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from features.digest import canonical_json, json_digest
from features.errors import invalid
from models.manifest import write_manifest
from training.assess import HeldOut
from training.keyring import subject_name
from training.problem import Problem
from training.protocol import Evaluation

OOF_COLUMNS = (
    "row",
    "subject",
    "repeat",
    "fold",
    "model",
    "y",
    "baseline",
    "arm",
    "study",
    "prediction",
    "lower",
    "upper",
    "p_response",
    "response",
    "p_remission",
    "remission",
)


def write_oof(
    folder: Path, problem: Problem, evaluation: Evaluation, answers: Mapping[str, HeldOut], secret: bytes
) -> None:
    """Write oof.tsv: one line per model row, repeat and person, floats as shortest round-trip text."""
    who = [subject_name(subject, secret) for subject in problem.subjects]
    lines = ["\t".join(OOF_COLUMNS)]
    for model, held in answers.items():
        for repeat, fold in enumerate(evaluation.fold):
            for i, subject in enumerate(who):
                head: list[Any] = [
                    i,
                    subject,
                    repeat,
                    int(fold[i]),
                    model,
                    problem.y[i],
                    problem.design.baseline[i],
                    problem.design.arm[i],
                    problem.design.study[i],
                ]
                own = [
                    held.prediction[repeat, i],
                    held.lower[repeat, i],
                    held.upper[repeat, i],
                    held.p_response[repeat, i],
                    held.responds[i],
                    held.p_remission[repeat, i],
                    held.remits[i],
                ]
                lines.append("\t".join(_cell(value) for value in head + own))
    (folder / "oof.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_splits(folder: Path, problem: Problem, evaluation: Evaluation, secret: bytes) -> None:
    """Write splits.tsv (repeat, fold, subject)."""
    cells = {
        (split.repeat, int(k), subject_name(who, secret))
        for split in evaluation.splits
        for k, who in zip(split.fold, problem.subjects, strict=True)
    }
    text = "repeat\tfold\tsubject\n" + "".join(f"{r}\t{k}\t{who}\n" for r, k, who in sorted(cells))
    (folder / "splits.tsv").write_text(text, encoding="utf-8")


def write_rows(folder: Path, problem: Problem, secret: bytes) -> None:
    """Write rows.tsv: the digest of each training row, so that a person's absence can be proved later."""
    lines = ["row\tsubject\tdigest"]
    for i in range(len(problem.y)):
        lines.append(f"{i}\t{subject_name(problem.subjects[i], secret)}\t{json_digest(row_content(problem, i))}")
    (folder / "rows.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_trials(folder: Path, evaluation: Evaluation) -> None:
    """Write trials.tsv: every configuration tried in the inner loop of every outer fold, its inner RMSE in points (empty: nothing to choose)."""
    lines = ["outer_fold\tentry\tparams\tinner_rmse\tchosen"]
    for number, choice in enumerate(evaluation.choices):
        for tried, rmse in choice.trials:
            params = canonical_json(dict(tried.params)).decode()
            lines.append(
                f"{number}\t{tried.entry}\t{params}\t{'' if rmse is None else repr(rmse)}\t{int(tried == choice.winner)}"
            )
    (folder / "trials.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def row_content(problem: Problem, i: int) -> list[Any]:
    """Return what a training row says, as JSON: target, baseline, arm, study, covariates, taxa."""
    design = problem.design
    taxa = {design.genera[j]: float(design.abundance[i, j]) for j in np.flatnonzero(design.abundance[i])}
    life = {name: column[i] for name, column in sorted(design.covariates.items())}
    return [
        str(design.subject[i]),
        float(problem.y[i]),
        _number(design.baseline[i]),
        str(design.arm[i]),
        str(design.study[i]),
        life,
        taxa,
    ]


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write run.json in canonical form."""
    (folder / "run.json").write_bytes(canonical_json(record))


def close(folder: Path, record: Mapping[str, Any]) -> dict[str, Any]:
    """Write the manifest over everything in the folder and return it."""
    kept = ("run_id", "model_name", "instrument", "task", "data_digest", "split_digest", "lock_digest", "code_commit")
    return write_manifest(folder, {"kind": "run", **{name: record[name] for name in kept if name in record}})


def _cell(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else repr(float(value))
    return str(value)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def plain(value: Any) -> Any:
    """Return a JSON value with NaN as null and numpy numbers as Python's."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return None if np.isnan(value) or np.isinf(value) else float(value)
    return int(value) if isinstance(value, np.integer) else value


def copy_bundle(source: Path, out: Path) -> None:
    """Copy a bundle to a new folder; raises InvalidInput when that exists and is not empty."""
    if out.exists() and any(out.iterdir()):
        raise invalid(
            "out_not_empty", "the output folder exists and is not empty", "Choose another --out", file=str(out)
        )
    shutil.copytree(source, out, dirs_exist_ok=True)
