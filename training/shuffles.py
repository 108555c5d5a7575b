"""How good a search looks where there is nothing to find: the same search on shuffled outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.catalog import CANDIDATES
from training.problem import Problem
from training.protocol import CHOSEN, OUTER_FOLDS, evaluate, outer_splits


class Shuffle(NamedTuple):
    """A search on a shuffled outcome.

    `best_inner_r2` is what reporting its winner without an outer loop would claim (None where nothing was searched), `nested_r2` what
    we report, `configurations` how many were tried. `inner_band`: the least and largest best inner R² of its `searches` inner searches,
    one per outer fold: the spread over the folds of this one shuffle.
    """

    best_inner_r2: float | None
    nested_r2: float
    configurations: int
    inner_band: tuple[float, float] | None
    searches: int


def shuffled(
    problem: Problem, *, draws: int, seed: int, candidates: Sequence[str] = CANDIDATES, partial: Path | None = None
) -> list[Shuffle]:
    """Return, per shuffle of the outcome, how good this search looks on noise."""
    found = []
    for draw in range(draws):
        rng = np.random.default_rng([seed, 13, draw])
        noise = problem.with_y(rng.permutation(problem.y))
        result = evaluate(
            noise,
            outer_splits(noise, repeats=1, seed=seed + draw, folds=OUTER_FOLDS if problem.people <= 300 else 3),
            seed=seed,
            candidates=candidates,
            partial=partial,
            title=f"shuffled outcome {draw + 1}/{draws}",
        )
        nested = 1.0 - np.mean((noise.y - result.predictions[CHOSEN][0]) ** 2) / np.var(noise.y)
        best = [choice.best_r2 for choice in result.choices if choice.best_r2 is not None]
        tried = max(choice.tried for choice in result.choices)
        band = (min(best), max(best)) if best else None
        found.append(Shuffle(float(np.mean(best)) if best else None, float(nested), tried, band, len(best)))
    return found
