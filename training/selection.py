"""The inner loop: every configuration of every candidate on the same inner folds, chosen by one standard error.

To leave the pre-specified model takes a wider one (`docs/decisions/0009`).

The encoder is fitted once per inner fold and shared by all configurations: its cost does not grow with the grid.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning

from features.blocks import FeatureEncoder, severity
from features.counts import Array
from features.encoding import SiteReference
from models.additive import AdditiveBlockRegressor
from models.catalog import CATALOG, NAMED, PRE_SPECIFIED, RAW, Entry, Params, columns_of
from models.literature import Known, known_effects
from models.noise import FLAT, Noise
from models.residual_trees import ResidualTreesRegressor
from training.increment import overlap
from training.noise import learn_noise
from training.problem import Problem
from training.repeats import one_row_each
from training.splits import Rows, by_group

INNER_FOLDS = 3
SEVERITY = "base:baseline"  # the encoded column


@dataclass(frozen=True)
class Configuration:
    """One candidate with one setting of its grid."""

    entry: str
    params: Params


@dataclass(frozen=True, eq=False)
class Choice:
    """What the inner loop chose: per candidate its own best setting and its noise, and the winner among all.

    `trials` are all configurations that were tried, each with its inner RMSE in points. Where one configuration was all that
    was offered, there was nothing to choose: no inner fold was fitted, and none of these figures exists.
    """

    winner: Configuration
    per_entry: Mapping[str, Configuration]
    tried: int
    best_r2: float | None
    noise: Mapping[str, Noise]
    trials: tuple[tuple[Configuration, float | None], ...] = ()

    @classmethod
    def unrivalled(cls, only: Configuration) -> Self:
        """Return the choice among one."""
        return cls(only, {only.entry: only}, tried=1, best_r2=None, noise={}, trials=((only, None),))


def configurations(candidates: Sequence[str]) -> list[Configuration]:
    """Return all configurations in order of simplicity: catalogue order, then grid order."""
    return [Configuration(name, params) for name in candidates for params in CATALOG[name].grid]


def encode(
    problem: Problem, fitted: FeatureEncoder | None = None, site: SiteReference | None = None
) -> tuple[FeatureEncoder, pd.DataFrame]:
    """Return the (fitted or given) encoder and the rows' encoded columns, raw abundances beside them."""
    frame = problem.design.frame()
    design = problem.design
    encoder = fitted or FeatureEncoder(unit=design.unit, comparator=problem.comparator, derived=problem.derived).fit(
        frame
    )
    raw = frame[[name for name in frame.columns if name.startswith(f"{RAW}:")]]
    return encoder, pd.concat([encoder.encode(problem.design, site), raw], axis=1)


def to_fit(problem: Problem) -> tuple[FeatureEncoder, pd.DataFrame, Array]:
    """Return the encoder fitted on all rows, and the encoded columns and values of what is to be fitted: a row per outcome."""
    encoder, Z = encode(problem)
    return encoder, *one_row_each(Z, problem.y, problem.outcome)


def known(problem: Problem, encoder: FeatureEncoder) -> Known:
    """Return what is published of the weights of an encoder's columns, in points of the outcome."""
    return known_effects(problem.literature, problem.instrument.name, encoder.encoding_)


def fit_predict(entry: Entry, params: Params, train: pd.DataFrame, y: Array, test: pd.DataFrame, *, seed: int,
                without: tuple[str, ...] = (), noise: Noise = FLAT, known: Known | None = None) -> tuple[Array, Array]:  # fmt: skip
    """Return held-out predictions and their own sd; that of `noise` (from the inner loop) where the model has none."""
    columns = columns_of(list(train.columns), entry, without=without)
    if not columns:  # nothing to see (a cohort without stool): the model is the mean
        return np.full(len(test), y.mean()), noise.sd(np.zeros(len(test)))
    return predicted(fit_entry(entry, params, train[columns], y, seed=seed, known=known), test[columns], noise)


def predicted(model: Any, test: pd.DataFrame, noise: Noise = FLAT) -> tuple[Array, Array]:
    """Return what a fitted model predicts from the columns it was fitted on, and its sd; that of `noise` where it has none."""
    if isinstance(model, NAMED):
        mean, sd = model.predict(test, return_std=True)
        return np.asarray(mean), np.asarray(sd)
    return np.asarray(model.predict(test.to_numpy()), dtype=float), noise.sd(_severity(test))


def _severity(encoded: pd.DataFrame) -> Array:
    return encoded[SEVERITY].to_numpy(dtype=float) if SEVERITY in encoded else np.zeros(len(encoded))


def fit_entry(
    entry: Entry, params: Params, train: pd.DataFrame, y: Array, *, seed: int, known: Known | None = None,
    additive: AdditiveBlockRegressor | None = None,
) -> Any:  # fmt: skip
    """Return an entry's model fitted on encoded columns; some read their names and what is `known`.

    (XGBoost refuses names with `[`, `]` or `<`, which lifestyle levels may have.) `additive`, where it was fitted on these very
    rows, spares the trees on its residual a fit.
    """
    model = entry.make(params, seed)
    if isinstance(model, NAMED):
        given = {"additive": additive} if isinstance(model, ResidualTreesRegressor) else {}
        return model.set_params(known=known).fit(train, y, **given)
    with warnings.catch_warnings():
        # An elastic net that has not converged is judged by its held-out loss like any other challenger.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(train.to_numpy(), y)


