"""What the kept model goes by, and which taxa it finds again whoever is left out.

Importance is the spread (sd over the training people) of a feature's exact points. Stability selection counts in how many
outer folds a taxon is among the TOP ones of the additive model (Meinshausen and Buhlmann 2010, JRSS B 72:417).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from scipy.stats import pearsonr
from threadpoolctl import threadpool_limits

from features.blocks import FeatureEncoder
from features.counts import Array
from models.catalog import CATALOG, columns_of
from models.contributions import feature_points, how
from models.export import to_core
from training.finalfit import FinalModel
from training.problem import Problem
from training.protocol import Evaluation
from training.selection import encode, fit_entry, known
from training.splits import Rows, by_study

TOP = 10  # taxa that count as selected in a fold
SURVIVAL = 0.8  # share of folds from which a taxon counts as found again
STUDY_ROWS = 20  # rows that a left-out study needs to speak
LEVEL = 0.05
CLAIM, NO_CLAIM = "biomarker", "not shown"


def importance(problem: Problem, final: FinalModel) -> dict[str, Any]:
    """Return how much each block and each of the 20 strongest features moves predictions between people, in points (sd)."""
    encoding = final.bundle.encoding
    labels, points = feature_points(final.bundle.core, encoding.blocks(problem.design), encoding.names())
    spread = points.std(axis=0)
    blocks = {name: points[:, [own == name for own, _ in labels]].sum(axis=1).std() for name in dict(labels)}
    order = [j for j in np.argsort(-spread, kind="stable")[:20] if spread[j] > 0]
    features = [{"block": labels[j][0], "feature": labels[j][1], "spread": float(spread[j])} for j in order]
    return {
        "how": how(final.bundle.core),
        "blocks": {name: float(value) for name, value in blocks.items()},
        "features": features,
    }


def taxa(
    problem: Problem, evaluation: Evaluation, record: Mapping[str, Any], *, seed: int, jobs: int = 0
) -> list[dict[str, Any]]:
    """Return the taxa selected in any outer fold, with the share of folds and the left-out studies that bear them out.

    A taxon is claimed only where the record shows the microbiome's increment, from SURVIVAL on, and where its points also go
    with what is left unexplained in a study that neither chose nor weighed it.
    """
    if not problem.design.stool.any():
        return []
    shown = any(row["block"] == "microbiome" and row["verdict"] == "shown" for row in record["increment"])
    folds = [train for split in evaluation.splits for _, train, _ in split.parts()]
    pool = Parallel(n_jobs=jobs or min(os.cpu_count() or 1, len(folds)))
    chosen = Counter(
        name for names in pool(delayed(_in_fold)(problem, train, seed) for train in folds) for name in names
    )
    borne_out = _borne_out(problem, seed) if chosen else Counter()
    rows = []
    for name, n in sorted(chosen.items(), key=lambda item: (-item[1], item[0]))[: 2 * TOP]:
        claimed = shown and n / len(folds) >= SURVIVAL and borne_out[name] > 0
        rows.append({"taxon": name, "survival": n / len(folds), "folds": len(folds), "studies": borne_out[name],
                     "claim": CLAIM if claimed else NO_CLAIM})  # fmt: skip
    return rows


def _in_fold(problem: Problem, train: Rows, seed: int) -> list[str]:
    return _selected(*_fitted(problem, train, seed)[1:])


def _fitted(problem: Problem, train: Rows, seed: int) -> tuple[FeatureEncoder, Any, dict[str, Array], dict[str, Any]]:
    """Return encoder, core of the additive model, encoded blocks and names of some training rows."""
    with threadpool_limits(1):
        part = problem.take(train)
        encoder, Z = encode(part)
        columns = columns_of(list(Z.columns), CATALOG["additive"])
        model = fit_entry(CATALOG["additive"], {}, Z[columns], part.y, seed=seed, known=known(part, encoder))
    return encoder, to_core(model, columns), encoder.encoding_.blocks(part.design), encoder.encoding_.names()


def _selected(core: Any, parts: dict[str, Array], names: dict[str, Any]) -> list[str]:
    """Return the TOP taxa by the spread of their points, arm interactions included; fewer where fewer carry weight."""
    own = _taxon_points(core, parts, names)
    spread = {name: float(points.std()) for name, points in own.items()}
    return [name for name in sorted(spread, key=lambda name: -spread[name])[:TOP] if spread[name] > 0]


def _taxon_points(core: Any, parts: dict[str, Array], names: dict[str, Any]) -> dict[str, Array]:
    labels, points = feature_points(core, parts, names)
    known_taxa = {name for block in ("abundant", "rare", "family") for name in names.get(block, [])}
    own: dict[str, Array] = {}
    for (_, label), column in zip(labels, points.T, strict=True):
        name = label.removesuffix(" × arm")
        if name in known_taxa:
            own[name] = own.get(name, 0.0) + column
    return own


def _borne_out(problem: Problem, seed: int) -> Counter[str]:
    """Count, per taxon, the left-out studies in which its points go with what the model leaves unexplained without it."""
    found: Counter[str] = Counter()
    for _, train, held_out in by_study(problem.design.study).parts():
        if not len(train) or len(held_out) < STUDY_ROWS:
            continue
        encoder, core, parts, names = _fitted(problem, train, seed)
        there = problem.take(held_out)
        blocks = encoder.encoding_.blocks(there.design)
        own = _taxon_points(core, blocks, names)
        left = there.y - core.intercept - sum(core.points(blocks).values())
        for name in _selected(core, parts, names):
            if own[name].std() > 0 and pearsonr(own[name], left + own[name], alternative="greater").pvalue < LEVEL:
                found[name] += 1
    return found
