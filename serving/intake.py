"""One request against one model: what the types cannot know is checked here, and a PatientInput comes out.

Arms, covariates, their levels and the time scale are those of the bundle; a fault names the field only.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from features import lifestyle
from features.importers.clinic import PatientInput, TaxaRow, Value
from serving.clinical import FLAGS
from serving.faults import RequestError
from serving.schemas import Cell, Person

#: Time units of a model in which weeks can be expressed; others ("code", "none") have no length.
PER_WEEK: Mapping[str, float] = {"day": 7.0, "week": 1.0, "month": 12 / 52.1775, "year": 1 / 52.1775}
#: Declared fields that are numbers, with their range: most cells need no more than this look.
_PLAIN_NUMBERS = {name: (own.low, own.high) for name, own in lifestyle.FIELDS.items() if not own.coding}
_NOTHING = (1.0, 0.0)
FAR = 1.5  # a horizon beyond 1.5 times the longest (or under 1/1.5 of the shortest) seen in training is far


def lag_of(manifest: Mapping[str, Any], weeks: float | None) -> float | None:
    """Return the horizon in the model's own time unit, or None where it has no length or none was asked."""
    scale = PER_WEEK.get(str(manifest.get("time_unit", "week")).rstrip("s"))
    return None if scale is None or weeks is None else weeks * scale


def horizon_reasons(manifest: Mapping[str, Any], lag: float | None) -> list[str]:
    """Return `weeks_outside_training` where the horizon is far from every follow-up seen in training."""
    trained = manifest["lag"]
    if lag is None or trained is None:
        return []
    near = trained["low"] / FAR <= lag <= trained["high"] * FAR
    return [] if near else ["weeks_outside_training"]


def unit_reasons(model_unit: str, unit: str | None) -> list[str]:
    """Return `unit_mismatch` where shares were sent to a model of counts, or a unit cannot be converted."""
    if unit is None or unit == model_unit:
        return []
    convertible = model_unit in ("percent", "proportion") and unit in ("counts", "percent", "proportion")
    return [] if convertible else ["unit_mismatch"]


def patient_input(
    person: Person,
    arm: str,
    score: float,
    manifest: Mapping[str, Any],
    *,
    place: str,
    study: str | None = None,
) -> PatientInput:
    """Return a person as the importer wants them; `place` is the path of the person in the request. Without id.

    Raises RequestError (422) for an arm, flag, covariate or level the model does not know.
    """
    if arm not in manifest["arms"]:
        hint = "Interventions of this model: " + ", ".join(manifest["arms"])
        field = f"{place}.intervention"
        raise RequestError(422, "unknown_intervention", "the model has no such arm", field, hint)
    unknown = [i for i, flag in enumerate(person.flags) if flag not in FLAGS]
    if unknown:
        hint = "Known flags: " + ", ".join(FLAGS)
        raise RequestError(422, "unknown_flag", "a flag is not known", f"{place}.flags[{unknown[0]}]", hint)
    return PatientInput(
        id="",
        arm=arm,
        score=score,
        lag=lag_of(manifest, person.weeks),
        taxa=_taxa(person, place),
        lifestyle=_lifestyle(person, manifest["covariates"], place),
        study=study,
        functions=_functions(person, place),
        protocol=None if person.microbiome is None else person.microbiome.protocol,
    )


def _taxa(person: Person, place: str) -> Mapping[str, float] | None:
    if person.microbiome is None:
        return None
    taxa: Mapping[str, float] = person.microbiome.taxa
    if not (isinstance(taxa, TaxaRow) or any(taxa.values())):  # a row without amounts is no sample
        hint = "Send at least one abundance above zero, or no microbiome"
        field = f"{place}.microbiome.taxa"
        raise RequestError(422, "empty_sample", "a sample has no abundance above zero", field, hint)
    return taxa


def _functions(person: Person, place: str) -> Mapping[str, float] | None:
    functions = None if person.microbiome is None else person.microbiome.functions
    if functions is not None and not any(functions.values()):
        hint = "Send the whole table of gene families, or leave it out"
        field = f"{place}.microbiome.functions"
        raise RequestError(422, "empty_sample", "a table has no abundance above zero", field, hint)
    return functions


def _lifestyle(person: Person, covariates: Mapping[str, Any], place: str) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for name, cell in person.lifestyle.items():
        low, high = _PLAIN_NUMBERS.get(name, _NOTHING)
        if type(cell) is float and low <= cell <= high:
            values[name] = cell
            continue
        if name not in covariates and name not in lifestyle.FIELDS:
            known = sorted({*covariates, *lifestyle.FIELDS})
            hint = "Known fields: " + ", ".join(known[:60])
            raise RequestError(422, "unknown_field", "a field is not known here", f"{place}.lifestyle", hint)
        learned = covariates.get(name)
        try:
            values[name] = _canonical(name, cell, "" if learned is None else learned["kind"])
        except RequestError as fault:
            field = f"{place}.lifestyle.{name}"
            raise RequestError(fault.status, fault.code, fault.message, field, fault.hint) from None
    return values


@lru_cache(maxsize=1024)
def _canonical(name: str, cell: Cell, kind: str) -> Value:
    """Return a cell by its field's code; refuse what the field cannot hold, and text where the model learned a number."""
    value: Value = float(cell) if isinstance(cell, bool | int) else cell
    number = kind == "numeric" and isinstance(value, float)
    wrong = lifestyle.fault(name, value)
    # A model may have learned a coded field (smoking) from a table of 0 and 1.
    if wrong and not (wrong == "unknown_code" and number):
        hint = f"Expected {lifestyle.allowed(name)}"
        raise RequestError(422, wrong, "a lifestyle value is not one the field can hold", name, hint)
    code = lifestyle.canonical(name, value)
    if kind == "numeric" and isinstance(code, str):
        raise RequestError(422, "wrong_type", "the value has the wrong type", name, "a number")
    return code