def choose(problem: Problem, candidates: Sequence[str], *, seed: int, deadline: float = inf) -> Choice:
    """Run the inner loop on training rows and return its choice.

    Past the `deadline` (seconds since the epoch) no further configuration is tried; those of the first candidate always are.
    """
    offered = configurations(candidates)
    if len(offered) == 1:
        return Choice.unrivalled(offered[0])
    split = by_group(problem.subjects, INNER_FOLDS, seed=seed + 1, repeat=0, y=problem.y)
    off = np.full((len(offered), len(problem.y)), np.nan)
    folds = [_InnerFold.of(problem, train, held_out, seed) for _, train, held_out in split.parts()]
    for group in _groups(offered):
        if offered[group[0]].entry != candidates[0] and time.time() >= deadline:
            break
        for fold in folds:
            found = fold.predictions([offered[i] for i in group])
            off[np.ix_(np.array(group), fold.held_out)] = problem.y[fold.held_out] - np.array(found)
    done = np.flatnonzero(~np.isnan(off).any(axis=1))
    tried, off = [offered[i] for i in done], off[done]
    losses = off**2
    candidates = [name for name in candidates if any(config.entry == name for config in tried)]
    per_person = _per_subject(losses, problem.subjects)
    best = {
        name: _one_standard_error(per_person, [i for i, c in enumerate(tried) if c.entry == name])
        for name in candidates
    }
    specified = next((i for i, config in enumerate(tried) if config.entry == PRE_SPECIFIED), None)
    winner = tried[_one_standard_error(per_person, range(len(tried)), specified)]
    total = float(np.mean((problem.y - problem.y.mean()) ** 2)) or 1.0
    return Choice(
        winner,
        {name: tried[i] for name, i in best.items()},
        len(tried),
        float(1.0 - losses.mean(axis=1).min() / total),
        {name: _noise(problem, off[i]) for name, i in best.items()},
        tuple(zip(tried, np.sqrt(losses.mean(axis=1)).tolist(), strict=True)),
    )


@dataclass(eq=False)
class _InnerFold:
    """Encoded columns and outcome of the training rows, encoded columns of the held-out ones, and what is known of weights."""

    held_out: Rows
    train: pd.DataFrame
    y: Array
    test: pd.DataFrame
    known: Known
    seed: int
    additive: AdditiveBlockRegressor | None = None  # fitted once: the trees on its residual start from it

    @classmethod
    def of(cls, problem: Problem, train: Rows, held_out: Rows, seed: int) -> Self:
        """Encode one inner fold, the encoder fitted on its training rows."""
        part = problem.take(train)
        encoder, Z, y = to_fit(part)
        return cls(held_out, Z, y, encode(problem.take(held_out), encoder)[1], known(part, encoder), seed)

    def predictions(self, group: Sequence[Configuration]) -> list[Array]:
        """Return the held-out predictions of the configurations that one fit serves."""
        entry = CATALOG[group[0].entry]
        columns = columns_of(list(self.train.columns), entry)
        if not columns:
            return [np.full(len(self.held_out), self.y.mean())] * len(group)
        params = max((config.params for config in group), key=lambda params: int(params.get("n_estimators", 0)))
        model = fit_entry(
            entry, params, self.train[columns], self.y, seed=self.seed, known=self.known, additive=self.additive
        )
        if isinstance(model, AdditiveBlockRegressor):
            self.additive = model
        if entry.staged is None:
            return [predicted(model, self.test[columns])[0]]
        return entry.staged(model, self.test[columns], [int(config.params["n_estimators"]) for config in group])


def _noise(problem: Problem, off: Array) -> Noise:
    """Return what held-out residuals say of noise, those of one outcome taken together."""
    at, squares = one_row_each(pd.DataFrame({SEVERITY: severity(problem.design)}), off**2, problem.outcome)
    return learn_noise(squares, at[SEVERITY].to_numpy())


def _groups(tried: Sequence[Configuration]) -> list[list[int]]:
    """Return the configurations that one fit serves: alike but for the number of trees, where stages can be read off."""
    groups: dict[Any, list[int]] = {}
    for i, config in enumerate(tried):
        rest = {name: value for name, value in config.params.items() if name != "n_estimators"}
        key = (config.entry, *sorted(rest.items())) if CATALOG[config.entry].staged else i
        groups.setdefault(key, []).append(i)
    return list(groups.values())


def _per_subject(losses: Array, subjects: Any) -> Array:
    names, index = np.unique(subjects.astype(str), return_inverse=True)
    counts = np.bincount(index)
    return np.array([np.bincount(index, weights=row) / counts for row in losses]).reshape(len(losses), len(names))


def _one_standard_error(per_person: Array, among: Sequence[int], specified: int | None = None) -> int:
    """Return the simplest configuration whose paired excess loss over the best is within one standard error.

    The pre-specified one, if it is among them, is left only beyond an error that counts that folds share people: the best of many
    has been lucky with these few.
    """
    best = min(among, key=lambda i: float(per_person[i].mean()))
    for i in among:
        excess = per_person[i] - per_person[best]
        error = excess.std(ddof=1) / np.sqrt(len(excess)) * (overlap(INNER_FOLDS) if i == specified else 1.0)
        if i == best or excess.mean() <= error:
            return i
    return best
