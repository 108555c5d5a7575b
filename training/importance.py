"""What the kept model goes by, and which taxa it finds again whoever is left out.

Importance is the spread (sd over the training people) of a feature's exact points. Stability selection counts in how many
outer folds a taxon is among the TOP ones of the additive model (Meinshausen and Buhlmann 2010, JRSS B 72:417).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from models.contributions import feature_points, how
from training.finalfit import FinalModel
from training.problem import Problem
from training.protocol import Evaluation
from training.stability import TOP

SURVIVAL = 0.8  # share of folds from which a taxon counts as found again
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
    problem: Problem, evaluation: Evaluation, studies: Evaluation | None, record: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the taxa selected in any outer fold, with the share of folds and the left-out studies that bear them out.

    A taxon is claimed only where the record shows the microbiome's increment, from SURVIVAL on, and where its points also go
    with what is left unexplained in a study that neither chose nor weighed it.
    """
    if not problem.design.stool.any():
        return []
    shown = any(row["block"] == "microbiome" and row["verdict"] == "shown" for row in record["increment"])
    folds = len(evaluation.taxa)
    chosen = Counter(name for names in evaluation.taxa for name in names)
    borne_out = Counter(name for names in (studies.taxa if studies else ()) for name in names)
    rows = []
    for name, n in sorted(chosen.items(), key=lambda item: (-item[1], item[0]))[: 2 * TOP]:
        claimed = shown and n / folds >= SURVIVAL and borne_out[name] > 0
        rows.append({"taxon": name, "survival": n / folds, "folds": folds, "studies": borne_out[name],
                     "claim": CLAIM if claimed else NO_CLAIM})  # fmt: skip
    return rows
