"""Do intervals and probabilities hold in each group of people, and not on average alone?

Groups are thirds of severity, sex, arm and study. One of fewer than LEAST_IN_GROUP people is named without figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from features.counts import Array
from models.intervals import GROUPINGS, labels_of, large_groups, severity_cuts
from training import metrics
from training.assess import EVENTS, HeldOut, as_json, interval_metrics
from training.metrics import estimate, over_repeats
from training.people import SMALLEST_CELL
from training.problem import Problem

Rows = npt.NDArray[np.int64]
Row = dict[str, Any]


def interval_groups(problem: Problem, answers: HeldOut, weights: Array) -> list[Row]:
    """Return coverage and mean width of the 90 % interval of each group."""
    found = []
    for row, rows, large in _groups(problem):
        part = answers.take(rows)
        lacks = bool(np.isnan(part.lower).all())
        status = "no interval" if lacks else "stated" if large else "too few"
        figures = interval_metrics(problem.take(rows), part, weights[:, rows]) if status == "stated" else {}
        found.append({**row, "status": status, **as_json(figures)})
    return found


def probability_groups(problem: Problem, answers: HeldOut, weights: Array) -> dict[str, list[Row]]:
    """Return, per event ("label" for the class of a label), the share that had it and the mean probability, of each group.

    `calibration_intercept` is calibration in the large, in logits: above 0, the group's probabilities are too low. A group in which fewer
    than SMALLEST_CELL people had the event, or had it not, is named without figures: it says little and tells of few.
    """
    found: dict[str, list[Row]] = {}
    for event in EVENTS:
        p, seen, known = answers.known(event)
        for row, rows, large in _groups(problem) if known.any() else ():
            own = rows[known[rows]]
            fewest = min(len(set(problem.subjects[own[seen[own] == had]].tolist())) for had in (0.0, 1.0))
            stated = large and fewest >= SMALLEST_CELL
            figures = _calibration(seen[own], p[:, own], weights[:, own]) if stated else {}
            status = "stated" if stated else "too few"
            found.setdefault("label" if problem.task == "label" else event, []).append(
                {**row, "status": status, **figures}
            )
    return found


def _calibration(seen: Array, p: Array, weights: Array) -> Row:
    mean = {"observed": np.broadcast_to(seen, p.shape), "expected": p}
    share = {name: estimate(weights @ value.mean(axis=0) / weights.sum(axis=1)) for name, value in mean.items()}
    intercept = estimate(over_repeats(metrics.calibration_intercept, seen, p, weights))
    return as_json({**share, "calibration_intercept": intercept})


def _groups(problem: Problem) -> Iterator[tuple[Row, Rows, bool]]:
    """Yield what names a group, its rows, and whether it is large enough; a grouping of one group is left out."""
    design = problem.design
    for by in GROUPINGS:
        labels = labels_of(design, by, severity_cuts(design))
        large, names = large_groups(design, labels), sorted(set(labels.tolist()) - {""})
        for name in names if len(names) > 1 else []:
            rows = np.flatnonzero(labels == name)
            yield {"by": by, "group": name, "rows": len(rows)}, rows, name in large
