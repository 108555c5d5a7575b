"""From a request and a bundle to the reply: pure, the same for one patient and for a thousand."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from features.counts import Array
from features.derived import functions_of
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


class Asked(NamedTuple):
    """A request that a bundle can answer: its questions, and the site whose reference centres them."""

    bundle: Bundle
    questions: list[Question]
    site: SiteReference | None


def read(bundles: Mapping[str, Bundle], request: PredictRequest, sites: Sites = NO_SITES) -> Asked:
    """Return what a request asks; all patients must be asked about with one instrument.

    Raises RequestError (422) for what no model here can be asked.
    """
    people = request.patients
    bundle = bundle_for(bundles, [patient.baseline.instrument for patient in people], "patients")
    site = site_of(bundle, request.site_reference, sites)
    study = request.site_reference
    questions = [_question(bundle, p, p.intervention, f"patients[{i}]", study) for i, p in enumerate(people)]
    return Asked(bundle, questions, site)


def predict(bundles: Mapping[str, Bundle], request: PredictRequest, sites: Sites = NO_SITES) -> Json:
    """Return the reply to `POST /predict`; raises RequestError (422) as `read` does."""
    return reply_of(asked := read(bundles, request, sites), answers(*asked))


def reply_of(asked: Asked, predictions: list[Json]) -> Json:
    """Return the reply that holds the predictions of one request."""
    return {"model": model_of(asked.bundle), "predictions": predictions}


def compare(bundles: Mapping[str, Bundle], request: CompareRequest, sites: Sites = NO_SITES) -> Json:
    """Return the reply to `POST /compare`: each intervention with its interval, unranked, or why not."""
    person = request.patient
    bundle = bundle_for(bundles, [person.baseline.instrument], "patient")
    arms = request.interventions
    site = site_of(bundle, request.site_reference, sites)
    asked = [_question(bundle, person, arm, "patient", request.site_reference) for arm in arms]
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


def _question(bundle: Bundle, person: Person, arm: str, place: str, study: str | None) -> Question:
    manifest = bundle.manifest
    score = total(person.baseline, f"{place}.baseline")
    row = patient_input(person, arm, score, manifest, place=place, study=study)
    unit = person.microbiome.unit if person.microbiome else None
    refused = refusals(person, arm) + horizon_reasons(manifest, row.lag) + unit_reasons(manifest["unit"], unit)
    return Question(person, arm, row, refused)


def answers(bundle: Bundle, asked: Sequence[Question], site: SiteReference | None = None) -> list[Json]:
    """Return one reply per question, in order; rows in one unit go to the bundle together, centred on `site`."""
    replies: list[Json] = [{}] * len(asked)
    units = [q.person.microbiome.unit if q.person.microbiome else bundle.manifest["unit"] for q in asked]
    for unit in sorted(set(units)):
        rows = [i for i, own in enumerate(units) if own == unit]
        people = [asked[i].row._replace(id=str(i)) for i in rows]
        design = design_of(people, unit=unit, functions=functions_of(bundle.encoding.derived))
        predictions = bundle.predict(design, site)
        for i, told in zip(rows, _told(predictions), strict=True):
            replies[i] = _reply(asked[i], told, predictions.level, bundle.manifest["claim"])
    return replies


class Told(NamedTuple):
    """One row of the bundle's answer as JSON values: what does not exist (NaN) is None."""

    answered: bool
    reasons: tuple[str, ...]
    change: float | None
    lower: float | None
    upper: float | None
    p_response: float | None
    p_remission: float | None
    floor_change: float | None
    contributions: dict[str, float | None]


def _told(found: Predictions) -> Iterator[Told]:
    numbers = (found.change, found.lower, found.upper, found.p_response, found.p_remission, found.floor_change)
    parts = zip(*(_values(part) for part in found.contributions.values()), strict=True)
    contributions = [dict(zip(found.contributions, row, strict=True)) for row in parts]
    return map(Told, found.answered.tolist(), found.reasons, *map(_values, numbers), contributions)


def _values(column: Array) -> list[float | None]:
    """JSON has no NaN: what does not exist is null."""
    return [None if value != value else value for value in column.tolist()]  # noqa: PLR0124 - NaN differs from itself


def _reply(asked: Question, told: Told, level: float, claim: str) -> Json:
    reasons = [*asked.refused, *(r for r in told.reasons if r not in asked.refused)]
    answered = not asked.refused and told.answered
    interval = None
    if answered and told.lower is not None and told.upper is not None:
        interval = {"level": level, "lower": told.lower, "upper": told.upper}
        if told.lower < 0 < told.upper:
            reasons.append("direction_uncertain")
    return {
        "id": asked.person.id,
        "prediction_id": secrets.token_hex(16),
        "answered": answered,
        "reasons": reasons,
        "change": told.change if answered else None,
        "follow_up": asked.row.score + told.change if answered and told.change is not None else None,
        "interval": interval,
        "response_probability": told.p_response if answered else None,
        "remission_probability": told.p_remission if answered else None,
        "floor_change": told.floor_change if answered else None,
        "contributions": told.contributions if answered else None,
        "safety": safety(asked.person),
        "claim": claim,
    }
