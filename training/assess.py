"""From held-out predictions to the figures that are reported: metrics, cross-fitted intervals, response probabilities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from features.counts import Array
from features.instruments import Instrument, reachable, remission_threshold, response_threshold
from models.intervals import (
    clip_interval,
    crossfit_group_quantiles,
    crossfit_quantiles,
    distribution,
    probability_below,
)
from training import metrics
from training.metrics import Estimate, estimate, over_repeats
from training.problem import Problem
from training.protocol import Evaluation

LEVEL = 0.9
EVENTS: Mapping[str, Callable[[Instrument, Array], Array | float | None]] = {
    "response": response_threshold,
    "remission": lambda instrument, start: remission_threshold(instrument),
}
THRESHOLDS = tuple(round(0.05 * k, 2) for k in range(1, 20))  # probabilities from which one would act


@dataclass(frozen=True, eq=False)
class HeldOut:
    """One model row's held-out answers, repeats × n each; `responds` and `remits` are what was observed (NaN: undefined)."""

    prediction: Array
    lower: Array
    upper: Array
    p_response: Array
    responds: Array
    p_remission: Array
    remits: Array

    def take(self, rows: npt.NDArray[np.int64]) -> HeldOut:
        """Return the answers of some rows."""
        return HeldOut(**{name: column[..., rows] for name, column in vars(self).items()})

    def known(self, event: str) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
        """Return (probabilities, observed, rows in which both are known) of "response" or "remission".

        No row is known where all people, or none, had the event: there is nothing to tell apart.
        """
        p, seen = (self.p_response, self.responds) if event == "response" else (self.p_remission, self.remits)
        rows = ~np.isnan(seen) & ~np.isnan(p).any(axis=0)
        return p, seen, rows & bool(rows.any() and 0 < seen[rows].mean() < 1)


def held_out(problem: Problem, evaluation: Evaluation, row: str, by: str = "") -> HeldOut:
    """Return a row's predictions with intervals and probabilities that never used the person's own fold.

    `by` makes the intervals by group; bounds are NaN in a group that is too small.
    """
    low, high = change_bounds(problem)
    bars, seen = zip(*(event_bar(problem, event) for event in EVENTS), strict=True)
    parts: list[tuple[Array, ...]] = []
    for prediction, sd, fold in zip(evaluation.predictions[row], evaluation.sds[row], evaluation.fold, strict=True):
        scores = (problem.y - prediction) / sd
        half = sd * (
            crossfit_group_quantiles(problem.design, scores, fold, by, LEVEL)
            if by
            else crossfit_quantiles(scores, fold, LEVEL)
        )
        centre = np.clip(prediction, low, high)
        lower, upper = clip_interval(centre, half, low, high)
        p = np.full((len(bars), len(prediction)), np.nan)
        for k in np.unique(fold):
            own, grid = fold == k, distribution(scores[fold != k])
            for event, bar in enumerate(bars):
                p[event, own] = probability_below(bar[own], prediction[own], sd[own], grid)
        parts.append((centre, lower, upper, *(p if problem.instrument.lower_is_better else 1.0 - p)))
    prediction, lower, upper, responding, remitting = (np.array(column) for column in zip(*parts, strict=True))
    if problem.task == "label":
        return HeldOut(prediction, lower, upper, prediction, problem.y, remitting, seen[1])
    return HeldOut(prediction, lower, upper, responding, seen[0], remitting, seen[1])


def change_bounds(problem: Problem) -> tuple[Array, Array]:
    """Return the lowest and highest reachable target per row, from the instrument's range."""
    n = len(problem.y)
    if problem.task == "label":
        return np.zeros(n), np.ones(n)
    low, high = reachable(problem.instrument)
    start = problem.design.baseline if problem.task == "change" else np.zeros(n)
    return low - start, high - start


def event_bar(problem: Problem, event: str) -> tuple[Array, Array]:
    """Return the change at which each row counts as responder (or as in remission), and whether it did; NaN without a rule."""
    start = problem.design.baseline
    follow_up = EVENTS[event](problem.instrument, start) if problem.task == "change" else None
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
    return found | probability_metrics(problem, answers, weights, metrics.BINARY)


def probability_metrics(
    problem: Problem, answers: HeldOut, weights: Array, wanted: Mapping[str, metrics.Metric]
) -> dict[str, Estimate]:
    """Return metrics of the probabilities of response and of remission, where the instrument has such rules."""
    found = {}
    for event in EVENTS:
        p, seen, known = answers.known(event)
        prefix = "" if problem.task == "label" else f"{event}_"
        for name, metric in wanted.items() if known.any() else ():
            found[prefix + name] = estimate(over_repeats(metric, seen[known], p[:, known], weights[:, known]))
    return found


def decision_curves(
    problem: Problem, answers: Mapping[str, HeldOut], row: str, weights: Array
) -> dict[str, list[dict[str, Any]]]:
    """Return, per event ("label" for the class of a label), the net benefit at each threshold: of the row, of baseline alone, and of treating everyone.

    Treating no one has net benefit 0. Probabilities are out of fold, benefits averaged over repeats.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for event in EVENTS:
        (p, seen, known), (floor, *_) = answers[row].known(event), answers["baseline"].known(event)
        for t in THRESHOLDS if known.any() else ():
            metric = partial(metrics.net_benefit, threshold=t)
            own, base, everyone = (over_repeats(metric, seen[known], q[:, known], weights[:, known])
                                   for q in (p, floor, np.ones_like(p)))  # fmt: skip
            point = {"threshold": t, **estimate(own).as_dict(), "baseline": base[0], "treat_all": everyone[0]}
            found.setdefault("label" if problem.task == "label" else event, []).append(point)
    return found


def interval_metrics(problem: Problem, answers: HeldOut, weights: Array) -> dict[str, Estimate]:
    """Return coverage of the 90 % interval (cross-fitted) and its mean width in points, over the rows that have one."""
    has = ~np.isnan(answers.lower).any(axis=0)
    inside = (problem.y >= answers.lower - 1e-9) & (problem.y <= answers.upper + 1e-9)
    total = weights[:, has].sum(axis=1)
    share = weights[:, has] / np.where(total > 0, total, np.nan)[:, None]
    figures = {"coverage": inside, "interval_width": answers.upper - answers.lower}
    return {name: estimate(share @ value[:, has].mean(axis=0)) for name, value in figures.items()}


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
    """Return out-of-fold residuals over own sd, repeats × n."""
    return np.asarray((problem.y - evaluation.predictions[row]) / evaluation.sds[row])
