"""Two runs before the court: what differs, whether they may be compared, and which one predicts better.

The order is fixed: seals first, then target, people and folds; where one of these differs, scores are not paired but
refused with the reason (`--common` compares the overlap and says so). Differences are second minus first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from features.counts import Array
from training import metrics
from training.audit import diagnostics, paired
from training.audit.alignment import Aligned, align
from training.audit.differences import Difference, comparable_target, differences, row_changes
from training.audit.paired import Paired
from training.audit.runs import CHOSEN, Answers, Run, named_as
from training.metrics import Estimate
from training.runfolder import plain

DRAWS = 2000
ALPHA = 0.05

#: Measures where less is more; the others are better when larger.
LOWER_IS_BETTER = frozenset({"mae", "rmse", "interval_width", "brier", "fold_error"})

#: Subgroups that are looked at when a run declared none of its own.
DECLARED = ("arm", "study")


@dataclass(frozen=True)
class Measured:
    """One measure of both runs with its paired test; `adjusted` is Holm's p-value across the tests."""

    measure: str
    first: float | None
    second: float | None
    paired: Paired
    adjusted: float = float("nan")


@dataclass(frozen=True)
class Comparison:
    """All that is said about two runs. `verdict` is about the second: better, worse, cannot tell, not comparable."""

    first: Run
    second: Run
    model: tuple[str, str]
    verdict: str
    reasons: tuple[str, ...]
    differences: tuple[Difference, ...]
    rows: Mapping[str, int]
    aligned: Aligned
    common: bool = False
    tests: tuple[Measured, ...] = ()
    sections: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as one JSON object; a figure that does not exist is null."""
        content: dict[str, Any] = plain(
            {
                "verdict": self.verdict,
                "reasons": self.reasons,
                "runs": [
                    {"run": run.name, "model": model, "seal": asdict(run.seal)}
                    for run, model in zip((self.first, self.second), self.model, strict=True)
                ],
                "people": self.aligned.people,
                "common_only": self.common and self.aligned.left_out > 0,
                "differences": [asdict(item) for item in self.differences],
                "rows": self.rows,
                "tests": [asdict(item) for item in self.tests],
                **self.sections,
            }
        )
        return content


def compare(first: Run, second: Run, *, models: tuple[str, str] = (CHOSEN, CHOSEN), common: bool = False) -> Comparison:
    """Compare two verified runs; `models` names the model row of each; `common` keeps the overlap only."""
    second = named_as(first, second)
    found, rows = tuple(differences(first, second)), row_changes(first, second)
    target = comparable_target(first, second)
    answers = first.answers(models[0]), second.answers(models[1])
    aligned = align(*answers, common=common)
    refused = (target,) if target else aligned.refused
    if not target and aligned.people == 0 and first.record.get("subject_key_id") != second.record.get("subject_key_id"):
        refused += ("they name people under different secrets, so nobody can be recognised",)
    if refused:
        return Comparison(first, second, models, "not comparable", refused, found, rows, aligned)
    tests = _adjusted(_tests(aligned, str(first.record.get("task"))))
    verdict, reasons = _verdict(tests, aligned, common)
    return Comparison(
        first,
        second,
        models,
        verdict,
        reasons,
        found,
        rows,
        aligned,
        common=common,
        tests=tests,
        sections=_sections(first, second, aligned),
    )


def _tests(aligned: Aligned, task: str) -> list[Measured]:
    """Return every test the data allow, the one that decides first."""
    own = aligned.first, aligned.second
    weights = metrics.resamples(aligned.first.subject, seed=0, draws=DRAWS)
    tests = _response_tests(aligned, weights)
    if task == "label":
        return tests
    found = [
        _bootstrapped(name, [_repeated(metric, answers, weights) for answers in own])
        for name, metric in (("mae", metrics.mae), ("rmse", metrics.rmse), ("r2", metrics.r2))
    ]
    total = weights.sum(axis=1)
    found.append(_bootstrapped("interval_width", [weights @ diagnostics.widths(a) / total for a in own]))
    if aligned.folds:
        found.append(_over_folds(aligned))
    return found + tests


def _response_tests(aligned: Aligned, weights: Array) -> list[Measured]:
    """Return AUC (DeLong), Brier (bootstrap) and right answers (McNemar) where a response is defined."""
    own = aligned.first, aligned.second
    known = diagnostics.response_known(own[0]) & diagnostics.response_known(own[1])
    if not known.any():
        return []
    y, subject = own[0].response[known], paired.subject_index(own[0].subject[known])
    p = [answers.p_response[:, known].mean(axis=0) for answers in own]
    aucs, _ = paired.auc_covariance(y, np.array(p), subject)
    right = [(probability >= 0.5) == (y == 1) for probability in p]
    shares = tuple(float(np.mean(hits)) for hits in right)
    return [
        Measured("auc", float(aucs[0]), float(aucs[1]), paired.delong(y, p[0], p[1], subject)),
        _bootstrapped("brier", [metrics.brier(y, q, weights[:, known]) for q in p]),
        Measured("right_answers", shares[0], shares[1], paired.mcnemar(right[0], right[1], subject)),
    ]


def _over_folds(aligned: Aligned) -> Measured:
    means: list[list[float]] = [[], []]
    for repeat, folds in enumerate(aligned.first.fold):
        for fold in np.unique(folds):
            held = folds == fold
            for own, answers in zip(means, (aligned.first, aligned.second), strict=True):
                own.append(float(np.abs(answers.y - answers.prediction[repeat])[held].mean()))
    first, second = (np.array(own) for own in means)
    count = np.mean([len(np.unique(folds)) for folds in aligned.first.fold])
    test = paired.corrected_t(second - first, test_share=float(1 / (count - 1)) if count > 1 else 1.0)
    return Measured("fold_error", float(first.mean()), float(second.mean()), test)


def _repeated(metric: metrics.Metric, answers: Answers, weights: Array) -> Array:
    return metrics.over_repeats(metric, answers.y, answers.prediction, weights)


def _bootstrapped(name: str, values: Sequence[Array]) -> Measured:
    return Measured(name, float(values[0][0]), float(values[1][0]), paired.bootstrap(values[0], values[1]))


def _adjusted(tests: Sequence[Measured]) -> tuple[Measured, ...]:
    adjusted = paired.holm([item.paired.p for item in tests])
    return tuple(
        Measured(t.measure, t.first, t.second, t.paired, float(p)) for t, p in zip(tests, adjusted, strict=True)
    )


def _verdict(tests: Sequence[Measured], aligned: Aligned, common: bool) -> tuple[str, tuple[str, ...]]:
    """Decide by the first test alone, after Holm's correction for having looked at all of them."""
    notes = []
    if common and aligned.left_out:
        notes.append(f"only the overlap is compared: {aligned.left_out} outcome rows are left out")
    if not tests:
        return "not comparable", ("no measure is defined for these answers",)
    decisive = tests[0]
    better = decisive.paired.difference < 0 if decisive.measure in LOWER_IS_BETTER else decisive.paired.difference > 0
    span = f"[{decisive.paired.lower:+.4g}, {decisive.paired.upper:+.4g}]"
    said = f"{decisive.measure} {decisive.paired.difference:+.4g} {span}, Holm-adjusted p {decisive.adjusted:.3g}"
    if not decisive.adjusted < ALPHA:
        return "cannot tell", (said, *notes)
    return "better" if better else "worse", (said, *notes)


