"""The reject-option curve: the error among the people one would still answer, the others refused first.

People are ordered by the model's own predictive sd and by how unlike the training people they are, both out of fold. A
useful order has errors that fall as fewer are answered (El-Yaniv and Wiener 2010, JMLR 11:1605).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from features.blocks import FeatureEncoder
from features.counts import Array
from models.likeness import SCORED, Likeness
from training.assess import HeldOut
from training.metrics import estimate, mae, over_repeats
from training.problem import Problem
from training.protocol import CHOSEN, Evaluation
from training.splits import Split

SHARES = tuple(round(1.0 - 0.05 * k, 2) for k in range(11))  # of the people answered, from all to half


def reject_curves(
    problem: Problem, evaluation: Evaluation, answers: HeldOut, weights: Array
) -> dict[str, list[dict[str, Any]]]:
    """Return, per order, the MAE among each share of the people answered, with its interval over subjects.

    An order that does not tell people apart (a model with one sd for all) is left out.
    """
    orders = {
        "predicted_sd": evaluation.sds[CHOSEN].mean(axis=0),
        "unlikeness": unlikeness(problem, evaluation.splits[0]),
    }
    return {
        name: [_point(problem, answers, weights, np.argsort(value, kind="stable"), share) for share in SHARES]
        for name, value in orders.items()
        if len(np.unique(value)) > len(value) // 2
    }


def _point(problem: Problem, answers: HeldOut, weights: Array, order: Any, share: float) -> dict[str, Any]:
    kept = np.sort(order[: max(1, round(share * len(order)))])
    error = over_repeats(mae, problem.y[kept], answers.prediction[:, kept], weights[:, kept] + 1e-12)
    return {"share": share, **estimate(error).as_dict()}


def unlikeness(problem: Problem, split: Split) -> Array:
    """Return how far each person lies from the training people of the folds that did not hold the person out."""
    found = np.zeros(len(problem.y))
    for _, train, held_out in split.parts():
        part = problem.take(train).design
        encoder = FeatureEncoder(unit=part.unit, comparator=problem.comparator, derived=problem.derived)
        encoding = encoder.fit(part.frame()).encoding_
        learned = Likeness.learn(encoding.blocks(part), set(SCORED))
        if learned is not None:
            found[held_out] = learned.distance(encoding.blocks(problem.take(held_out).design))
    return found
