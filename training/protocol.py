"""Repeated nested cross-validation: the only place that fits for evaluation.

Outer folds are drawn by subject. In each, everything is fitted on the training rows: encoder, references, and the inner
loop that tunes and chooses among candidates. What leaves a fold is held-out predictions, never a score that feeds back.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from features.blocks import site_reference
from features.counts import Array
from models.catalog import CANDIDATES, CATALOG, LIFESTYLE, PRE_SPECIFIED, columns_of
from models.noise import FLAT
from training.config import SEARCH
from training.partial import kept
from training.problem import Problem
from training.selection import Choice, Configuration, choose, encode, fit_entry, fit_predict, known, predicted, to_fit
from training.splits import Rows, Split, by_group, by_study, verify
from training.stability import Fold

CHOSEN = "chosen"  # the row of the whole search: in each fold, whatever its inner loop chose
NO_LIFESTYLE = "no_lifestyle"  # the covariates reference without its lifestyle block, for that block's increment
NO_ARM = "no_arm"
NO_DERIVED = "no_derived"  # the additive model without diversity, producers and modules, where a run has them
WITH_BLOCK = "with_"  # the same with one of them
NO_LITERATURE = "no_literature"  # the additive model without published prior means, where a run has them
STUDY_ROWS = ("mean", "baseline", "covariates")  # and the additive model
BLIND = "additive_blind"  # the additive model on a left-out study that is not centred on its own samples
OUTER_FOLDS = 5


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Held-out predictions of every model row: `predictions[name]` and `sds[name]` are repeats × n.

    `additive_s`: CPU seconds of the additive model's outer fits in one repeat. `taxa`: what that model went by in each fold
    (`training.stability`), where whole studies are left out only what the study bears out.
    """

    splits: tuple[Split, ...]
    predictions: dict[str, Array]
    sds: dict[str, Array]
    choices: tuple[Choice, ...]
    additive_s: float = 0.0
    taxa: tuple[tuple[str, ...], ...] = ()

    @property
    def candidates(self) -> tuple[str, ...]:
        """Return the candidates that were tried in every fold."""
        return tuple(name for name in CANDIDATES if name in self.predictions)

    @property
    def fold(self) -> Array:
        """Return the repeats × n fold numbers."""
        return np.array([split.fold for split in self.splits])


@dataclass(frozen=True, eq=False)
class _FoldResult:
    repeat: int
    held_out: Rows
    rows: dict[str, tuple[Array, Array]]
    choice: Choice | None
    additive_s: float = 0.0
    taxa: tuple[str, ...] = ()


def repeats_for(people: int) -> int:
    """Return how often the outer folds are redrawn: small cohorts vary most between draws and cost least."""
    return 5 if people <= 100 else 3 if people <= 300 else 2 if people <= 800 else 1


def candidates_for(people: int, model: str) -> tuple[str, ...]:
    """Return what a search offers to so many people; a run of one named model tries that one, and the pre-specified one of the increments."""
    if model == SEARCH:
        return tuple(name for name in CANDIDATES if people >= CATALOG[name].least)
    return tuple(name for name in CANDIDATES if name in (PRE_SPECIFIED, model))


def outer_splits(problem: Problem, *, repeats: int, seed: int, folds: int = OUTER_FOLDS) -> tuple[Split, ...]:
    """Return the outer folds by subject, one split per repeat."""
    return tuple(by_group(problem.subjects, folds, seed=seed, repeat=r, y=problem.y) for r in range(repeats))


def evaluate(problem: Problem, splits: Sequence[Split], *, seed: int, candidates: Sequence[str] = CANDIDATES,
             title: str = "nested validation", jobs: int = 0, deadline: float = inf,
             partial: Path | None = None) -> Evaluation:  # fmt: skip
    """Return held-out predictions of all references, all candidates and the search itself.

    Raises Refused when a subject stands in two folds. `jobs` folds run side by side (0 = one per core), one thread each. A
    candidate that the `deadline` kept out of some fold has no row. Finished folds are kept in `partial`, and taken from there.
    """
    for split in splits:
        verify(split, problem.subjects)
    work = [
        delayed(_fold)(problem, split.repeat, train, held_out, seed, tuple(candidates), deadline)
        for split in splits
        for _, train, held_out in split.parts()
    ]
    return _gather(problem, tuple(splits), _run(work, title, jobs, partial))


def leave_one_study_out(
    problem: Problem, *, seed: int, jobs: int = 0, partial: Path | None = None
) -> Evaluation | None:
    """Return predictions for each study by models that never saw it, or None with fewer than two studies.

    The held-out study is centred on its own unlabelled samples where it has enough of them.
    """
    split = by_study(problem.design.study)
    if len(np.unique(split.fold)) < 2:
        return None
    work = [delayed(_study_fold)(problem, train, held_out, seed) for _, train, held_out in split.parts()]
    return _gather(problem, (split,), _run(work, "leave one study out", jobs, partial))


def _run(work: list[Any], title: str, jobs: int, partial: Path | None) -> list[_FoldResult]:
    if partial:
        name = title.replace(" ", "-").replace("/", "-of-")
        work = [delayed(kept)(partial / f"{name}-{k}.fold", *item) for k, item in enumerate(work)]
    pool = Parallel(n_jobs=jobs or min(os.cpu_count() or 1, len(work)), return_as="generator_unordered", batch_size=1)
    return list(tqdm(pool(work), total=len(work), desc=title, unit="fold", leave=False))


