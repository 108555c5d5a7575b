"""How much studies differ beyond chance: the level of each left-out study against what was predicted for it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.stats import chi2

from features.counts import Array
from training.problem import Problem
from training.protocol import Evaluation

LEAST = 10  # people of a study whose level is judged


class Heterogeneity(NamedTuple):
    """Random-effects summary: Cochran's Q and its p-value, the share of variation beyond chance (0 to 1), and its sd in points."""

    q: float
    p_value: float
    i2: float
    tau: float


def der_simonian_laird(effect: Array, variance: Array) -> Heterogeneity:
    """Return the heterogeneity of k >= 2 effects with their sampling variances (DerSimonian & Laird 1986; Higgins 2003, I2)."""
    weight = 1.0 / variance
    pooled = float(weight @ effect / weight.sum())
    q, free = float(weight @ (effect - pooled) ** 2), len(effect) - 1
    tau2 = max(0.0, (q - free) / float(weight.sum() - weight @ weight / weight.sum()))
    return Heterogeneity(q, float(chi2.sf(q, free)), max(0.0, (q - free) / q) if q > 0 else 0.0, float(np.sqrt(tau2)))


def between_studies(problem: Problem, studies: Evaluation | None) -> dict[str, Any]:
    """Return each study's mean miss (observed minus predicted, points) by models that never saw it, and their heterogeneity.

    Rows of a person are averaged first. Studies below 10 people are counted, not judged; with fewer than two left there is nothing.
    """
    if studies is None:
        return {}
    miss = problem.y - studies.predictions["additive"][0]
    levels = {}
    for study in sorted(set(problem.design.study.tolist())):
        rows = problem.design.study == study
        people = problem.subjects[rows]
        own = np.array([miss[rows][people == who].mean() for who in sorted(set(people.tolist()))])
        if len(own) >= LEAST:
            levels[str(study)] = (len(own), float(own.mean()), float(own.var(ddof=1) / len(own)))
    if len(levels) < 2:
        return {}
    found = der_simonian_laird(*(np.array([level[i] for level in levels.values()]) for i in (1, 2)))
    stated = {name: {"people": n, "miss": miss, "se": float(np.sqrt(v))} for name, (n, miss, v) in levels.items()}
    return {"studies": stated, **found._asdict()}
