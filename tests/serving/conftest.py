"""What the serving tests share: a model whose numbers can be worked out by hand, and one good request."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import numpy as np
import pytest

from models.prediction import Predictions

MANIFEST = {
    "name": "toy", "version": "3", "run_id": "run-1", "instrument": "PHQ-9", "unit": "counts", "level": 0.9,
    "arms": ["placebo", "probiotic", "fermented_food"], "comparator": "placebo", "randomised": True,
    "arm_effect": "shown", "lag": {"low": 6.0, "high": 8.0}, "time_unit": "week", "genera": ["|Blautia"],
    "covariates": {
        "age_years": {"kind": "numeric", "low": 18, "high": 80},
        "sex": {"kind": "categorical", "levels": ["female", "male"]},
        "site_visits": {"kind": "numeric", "low": 0, "high": 9},
    },
    "card": {}, "claim": "prognostic",
}  # fmt: skip
PATIENT = {
    "id": "p-17",
    "intervention": "fermented_food",
    "weeks": 8,
    "baseline": {"instrument": "PHQ-9", "score": 14, "days_ago": 3},
    "microbiome": {"unit": "counts", "sample_age_days": 10, "taxa": {"g__Blautia": 300, "g__Roseburia": 100}},
    "lifestyle": {"age_years": 41, "sex": "female", "fibre_g_day": 9.5},
    "antibiotics_days_ago": None,
    "flags": [],
}


def _half_bundle(**changes):
    """change = -score / 2, minus 1 point per 100 reads of Blautia; interval ± 4; remission undefined."""
    manifest = {**MANIFEST, **changes}

    def predict(design, site=None):
        n = len(design)
        columns = [j for j, name in enumerate(design.genera) if name == "|Blautia"]
        blautia = sum((design.abundance[:, j] for j in columns), np.zeros(n))
        parts = {"baseline": -design.baseline / 2, "microbiome": -blautia / 100}
        change = parts["baseline"] + parts["microbiome"]
        strange = tuple(("out_of_domain",) if s >= 26 else () for s in design.baseline)
        return Predictions(
            0.9, change, change - 4, change + 4, np.full(n, 0.25), np.full(n, np.nan), parts["baseline"],
            np.array([not codes for codes in strange]), strange, parts,
        )  # fmt: skip

    return SimpleNamespace(
        manifest=manifest, instrument=manifest["instrument"], digest="sha256:" + "0" * 64, predict=predict,
        arms=tuple(manifest["arms"]),
    )  # fmt: skip


@pytest.fixture(scope="session")
def half_bundle():
    return _half_bundle


@pytest.fixture
def bundles():
    return {"PHQ-9": _half_bundle()}


@pytest.fixture
def patient():
    return copy.deepcopy(PATIENT)
