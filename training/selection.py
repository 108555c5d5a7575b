"""The inner loop: every configuration of every candidate on the same inner folds, chosen by one standard error.

The encoder is fitted once per inner fold and shared by all configurations: its cost does not grow with the grid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from features.blocks import FeatureEncoder
from features.counts import Array
from features.encoding import SiteReference
from models.additive import AdditiveBlockRegressor
from models.catalog import CATALOG, RAW, Entry, Params, columns_of
from training.problem import Problem
from training.splits import by_group

INNER_FOLDS = 3


@dataclass(frozen=True)
class Configuration:
    """One candidate with one setting of its grid."""

    entry: str
    params: Params


@dataclass(frozen=True, eq=False)
class Choice:
    """What the inner loop chose: per candidate its own best setting (with its inner RMSE), and the winner among all."""

    winner: Configuration
    per_entry: Mapping[str, Configuration]
    tried: int
    best_r2: float
    rmse: Mapping[str, float]


def configurations(candidates: Sequence[str]) -> list[Configuration]:
    """Return all configurations in order of simplicity: catalogue order, then grid order."""
    return [Configuration(name, params) for name in candidates for params in CATALOG[name].grid]


def encode(
    problem: Problem, fitted: FeatureEncoder | None = None, site: SiteReference | None = None
) -> tuple[FeatureEncoder, pd.DataFrame]:
    """Return the (fitted or given) encoder and the rows' encoded columns, raw abundances beside them."""
    frame = problem.design.frame()
    encoder = fitted or FeatureEncoder(unit=problem.design.unit, comparator=problem.comparator).fit(frame)
    raw = frame[[name for name in frame.columns if name.startswith(f"{RAW}:")]]
    return encoder, pd.concat([encoder.encode(problem.design, site), raw], axis=1)


def fit_predict(entry: Entry, params: Params, train: pd.DataFrame, y: Array, test: pd.DataFrame, *, seed: int,
                without: tuple[str, ...] = (), rmse: float = 1.0) -> tuple[Array, Array]:  # fmt: skip
    """Return held-out predictions and their own sd; `rmse` (from the inner loop) where the model has none of its own."""
    columns = columns_of(list(train.columns), entry, without=without)
    columns = [name for name in columns if entry.blocks == (RAW,) or not name.startswith(f"{RAW}:")]
    if not columns:  # nothing to see (a cohort without stool): the model is the mean
        return np.full(len(test), y.mean()), np.full(len(test), rmse)
    model = fit_entry(entry, params, train[columns], y, seed=seed)
    if isinstance(model, AdditiveBlockRegressor):
        mean, sd = model.predict(test[columns], return_std=True)
        return np.asarray(mean), np.asarray(sd)
    return np.asarray(model.predict(test[columns].to_numpy()), dtype=float), np.full(len(test), rmse)


def fit_entry(entry: Entry, params: Params, train: pd.DataFrame, y: Array, *, seed: int) -> Any:
    """Return an entry's model fitted on encoded columns; only the additive model reads their names.

    (XGBoost refuses names with `[`, `]` or `<`, which lifestyle levels may have.)
    """
    model = entry.make(params, seed)
    return model.fit(train if isinstance(model, AdditiveBlockRegressor) else train.to_numpy(), y)


def choose(problem: Problem, candidates: Sequence[str], *, seed: int) -> Choice:
    """Run the inner loop on training rows and return its choice."""
    tried = configurations(candidates)
    split = by_group(problem.subjects, INNER_FOLDS, seed=seed + 1, repeat=0, y=problem.y)
    losses = np.full((len(tried), len(problem.y)), np.nan)
    for _, train, held_out in split.parts():
        part, rest = problem.take(train), problem.take(held_out)
        encoder, Z = encode(part)
        _, W = encode(rest, encoder)
        for i, config in enumerate(tried):
            predicted, _ = fit_predict(CATALOG[config.entry], config.params, Z, part.y, W, seed=seed)
            losses[i, held_out] = (rest.y - predicted) ** 2
    per_person = _per_subject(losses, problem.subjects)
    best = {
        name: _one_standard_error(per_person, [i for i, c in enumerate(tried) if c.entry == name])
        for name in candidates
    }
    winner = tried[_one_standard_error(per_person, list(range(len(tried))))]
    total = float(np.mean((problem.y - problem.y.mean()) ** 2)) or 1.0
    rmse = {name: float(np.sqrt(losses[i].mean())) for name, i in best.items()}
    return Choice(
        winner,
        {name: tried[i] for name, i in best.items()},
        len(tried),
        float(1.0 - losses.mean(axis=1).min() / total),
        rmse,
    )


def _per_subject(losses: Array, subjects: Any) -> Array:
    names, index = np.unique(subjects.astype(str), return_inverse=True)
    counts = np.bincount(index)
    return np.array([np.bincount(index, weights=row) / counts for row in losses]).reshape(len(losses), len(names))


def _one_standard_error(per_person: Array, among: list[int]) -> int:
    """Return the simplest configuration whose paired excess loss over the best is within one standard error."""
    best = min(among, key=lambda i: float(per_person[i].mean()))
    for i in among:
        excess = per_person[i] - per_person[best]
        if i == best or excess.mean() <= excess.std(ddof=1) / np.sqrt(len(excess)):
            return i
    return best
