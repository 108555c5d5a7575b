"""What single FHIR resources say of a patient: scores, items, taxa, measures, conditions, the plan.

Codes are LOINC's (PHQ-9 and GAD-7 panels, totals, items, answers) and SNOMED CT's for conditions. A total is accepted
in the four ways real systems write it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import msgspec

from serving.faults import RequestError
from serving.fhir_types import (
    READ,
    Component,
    Concept,
    Condition,
    DiagnosticReport,
    Item,
    Observation,
    Patient,
    QuestionnaireResponse,
    ServiceRequest,
    Typed,
    Valued,
)
from serving.schemas import decode, decoder

PHQ9 = ("44250-9", "44255-8", "44259-0", "44254-1", "44251-7", "44258-2", "44252-5", "44253-3", "44260-8")
GAD7 = ("69725-0", "68509-9", "69733-4", "69734-2", "69735-9", "69689-8", "69736-7")
ITEMS: Mapping[str, tuple[str, int]] = {
    **{code: ("PHQ-9", i) for i, code in enumerate(PHQ9)},
    **{code: ("GAD-7", i) for i, code in enumerate(GAD7)},
}
SIZES = {"PHQ-9": len(PHQ9), "GAD-7": len(GAD7)}
#: Totals. The panel codes are labelled as totals in the wild: read where they carry a value, never written.
TOTALS = {"44261-6": "PHQ-9", "70274-6": "GAD-7", "44249-1": "PHQ-9", "69737-5": "GAD-7", "89209-1": "BDI-II"}
ANSWERS = {"LA6568-5": 0, "LA6569-3": 1, "LA6570-1": 2, "LA6571-9": 3}
MEASURES = {"39156-5": "bmi"}
CONDITIONS = {
    "77386006": "pregnancy", "13746004": "bipolar", "69322001": "psychosis", "72366004": "eating_disorder",
    "234532001": "immunocompromised", "75694006": "pancreatitis",
}  # fmt: skip
UNITS = {"{count}": "counts", "{reads}": "counts", "%": "percent", "1": "proportion"}
USABLE = frozenset({"final", "amended", "corrected", "appended", "completed"})
OVER = frozenset({"inactive", "resolved", "remission"})
LINEAGE = ("d__", "k__", "p__", "c__", "o__", "f__", "g__", "s__")

_TYPED = decoder(Typed)
_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {name: decoder(cls) for name, cls in READ.items()}


@dataclass
class Found:
    """What was read so far. `items` and `totals` are by instrument, `measured` its latest date."""

    today: date
    patient: Patient | None = None
    items: dict[str, dict[int, int | None]] = field(default_factory=dict)
    totals: dict[str, float] = field(default_factory=dict)
    measured: dict[str, date] = field(default_factory=dict)
    taxa: dict[str, float] = field(default_factory=dict)
    unit: str = ""
    sampled: date | None = None
    lifestyle: dict[str, Any] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)
    plan: ServiceRequest | None = None
    basis: list[str] = field(default_factory=list)


def read_resource(raw: bytes, i: int) -> Any:
    """Return a resource of a type we read, None of another; raises RequestError naming its place."""
    kind = decode(raw, _TYPED).resource_type
    if kind not in _DECODERS:
        return None
    place = f"Bundle.entry[{i}].resource"
    try:
        resource = decode(raw, _DECODERS[kind])
    except RequestError as fault:
        fault.field = place
        raise
    if resource.modifier_extension:
        hint = "Send the resource without it"
        raise RequestError(422, "modifier_extension", "a modifier extension is not understood", place, hint)
    status = getattr(resource, "status", "final")
    if status not in USABLE:
        hint = "Statuses: " + ", ".join(sorted(USABLE))
        raise RequestError(422, "status", "a resource is not final", f"{place}.status", hint)
    return resource


def _read_patient(found: Found, patient: Patient, place: str) -> None:
    if found.patient is not None:
        hint = "Send one patient per Bundle"
        raise RequestError(422, "several_patients", "the Bundle has several Patients", place, hint)
    found.patient = patient
    if patient.gender in ("female", "male", "other"):
        found.lifestyle["sex"] = patient.gender
    born = read_date(patient.birth_date, f"{place}.birthDate")
    if born is not None:
        birthday_ahead = (found.today.month, found.today.day) < (born.month, born.day)
        found.lifestyle["age_years"] = found.today.year - born.year - birthday_ahead


def _read_response(found: Found, response: QuestionnaireResponse, place: str) -> None:
    when = read_date(response.authored, f"{place}.authored")
    for item in _flat(response.item):
        code = item.link_id.lstrip("/").rsplit("/", 1)[-1]
        for answer in item.answer:
            _score(found, code, answer, when, place)
    found.basis.append(f"QuestionnaireResponse/{response.id}")


def _flat(items: list[Item]) -> Iterator[Item]:
    for item in items:
        yield item
        yield from _flat(item.item)


def _read_observation(found: Found, observation: Observation, place: str) -> None:
    when = read_date(observation.effective_date_time, f"{place}.effectiveDateTime")
    if _taxon(observation.code) or any(_taxon(part.code) for part in observation.component):
        _read_taxa(found, [observation, *observation.component], place)
        found.sampled = when or found.sampled
    parts: list[Observation | Component] = [observation, *observation.component]
    for part in parts:
        for code in codes(part.code):
            _score(found, code, part, when, place)
    found.basis.append(f"Observation/{observation.id}")


def _read_report(found: Found, report: DiagnosticReport, place: str) -> None:
    for i, raw in enumerate(report.contained):
        resource = read_resource(bytes(raw), i)
        if isinstance(resource, Observation):
            _read_observation(found, resource, f"{place}.contained[{i}]")
    found.sampled = read_date(report.effective_date_time, f"{place}.effectiveDateTime") or found.sampled
    found.basis.append(f"DiagnosticReport/{report.id}")


def _read_condition(found: Found, condition: Condition, place: str) -> None:
    if condition.code is not None and not set(codes(condition.clinical_status)) & OVER:
        found.flags += [CONDITIONS[code] for code in codes(condition.code) if code in CONDITIONS]
        found.basis.append(f"Condition/{condition.id}")


def _read_plan(found: Found, plan: ServiceRequest, place: str) -> None:
    if found.plan is not None:
        raise RequestError(422, "several_plans", "the Bundle has several ServiceRequests", place, "Ask about one")
    found.plan = plan
    found.basis.append(f"ServiceRequest/{plan.id}")


def _read_taxa(found: Found, parts: list[Observation | Component], place: str) -> None:
    for part in parts:
        lineage, quantity = _taxon(part.code), part.value_quantity
        if lineage and quantity is not None and quantity.value is not None:
            unit = UNITS.get(quantity.code or quantity.unit, "")
            if not unit or found.unit not in ("", unit):
                hint = "One unit for all taxa, by its UCUM code: " + ", ".join(UNITS)
                raise RequestError(422, "unit", "the unit of a taxon is unknown or differs", place, hint)
            found.unit = unit
            found.taxa[lineage] = found.taxa.get(lineage, 0.0) + quantity.value


def _score(found: Found, code: str, value: Valued, when: date | None, place: str) -> None:
    number = _number(value)
    if code in ITEMS:
        instrument, i = ITEMS[code]
        found.items.setdefault(instrument, {})[i] = None if number is None else int(number)
    elif code in TOTALS and number is not None:
        instrument = TOTALS[code]
        if found.totals.setdefault(instrument, number) != number:
            hint = "Send one measurement per instrument"
            raise RequestError(422, "several_totals", "an instrument has several totals", place, hint)
    elif code in MEASURES and number is not None:
        found.lifestyle[MEASURES[code]] = number
        return
    else:
        return
    if when is not None:
        found.measured[instrument] = max(when, found.measured.get(instrument, when))


def _number(value: Valued) -> float | None:
    """The number of a value[x]: integer, decimal, quantity, text of a number, or a LOINC answer."""
    given = [value.value_coding.code] if value.value_coding else codes(value.value_codeable_concept)
    known = [ANSWERS[code] for code in given if code in ANSWERS]
    if known:
        return float(known[0])
    if value.value_quantity is not None:
        return value.value_quantity.value
    if value.value_string is not None:
        text = value.value_string.strip()
        return float(text) if text.replace(".", "", 1).isdecimal() else None
    plain = value.value_integer if value.value_integer is not None else value.value_decimal
    return None if plain is None else float(plain)


def codes(concept: Concept | None) -> list[str]:
    """Return the codes of a concept, whatever their system."""
    return [] if concept is None else [coding.code for coding in concept.coding]


def _taxon(concept: Concept) -> str:
    return concept.text if concept.text.startswith(LINEAGE) else ""


def read_date(text: str | None, place: str) -> date | None:
    """Return the day of a FHIR date or dateTime (a year alone: its middle); raises RequestError."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text[:10]) if len(text) >= 10 else date(int(text[:4]), 7, 1)
    except ValueError:
        raise RequestError(422, "date", "a date cannot be read", place, "Use YYYY-MM-DD") from None


READERS: dict[type[Any], Callable[[Found, Any, str], None]] = {
    Patient: _read_patient,
    QuestionnaireResponse: _read_response,
    Observation: _read_observation,
    DiagnosticReport: _read_report,
    Condition: _read_condition,
    ServiceRequest: _read_plan,
}
