"""The models that are tried, trivial references first.

References are always fitted and always reported; candidates compete in the inner loop. The additive model comes first
in order of simplicity: it is the pre-specified one, it contains the linear references as special cases (a block whose
variance is zero), so a challenger must beat it by more than one standard error,
one that counts that folds share people (`docs/decisions/0009`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import ElasticNet, LinearRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from xgboost import XGBRegressor

from features.blocks import FeatureEncoder
from features.encoding import MICROBIOME
from models.additive import AdditiveBlockRegressor
from models.residual_trees import ResidualTreesRegressor

Params = Mapping[str, Any]
Array = npt.NDArray[np.float64]
LIFESTYLE = ("life", "bend", "blank", "step")
COVARIATES = ("base", "curve", "arm", *LIFESTYLE, "study")
RAW = "taxon"  # the pseudo-block of untransformed abundances


@dataclass(frozen=True)
class Entry:
    """One row of the catalogue: which blocks it sees (None = all encoded ones), how it is made, what is searched.

    `staged` predicts from the first k trees of a fitted ensemble, for several k: a grid over `n_estimators` is then read off one
    fit, because the first k trees are the very trees that a fit of k trees would have grown. `least`: people from which a search
    offers it; on fewer it would find what is not there.
    """

    name: str
    title: str
    make: Callable[[Params, int], Any]
    blocks: tuple[str, ...] | None = None
    grid: tuple[Params, ...] = ({},)
    reference: bool = False
    staged: Callable[[Any, pd.DataFrame, Sequence[int]], list[Array]] | None = None
    least: int = 0


def _additive(params: Params, seed: int) -> Any:
    return AdditiveBlockRegressor(seed=seed, **params)


def _forest(params: Params, seed: int) -> Any:
    return RandomForestRegressor(**{"n_estimators": 100, "n_jobs": 1, "random_state": seed, **params})


def _residual_trees(params: Params, seed: int) -> Any:
    return ResidualTreesRegressor(seed=seed, **params)


def _first_trees(model: Any, X: pd.DataFrame, counts: Sequence[int]) -> list[Array]:
    single = X.to_numpy(dtype=np.float32)  # as trees compare; converted once, not once a tree
    grown = np.cumsum([tree.predict(single, check_input=False) for tree in model.estimators_], axis=0)
    return [grown[k - 1] / k for k in counts]


def _first_rounds(model: Any, X: pd.DataFrame, counts: Sequence[int]) -> list[Array]:
    table = X.to_numpy()
    return [np.asarray(model.predict(table, iteration_range=(0, k)), dtype=float) for k in counts]


def _boosted(params: Params, seed: int) -> Any:
    fixed = {
        "n_jobs": 1,
        "random_state": seed,
        "tree_method": "hist",
        "subsample": 0.8,
        "colsample_bytree": 0.3,
        "verbosity": 0,
    }
    return XGBRegressor(**{**fixed, **params})


ENTRIES: tuple[Entry, ...] = (
    Entry("mean", "Mean of the training people", lambda p, s: DummyRegressor(), ("base",), reference=True),
    Entry("baseline", "Baseline severity alone", lambda p, s: LinearRegression(), ("base",), reference=True),
    Entry("covariates", "Baseline + lifestyle + arm", _additive, COVARIATES, reference=True),
    Entry("raw_forest", "Untuned random forest on raw abundances", _forest, (RAW,), reference=True),
    Entry("additive", "Additive block-variance model", _additive),
    Entry("elastic_net", "Elastic net", lambda p, s: ElasticNet(max_iter=1000, tol=1e-3, **p),
          grid=tuple({"alpha": a, "l1_ratio": r} for r in (0.2, 0.9) for a in (1.0, 0.5, 0.25, 0.12, 0.06))),
    Entry("residual_trees", "Additive model + XGBoost on its residual", _residual_trees, staged=ResidualTreesRegressor.staged, least=200,
          grid=tuple({"n_estimators": n, "max_depth": 2} for n in (30, 60, 120, 240))),
    Entry("random_forest", "Random forest", _forest, staged=_first_trees,
          grid=tuple({"n_estimators": n, "max_features": 0.33, "min_samples_leaf": leaf} for leaf in (10, 3) for n in (40, 60, 80, 100))),
    Entry("xgboost", "XGBoost", _boosted, staged=_first_rounds,
          grid=tuple({"n_estimators": n, "max_depth": depth, "learning_rate": 0.05, "min_child_weight": 5}
                     for depth in (1, 3) for n in (40, 80, 120, 160, 240, 320, 400))),
)  # fmt: skip

NAMED = (
    AdditiveBlockRegressor,
    ResidualTreesRegressor,
)  # models that read the columns' names and have an sd of their own
CATALOG: Mapping[str, Entry] = {entry.name: entry for entry in ENTRIES}
PRE_SPECIFIED = "additive"
CANDIDATES: tuple[str, ...] = tuple(entry.name for entry in ENTRIES if not entry.reference)


def columns_of(names: list[str], entry: Entry, *, without: tuple[str, ...] = ()) -> list[str]:
    """Return the encoded columns (`block:column`) an entry sees, some blocks left out."""
    blocks = [name.split(":", 1)[0] for name in names]
    wanted = set(blocks) - {RAW} if entry.blocks is None else set(entry.blocks)
    return [name for name, block in zip(names, blocks, strict=True) if block in wanted - set(without)]


def pipeline(entry: Entry, params: Params, *, seed: int, unit: str = "counts", comparator: str = "") -> Pipeline:
    """Return encoder, block choice and estimator as one scikit-learn Pipeline over `Design.frame`."""
    if entry.blocks == (RAW,):
        select = ColumnTransformer([("raw", "passthrough", make_column_selector(f"^{RAW}:"))])
        return Pipeline([("select", select), ("model", entry.make(params, seed))])
    encoder = FeatureEncoder(unit=unit, comparator=comparator, microbiome=needs_taxa(entry))
    return Pipeline(
        [
            ("encode", encoder),
            ("select", FunctionTransformer(_choose, kw_args={"entry": entry})),
            ("model", entry.make(params, seed)),
        ]
    )


def needs_taxa(entry: Entry) -> bool:
    """Return whether an entry looks at microbiome blocks."""
    return entry.blocks is None or bool(set(entry.blocks) & set(MICROBIOME))


def _choose(X: pd.DataFrame, entry: Entry) -> pd.DataFrame:
    return X[columns_of(list(X.columns), entry)]
