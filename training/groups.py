"""Do intervals and probabilities hold in each group of people, and not on average alone?

Groups are thirds of severity, sex, arm and study. One of fewer than LEAST_IN_GROUP people is named without figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from features.counts import Array
from models.intervals import GROUPINGS, LEAST_IN_GROUP, labels_of, severity_cuts
from training import metrics
from training.assess import EVENTS, HeldOut, as_json, interval_metrics
from training.metrics import estimate, over_repeats
from training.people import SMALLEST_CELL
from training.problem import Problem

Rows = npt.NDArray[np.int64]
Row = dict[str, Any]


def interval_groups(problem: Problem, answers: HeldOut, weights: Array) -> list[Row]:
    """Return coverage and mean width of the 90 % interval of each group; `rows` is null where it is fewer than SMALLEST_CELL people."""
    found = []
    for by, groups in _groupings(problem):
        for name, rows in groups.items():
            part = answers.take(rows)
            lacks = bool(np.isnan(part.lower).all())
            status = "no interval" if lacks else "stated" if _people(problem, rows) >= LEAST_IN_GROUP else "too few"
            figures = interval_metrics(problem.take(rows), part, weights[:, rows]) if status == "stated" else {}
            found.append({**_named(problem, by, name, rows), "status": status, **as_json(figures)})
    return found


def probability_groups(problem: Problem, answers: HeldOut, weights: Array) -> dict[str, list[Row]]:
    """Return, per event ("label" for the class of a label), the share that had it and the mean probability, of each group.

    `calibration_intercept` is calibration in the large, in logits: above 0, the group's probabilities are too low. A group in which fewer
    than SMALLEST_CELL people had the event, or had it not, is named without figures, and so is another where these could be worked out
    from the rest by subtraction.
    """
    found: dict[str, list[Row]] = {}
    for event in EVENTS:
        p, seen, known = answers.known(event)
        for by, groups in _groupings(problem) if known.any() else ():
            own = {name: rows[known[rows]] for name, rows in groups.items()}
            stated = _safe(problem, seen, known, own)
            for name, rows in own.items():
                figures = _calibration(seen[rows], p[:, rows], weights[:, rows]) if name in stated else {}
                status = {"status": "stated" if name in stated else "too few"}
                row = {**_named(problem, by, name, rows), **status, **figures}
                found.setdefault("label" if problem.task == "label" else event, []).append(row)
    return found


def _safe(problem: Problem, seen: Array, known: npt.NDArray[np.bool_], groups: dict[str, Rows]) -> set[str]:
    """Return the groups whose figures tell of nobody: large, both classes of at least SMALLEST_CELL people, and so all the others together."""

    def smallest(rows: Rows) -> int:
        return min(_people(problem, rows[seen[rows] == had]) for had in (0.0, 1.0))

    cells = {name: smallest(rows) for name, rows in groups.items() if _people(problem, rows) >= LEAST_IN_GROUP}
    stated = sorted((name for name, cell in cells.items() if cell >= SMALLEST_CELL), key=lambda name: -cells[name])
    while stated:
        shown = np.concatenate([groups[name] for name in stated])
        rest = np.setdiff1d(np.flatnonzero(known), shown)
        if not len(rest) or smallest(rest) >= SMALLEST_CELL:
            break
        stated.pop()
    return set(stated)


def _calibration(seen: Array, p: Array, weights: Array) -> Row:
    mean = {"observed": np.broadcast_to(seen, p.shape), "expected": p}
    share = {name: estimate(weights @ value.mean(axis=0) / weights.sum(axis=1)) for name, value in mean.items()}
    intercept = estimate(over_repeats(metrics.calibration_intercept, seen, p, weights))
    return as_json({**share, "calibration_intercept": intercept})


def _groupings(problem: Problem) -> Iterator[tuple[str, dict[str, Rows]]]:
    """Yield each grouping and the rows of its groups; a grouping of one group is left out."""
    for by in GROUPINGS:
        labels = labels_of(problem.design, by, severity_cuts(problem.design))
        names = sorted(set(labels.tolist()) - {""})
        if len(names) > 1:
            yield by, {name: np.flatnonzero(labels == name) for name in names}


def _named(problem: Problem, by: str, name: str, rows: Rows) -> Row:
    return {"by": by, "group": name, "rows": len(rows) if _people(problem, rows) >= SMALLEST_CELL else None}


def _people(problem: Problem, rows: Rows) -> int:
    return len(set(problem.subjects[rows].tolist()))
