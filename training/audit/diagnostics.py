"""What one model's held-out answers look like beside another's: calibration, coverage, decisions, groups, people.

Every figure comes with a bootstrap interval over subjects, on the resamples that the paired tests use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
from fairlearn.metrics import MetricFrame, count
from scipy.special import expit, logit

from features.counts import Array
from features.design import Objects
from training.audit.paired import Paired, bootstrap
from training.audit.runs import Answers
from training.metrics import Estimate, estimate

#: A group with fewer people than this is named, not judged.
LEAST_PEOPLE = 20

#: Probabilities of response at which treating would be worth it, for the decision curve.
THRESHOLDS = np.round(np.arange(0.05, 0.96, 0.05), 2)


def calibration(answers: Answers, weights: Array) -> dict[str, Estimate]:
    """Return intercept and slope of outcome on prediction (0 and 1 when calibrated), by least squares."""
    x, y = answers.prediction.mean(axis=0), answers.y
    total = weights.sum(axis=1)
    mean_x, mean_y = weights @ x / total, weights @ y / total
    spread = weights @ (x * x) / total - mean_x**2
    slope = (weights @ (x * y) / total - mean_x * mean_y) / np.where(spread > 1e-12, spread, np.nan)
    return {"intercept": estimate(mean_y - slope * mean_x), "slope": estimate(slope)}


def coverage(answers: Answers, weights: Array) -> dict[str, Estimate]:
    """Return the share of outcomes inside their interval, and the interval's mean width in points."""
    inside = ((answers.y >= answers.lower - 1e-9) & (answers.y <= answers.upper + 1e-9)).mean(axis=0)
    total = weights.sum(axis=1)
    return {
        "coverage": estimate(weights @ inside / total),
        "interval_width": estimate(weights @ widths(answers) / total),
    }


def widths(answers: Answers) -> Array:
    """Return each row's mean interval width over repeats, in points."""
    return np.asarray((answers.upper - answers.lower).mean(axis=0))


def response_known(answers: Answers) -> npt.NDArray[np.bool_]:
    """Return which rows have an observed response and a predicted probability of it, as a mask."""
    return ~np.isnan(answers.response) & ~np.isnan(answers.p_response).any(axis=0)


def response_calibration(y: Array, p: Array) -> dict[str, float]:
    """Return intercept and slope of a logistic fit on logit(p), and expected over observed (E/O)."""
    x = logit(np.clip(p, 1e-6, 1 - 1e-6))
    design = np.column_stack([np.ones_like(x), x])
    beta = np.array([0.0, 1.0])
    for _ in range(50):
        fitted = expit(design @ beta)
        information = (design * (fitted * (1 - fitted))[:, None]).T @ design
        if np.linalg.cond(information) > 1e12:
            return {"intercept": np.nan, "slope": np.nan, "expected_observed": _ratio(p, y)}
        step = np.linalg.solve(information, design.T @ (y - fitted))
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            break
    return {"intercept": float(beta[0]), "slope": float(beta[1]), "expected_observed": _ratio(p, y)}


def net_benefit(y: Array, p: Array, weights: Array) -> Array:
    """Return the net benefit of treating where p reaches each threshold: resamples × thresholds.

    TP/N - FP/N * t/(1 - t), Vickers and Elkin 2006.
    """
    treated = p[:, None] >= THRESHOLDS
    odds = THRESHOLDS / (1 - THRESHOLDS)
    gain = treated * y[:, None] - treated * (1 - y)[:, None] * odds
    return np.asarray(weights @ gain / weights.sum(axis=1)[:, None])


def decision_curve(y: Array, first: Array, second: Array, weights: Array) -> list[dict[str, float]]:
    """Return per threshold the net benefit of both, of treating all, and their difference with interval."""
    benefits = [net_benefit(y, p, weights) for p in (first, second, np.ones_like(y))]
    rows = []
    for place, threshold in enumerate(THRESHOLDS):
        difference = bootstrap(benefits[0][:, place], benefits[1][:, place])
        own = {name: float(b[0, place]) for name, b in zip(("first", "second", "all"), benefits, strict=True)}
        span = {"lower": difference.lower, "upper": difference.upper}
        rows.append({"threshold": float(threshold), **own, "difference": difference.difference, **span})
    return rows


def subgroups(first: Answers, second: Answers, declared: Sequence[str], weights: Array) -> list[dict[str, Any]]:
    """Return mean absolute error by declared group for both, with the paired difference.

    Groups of fewer than LEAST_PEOPLE people are listed without figures.
    """
    rows = []
    for name in declared:
        values: Objects = getattr(first, name)
        if len(set(values.astype(str))) < 2:
            continue  # one group only: the whole, which is judged above
        frames = [_by_group(answers, values) for answers in (first, second)]
        for group in sorted(set(values.astype(str))):
            own = values.astype(str) == group
            people = len(set(first.subject[own]))
            row: dict[str, Any] = {"by": name, "group": group, "people": people, "enough": people >= LEAST_PEOPLE}
            if row["enough"]:
                errors = [np.abs(a.y - a.prediction).mean(axis=0)[own] for a in (first, second)]
                row |= {"first": frames[0][group], "second": frames[1][group]}
                row["difference"] = asdict(_mean_difference(errors[0], errors[1], weights[:, own]))
            rows.append(row)
    return rows


def people_affected(first: Answers, second: Answers) -> dict[str, Any]:
    """Return who the second model predicts worse, and by how much (points of absolute error per person)."""
    change = np.abs(second.y - second.prediction).mean(axis=0) - np.abs(first.y - first.prediction).mean(axis=0)
    names, index = np.unique(first.subject.astype(str), return_inverse=True)
    per_person = np.bincount(index, weights=change) / np.bincount(index)
    order = np.argsort(-per_person, kind="stable")[:10]
    shares = {"worse": float(np.mean(per_person > 0)), "worse_by_1": float(np.mean(per_person > 1))}
    levels = (5, 25, 50, 75, 95)
    return {
        "people": len(names),
        **shares,
        "better_by_1": float(np.mean(per_person < -1)),
        "percentiles": dict(zip(map(str, levels), np.percentile(per_person, levels).tolist(), strict=True)),
        "most_worsened": [{"person": str(names[i]), "by": float(per_person[i])} for i in order if per_person[i] > 0],
    }


def _by_group(answers: Answers, values: Objects) -> Mapping[str, float]:
    errors = np.abs(answers.y - answers.prediction).mean(axis=0)
    frame = MetricFrame(
        metrics={"mae": lambda zero, error: float(np.mean(error)), "rows": count},
        y_true=np.zeros_like(errors),
        y_pred=errors,
        sensitive_features=values.astype(str),
    )
    return {str(group): float(value) for group, value in frame.by_group["mae"].items()}


def _mean_difference(first: Array, second: Array, weights: Array) -> Paired:
    total = weights.sum(axis=1)
    # A resample may hold no one of a small group: such a draw says nothing about it.
    total = np.where(total > 0, total, np.nan)
    return bootstrap(weights @ first / total, weights @ second / total)


def _ratio(p: Array, y: Array) -> float:
    return float(p.sum() / y.sum()) if y.sum() > 0 else float("nan")
