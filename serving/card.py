"""The model card over HTTP: what each bundle says of itself, and whom the service does not answer for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from serving.clinical import ADULT, ANTIBIOTIC_DAYS, FLAGS, RULES, STALE_DAYS
from serving.predict import comparison_reasons, model_of

if TYPE_CHECKING:
    from models.bundle import Bundle

#: What the card repeats of the manifest; the manifest itself may hold more than a reader needs.
SHOWN = (
    "instrument",
    "arms",
    "comparator",
    "randomised",
    "level",
    "lag",
    "time_unit",
    "unit",
    "covariates",
    "contributions",
    "claim",
)
NOTICE = (
    "Decision support for research, not a medical device. "
    "An association, not advice: do not change medication on this basis."
)


def card(bundles: Mapping[str, Bundle]) -> dict[str, Any]:
    """Return the machine-readable card of all bundles served."""
    return {"notice": NOTICE, "intended_use": intended_use(), "models": [_one(b) for b in bundles.values()]}


def intended_use() -> dict[str, Any]:
    """Return the rules of the service that do not depend on a model."""
    return {
        "adults_from_years": ADULT,
        "sample_at_most_days_old": STALE_DAYS,
        "antibiotics_at_least_days_ago": ANTIBIOTIC_DAYS,
        "refusals": [{"code": rule.code, "hazard": rule.hazard} for rule in RULES],
        "flags": sorted(FLAGS),
    }


def _one(bundle: Bundle) -> dict[str, Any]:
    manifest = bundle.manifest
    shown = {key: manifest[key] for key in SHOWN if key in manifest}
    may_compare = comparison_reasons(manifest)
    return {
        **model_of(bundle),
        **shown,
        "taxa": len(manifest["genera"]),
        "compare": {"answered": not may_compare, "reasons": may_compare},
        "card": manifest["card"],
    }