def _fold(
    problem: Problem, repeat: int, train: Rows, held_out: Rows, seed: int, candidates: tuple[str, ...], deadline: float
) -> _FoldResult:
    with threadpool_limits(1):
        part, rest = problem.take(train), problem.take(held_out)
        encoder, Z, y = to_fit(part)
        _, W = encode(rest, encoder)
        effects = known(part, encoder)
        fit = functools.partial(fit_predict, train=Z, y=y, test=W, seed=seed, known=effects)
        rows = {name: fit(entry, {}) for name, entry in CATALOG.items() if entry.reference}
        rows[NO_LIFESTYLE] = fit(CATALOG["covariates"], {}, without=LIFESTYLE)
        rows[NO_ARM] = fit(CATALOG["covariates"], {}, without=("arm",))
        rows |= _block_rows(problem, fit)
        if problem.literature:
            rows[NO_LITERATURE] = fit(CATALOG["additive"], {}, known=None)
        if not candidates:
            return _FoldResult(repeat, held_out, rows, None)
        choice = choose(part, candidates, seed=seed, deadline=deadline)
        models: dict[str, Any] = {}
        spent: dict[str, float] = {}
        for name, config in choice.per_entry.items():
            clock, columns = time.process_time(), columns_of(list(Z.columns), CATALOG[name])
            models[name] = fit_entry(CATALOG[name], config.params, Z[columns], y, seed=seed, known=effects,
                                     additive=models.get("additive"))  # fmt: skip
            rows[name] = predicted(models[name], W[columns], choice.noise.get(name, FLAT))
            spent[name] = time.process_time() - clock
        rows[CHOSEN] = _winner(choice, rows, lambda c: fit(CATALOG[c.entry], c.params, noise=choice.noise[c.entry]))
        taxa = Fold(models["additive"], encoder, part).selected() if "additive" in models else ()
        return _FoldResult(repeat, held_out, rows, choice, spent.get("additive", 0.0), taxa)


def _block_rows(problem: Problem, fit: Callable[..., tuple[Array, Array]]) -> dict[str, tuple[Array, Array]]:
    """The additive model without any derived block, and with each of them alone; nothing where a run has none."""
    kinds = [block.kind for block in problem.derived]
    rows = {WITH_BLOCK + kind: tuple(other for other in kinds if other != kind) for kind in kinds}
    rows |= {NO_DERIVED: tuple(kinds)} if kinds else {}
    return {name: fit(CATALOG["additive"], {}, without=without) for name, without in rows.items()}


def _winner(
    choice: Choice, rows: dict[str, tuple[Array, Array]], fit: Callable[[Configuration], tuple[Array, Array]]
) -> tuple[Array, Array]:
    """The search's winner is nearly always its entry's own best setting, which is fitted already."""
    own = choice.per_entry[choice.winner.entry]
    return rows[choice.winner.entry] if own.params == choice.winner.params else fit(choice.winner)


def _study_fold(problem: Problem, train: Rows, held_out: Rows, seed: int) -> _FoldResult:
    with threadpool_limits(1):
        part, rest = problem.take(train), problem.take(held_out)
        encoder, Z, y = to_fit(part)
        _, blind = encode(rest, encoder)
        site = site_reference(encoder.encoding_, rest.design, "held-out study")
        _, W = encode(rest, encoder, site)
        effects, columns = known(part, encoder), columns_of(list(Z.columns), CATALOG["additive"])
        fit = functools.partial(fit_predict, train=Z, y=y, test=W, seed=seed, known=effects)
        rows = {name: fit(CATALOG[name], {}) for name in STUDY_ROWS}
        model = fit_entry(CATALOG["additive"], {}, Z[columns], y, seed=seed, known=effects)
        rows |= {"additive": predicted(model, W[columns]), BLIND: predicted(model, blind[columns])}
        return _FoldResult(0, held_out, rows, None, taxa=Fold(model, encoder, part).borne_out(rest))


def _gather(problem: Problem, splits: tuple[Split, ...], results: list[_FoldResult]) -> Evaluation:
    shape = (len(splits), len(problem.y))
    names = [name for name in results[0].rows if all(name in result.rows for result in results)]
    predictions, sds = ({name: np.full(shape, np.nan) for name in names} for _ in range(2))
    for result in results:
        for name in names:
            mean, sd = result.rows[name]
            predictions[name][result.repeat, result.held_out] = mean
            sds[name][result.repeat, result.held_out] = sd
    # Folds finish in any order; the first held-out row gives the choices one order for ever.
    ordered = sorted(results, key=lambda result: (result.repeat, int(result.held_out[0])))
    choices = tuple(result.choice for result in ordered if result.choice is not None)
    additive_s = sum(result.additive_s for result in results if result.repeat == 0)
    return Evaluation(splits, predictions, sds, choices, additive_s, tuple(result.taxa for result in ordered))


INCREMENTS: tuple[tuple[str, str, str], ...] = (
    ("microbiome", "covariates", "additive"),
    ("lifestyle", NO_LIFESTYLE, "covariates"),
    ("arm", NO_ARM, "covariates"),
)
"""(block, model row without it, model row with it): the pre-specified additive model, with and without the block."""


def increment_pairs(problem: Problem) -> tuple[tuple[str, str, str], ...]:
    """Return INCREMENTS, and with derived blocks one row for each: the microbiome's own row stays what it is without them."""
    if not problem.derived:
        return INCREMENTS
    own = tuple((block, without, NO_DERIVED if block == "microbiome" else row) for block, without, row in INCREMENTS)
    return own + tuple((block.kind, NO_DERIVED, WITH_BLOCK + block.kind) for block in problem.derived)