def _sections(first: Run, second: Run, aligned: Aligned) -> dict[str, Any]:
    own = aligned.first, aligned.second
    weights = metrics.resamples(aligned.first.subject, seed=0, draws=DRAWS)
    declared = first.record.get("config", {}).get("subgroups") or DECLARED
    declared = [name for name in declared if name in DECLARED]  # oof.tsv says no more of a person
    sections: dict[str, Any] = {
        "calibration": [_estimates(diagnostics.calibration(answers, weights)) for answers in own],
        "coverage": [_estimates(diagnostics.coverage(answers, weights)) for answers in own],
        "subgroups": diagnostics.subgroups(*own, declared, weights),
        "people_affected": diagnostics.people_affected(*own),
        "increment": [run.record.get("increment", []) for run in (first, second)],
    }
    known = diagnostics.response_known(own[0]) & diagnostics.response_known(own[1])
    if known.any():
        y = own[0].response[known]
        p = [answers.p_response[:, known].mean(axis=0) for answers in own]
        sections["response_calibration"] = [diagnostics.response_calibration(y, q) for q in p]
        sections["decision_curve"] = diagnostics.decision_curve(y, p[0], p[1], weights[:, known])
    return sections


def _estimates(found: Mapping[str, Estimate]) -> dict[str, Any]:
    return {name: value.as_dict() for name, value in found.items()}
