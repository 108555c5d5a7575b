"""From a request and a bundle to the reply: pure, the same for one patient and for a thousand."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from features.encoding import SiteReference
from features.importers.clinic import PatientInput, design_of
from features.instruments import find
from models.prediction import Predictions
from serving.clinical import refusals
from serving.faults import RequestError
from serving.intake import horizon_reasons, patient_input, unit_reasons
from serving.schemas import CompareRequest, Person, PredictRequest
from serving.scores import self_harm, total

if TYPE_CHECKING:
    from models.bundle import Bundle

Json = dict[str, Any]


Sites = Mapping[str, SiteReference]
NO_SITES: Sites = MappingProxyType({})


class Question(NamedTuple):
    """One row to be answered: the person, the arm, the model's input, and why it will not be answered."""

    person: Person
    arm: str
    row: PatientInput
    refused: list[str]


def predict(bundles: Mapping[str, Bundle], request: PredictRequest, sites: Sites = NO_SITES) -> Json:
    """Return the reply to `POST /predict`; all patients must be asked about with one instrument.

    Raises RequestError (422) for what no model here can be asked.
    """
    people = request.patients
    bundle = bundle_for(bundles, [patient.baseline.instrument for patient in people], "patients")
    site = site_of(bundle, request.site_reference, sites)
    study = request.site_reference
    asked = [_question(bundle, p, p.intervention, f"patients[{i}]", i, study) for i, p in enumerate(people)]
    return {"model": model_of(bundle), "predictions": answers(bundle, asked, site)}


def compare(bundles: Mapping[str, Bundle], request: CompareRequest, sites: Sites = NO_SITES) -> Json:
    """Return the reply to `POST /compare`: each intervention with its interval, unranked, or why not."""
    person = request.patient
    bundle = bundle_for(bundles, [person.baseline.instrument], "patient")
    arms = request.interventions
    site = site_of(bundle, request.site_reference, sites)
    asked = [_question(bundle, person, arm, "patient", i, request.site_reference) for i, arm in enumerate(arms)]
    why_not = comparison_reasons(bundle.manifest)
    replies = [] if why_not else answers(bundle, asked, site)
    rows = [{"intervention": q.arm, **reply} for q, reply in zip(asked, replies, strict=not why_not)]
    return {
        "model": model_of(bundle),
        "id": person.id,
        "answered": not why_not,
        "reasons": why_not,
        "comparisons": rows,
        "safety": safety(person),
        "claim": bundle.manifest["claim"],
    }


def comparison_reasons(manifest: Mapping[str, Any]) -> list[str]:
    """Return why therapies may not be compared: not randomised, or no effect of the arm was shown."""
    reasons = [] if manifest["randomised"] else ["not_randomised"]
    return reasons if manifest.get("arm_effect") == "shown" else [*reasons, "arm_effect_not_shown"]


def bundle_for(bundles: Mapping[str, Bundle], instruments: Sequence[str], place: str) -> Bundle:
    """Return the bundle of the one instrument all rows name; `bundles` are by canonical instrument name."""
    field = f"{place}[0].baseline.instrument" if place == "patients" else f"{place}.baseline.instrument"
    if len({find(name).name for name in instruments}) > 1:
        message, hint = "the patients name several instruments", "Send one request per instrument"
        raise RequestError(422, "mixed_instruments", message, place, hint)
    bundle = bundles.get(find(instruments[0]).name)
    if bundle is None:
        message, hint = "no model here predicts this instrument", "Instruments: " + ", ".join(bundles)
        raise RequestError(422, "unknown_instrument", message, field, hint)
    return bundle


@lru_cache(maxsize=16)
def model_of(bundle: Bundle) -> Json:
    """Return who answers: name, version, run and digest of the bundle."""
    manifest = bundle.manifest
    version = str(manifest.get("version") or manifest.get("model_version") or "unregistered")
    return {"name": manifest["name"], "version": version, "run_id": manifest["run_id"], "digest": bundle.digest}


def site_of(bundle: Bundle, name: str | None, sites: Sites) -> SiteReference | None:
    """Return the reference of a named site, None without a name or for a study of training."""
    if name is None or name in sites or name in bundle.encoding.studies:
        return None if name is None else sites.get(name)
    hint = "Site references here: " + (", ".join(sites) or "none; start the service with --site-reference FILE")
    raise RequestError(422, "unknown_site_reference", "there is no such site reference", "site_reference", hint)


def safety(person: Person) -> list[Json]:
    """Return the safety lines of one person; the self-harm item is always among them, and first."""
    return [{"code": "self_harm_item", "status": self_harm(person.baseline)}]


def _question(bundle: Bundle, person: Person, arm: str, place: str, i: int, study: str | None) -> Question:
    manifest = bundle.manifest
    score = total(person.baseline, f"{place}.baseline")
    row = patient_input(person, arm, score, manifest, place=place, key=str(i))
    unit = person.microbiome.unit if person.microbiome else None
    refused = refusals(person, arm) + horizon_reasons(manifest, row.lag) + unit_reasons(manifest["unit"], unit)
    return Question(person, arm, replace(row, study=study), refused)


def answers(bundle: Bundle, asked: Sequence[Question], site: SiteReference | None = None) -> list[Json]:
    """Return one reply per question, in order; rows in one unit go to the bundle together, centred on `site`."""
    replies: list[Json] = [{}] * len(asked)
    units = [q.person.microbiome.unit if q.person.microbiome else bundle.manifest["unit"] for q in asked]
    for unit in sorted(set(units)):
        rows = [i for i, own in enumerate(units) if own == unit]
        predictions = bundle.predict(design_of([asked[i].row for i in rows], unit=unit), site)
        for k, i in enumerate(rows):
            replies[i] = _reply(bundle, asked[i], predictions, k)
    return replies


def _reply(bundle: Bundle, asked: Question, predictions: Predictions, k: int) -> Json:
    reasons = [*asked.refused, *(r for r in predictions.reasons[k] if r not in asked.refused)]
    answered = not asked.refused and bool(predictions.answered[k])
    lower, upper = _number(predictions.lower[k]), _number(predictions.upper[k])
    if answered and lower is not None and upper is not None and lower < 0 < upper:
        reasons.append("direction_uncertain")
    head = {
        "id": asked.person.id,
        "prediction_id": uuid.uuid4().hex,
        "answered": answered,
        "reasons": reasons,
    }
    numbers = _numbers(asked, predictions, k) if answered else NO_NUMBERS
    return {**head, **numbers, "safety": safety(asked.person), "claim": bundle.manifest["claim"]}


NO_NUMBERS: Json = dict.fromkeys(
    ("change", "follow_up", "interval", "response_probability", "remission_probability", "floor_change",
     "contributions")
)  # fmt: skip


def _numbers(asked: Question, predictions: Predictions, k: int) -> Json:
    change, lower, upper = (_number(v[k]) for v in (predictions.change, predictions.lower, predictions.upper))
    interval = None if lower is None else {"level": predictions.level, "lower": lower, "upper": upper}
    return {
        "change": change,
        "follow_up": None if change is None else asked.row.score + change,
        "interval": interval,
        "response_probability": _number(predictions.p_response[k]),
        "remission_probability": _number(predictions.p_remission[k]),
        "floor_change": _number(predictions.floor_change[k]),
        "contributions": {block: _number(part[k]) for block, part in predictions.contributions.items()},
    }


def _number(value: np.float64) -> float | None:
    """JSON has no NaN: what does not exist is null."""
    return None if np.isnan(value) else float(value)
