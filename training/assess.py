"""From held-out predictions to the figures that are reported: metrics, cross-fitted intervals, response probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from features.counts import Array
from features.instruments import reachable, response_threshold
from models.intervals import clip_interval, crossfit_quantiles, distribution, probability_below
from training import metrics
from training.metrics import Estimate, estimate, over_repeats
from training.problem import Problem
from training.protocol import Evaluation

LEVEL = 0.9


@dataclass(frozen=True, eq=False)
class HeldOut:
    """One model row's held-out answers, repeats × n each; `responds` is the observed response (NaN where undefined)."""

    prediction: Array
    lower: Array
    upper: Array
    p_response: Array
    responds: Array


def held_out(problem: Problem, evaluation: Evaluation, row: str) -> HeldOut:
    """Return a row's predictions with intervals and probabilities that never used the person's own fold."""
    low, high = change_bounds(problem)
    bar, responds = response_bar(problem)
    parts: list[tuple[Array, Array, Array, Array]] = []
    for prediction, sd, fold in zip(evaluation.predictions[row], evaluation.sds[row], evaluation.fold, strict=True):
        scores = (problem.y - prediction) / sd
        half = crossfit_quantiles(scores, fold, LEVEL) * sd
        centre = np.clip(prediction, low, high)
        lower, upper = clip_interval(centre, half, low, high)
        p = np.full(len(prediction), np.nan)
        for k in np.unique(fold):
            own = fold == k
            p[own] = probability_below(bar[own], prediction[own], sd[own], distribution(scores[~own]))
        parts.append((centre, lower, upper, p if problem.instrument.lower_is_better else 1.0 - p))
    prediction, lower, upper, p_response = (np.array(column) for column in zip(*parts, strict=True))
    if problem.task == "label":
        p_response, responds = prediction, problem.y
    return HeldOut(prediction, lower, upper, p_response, responds)


def change_bounds(problem: Problem) -> tuple[Array, Array]:
    """Return the lowest and highest reachable target per row, from the instrument's range."""
    n = len(problem.y)
    if problem.task == "label":
        return np.zeros(n), np.ones(n)
    low, high = reachable(problem.instrument)
    start = problem.design.baseline if problem.task == "change" else np.zeros(n)
    return low - start, high - start


def response_bar(problem: Problem) -> tuple[Array, Array]:
    """Return the change at which each row counts as responder, and whether it did; NaN without a rule."""
    start = problem.design.baseline
    follow_up = response_threshold(problem.instrument, start) if problem.task == "change" else None
    if follow_up is None:
        return np.full(len(problem.y), np.nan), np.full(len(problem.y), np.nan)
    bar = np.asarray(follow_up, dtype=float) - start
    hit = problem.y <= bar if problem.instrument.lower_is_better else problem.y >= bar
    return bar, np.where(np.isnan(bar), np.nan, hit.astype(float))


def row_metrics(problem: Problem, answers: HeldOut, weights: Array) -> dict[str, Estimate]:
    """Return every metric of a row with its bootstrap interval over subjects."""
    found = {
        name: estimate(over_repeats(metric, problem.y, answers.prediction, weights))
        for name, metric in metrics.REGRESSION.items()
    }
    known = ~np.isnan(answers.responds) & ~np.isnan(answers.p_response).any(axis=0)
    if known.sum() and 0 < answers.responds[known].mean() < 1:
        prefix = "" if problem.task == "label" else "response_"
        for name, metric in metrics.BINARY.items():
            values = over_repeats(metric, answers.responds[known], answers.p_response[:, known], weights[:, known])
            found[prefix + name] = estimate(values)
    return found


def interval_metrics(problem: Problem, answers: HeldOut, weights: Array) -> dict[str, Estimate]:
    """Return coverage of the 90 % interval (cross-fitted) and its mean width in points."""
    inside = ((problem.y >= answers.lower - 1e-9) & (problem.y <= answers.upper + 1e-9)).mean(axis=0)
    width = (answers.upper - answers.lower).mean(axis=0)
    total = weights.sum(axis=1)
    return {"coverage": estimate(weights @ inside / total), "interval_width": estimate(weights @ width / total)}


def gain_over_mean(problem: Problem, evaluation: Evaluation, row: str, weights: Array) -> Estimate:
    """Return the R2 a row gains over the mean of the training people."""
    return estimate(
        _mean_loss(problem, evaluation, "mean", weights, 2) - _mean_loss(problem, evaluation, row, weights, 2), 0.95
    )


def mae_loss(problem: Problem, evaluation: Evaluation, row: str, weights: Array) -> tuple[float, float]:
    """Return (upper one-sided 95 % bound of the MAE lost against baseline alone, that reference's MAE)."""
    floor = _mean_loss(problem, evaluation, "baseline", weights, 1)
    lost = _mean_loss(problem, evaluation, row, weights, 1) - floor
    return float(np.nanquantile(lost[1:], 0.95)), float(floor[0])


def _mean_loss(problem: Problem, evaluation: Evaluation, row: str, weights: Array, power: int) -> Array:
    loss = (np.abs(evaluation.predictions[row] - problem.y) ** power).mean(axis=0)
    scale = float(np.var(problem.y)) if power == 2 else 1.0
    return np.asarray(weights @ loss / weights.sum(axis=1) / (scale or 1.0))


def as_json(found: Mapping[str, Estimate]) -> dict[str, Any]:
    """Return metrics as the JSON object of the contract."""
    return {name: value.as_dict() for name, value in found.items()}


def scaled_residuals(problem: Problem, evaluation: Evaluation, row: str) -> Array:
    """Return out-of-fold residuals over own sd, averaged over repeats per row."""
    return np.asarray(((problem.y - evaluation.predictions[row]) / evaluation.sds[row]).mean(axis=0))
