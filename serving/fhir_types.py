"""The parts of FHIR R4 resources that are read, as types: a part we do not read may hold anything.

Element names are FHIR's own (camelCase on the wire). A `modifierExtension` can turn the meaning of a resource around,
so its presence is noticed and refused by the reader.
"""

from __future__ import annotations

from typing import Any

from msgspec import Raw, Struct


class Element(Struct, rename="camel", frozen=True, kw_only=True):
    """What every element here may carry."""

    modifier_extension: list[Raw] | None = None


class Coding(Element, frozen=True):
    """A code of a system."""

    system: str = ""
    code: str = ""


class Concept(Element, frozen=True):
    """A CodeableConcept: codes and a text."""

    coding: list[Coding] = []
    text: str = ""


class Quantity(Element, frozen=True):
    """A number with a UCUM code."""

    value: float | None = None
    unit: str = ""
    code: str = ""


class Reference(Element, frozen=True):
    """A reference to another resource."""

    reference: str = ""


class Valued(Element, frozen=True, kw_only=True):
    """The value[x] of an Observation, a component or an answer."""

    value_integer: int | None = None
    value_decimal: float | None = None
    value_string: str | None = None
    value_quantity: Quantity | None = None
    value_coding: Coding | None = None
    value_codeable_concept: Concept | None = None


class Component(Valued, frozen=True, kw_only=True):
    """A component of an Observation."""

    code: Concept


class Observation(Valued, frozen=True, kw_only=True):
    """A measured score, one of its items, a body measure, or the abundance of taxa."""

    id: str = ""
    status: str
    code: Concept
    subject: Reference | None = None
    effective_date_time: str | None = None
    component: list[Component] = []


class Item(Element, frozen=True, kw_only=True):
    """An item of a QuestionnaireResponse, with its answers and the items below it."""

    link_id: str
    answer: list[Valued] = []
    item: list[Item] = []


class QuestionnaireResponse(Element, frozen=True, kw_only=True):
    """A filled-in form."""

    id: str = ""
    status: str
    subject: Reference | None = None
    authored: str | None = None
    item: list[Item] = []


class Patient(Element, frozen=True, kw_only=True):
    """The patient."""

    id: str
    gender: str = ""
    birth_date: str | None = None


class DiagnosticReport(Element, frozen=True, kw_only=True):
    """The report of a stool profile; its Observations may be contained in it."""

    id: str = ""
    status: str
    subject: Reference | None = None
    effective_date_time: str | None = None
    contained: list[Raw] = []


class Condition(Element, frozen=True, kw_only=True):
    """A condition, by its code."""

    id: str = ""
    code: Concept | None = None
    subject: Reference | None = None
    clinical_status: Concept | None = None


class Period(Element, frozen=True, kw_only=True):
    """From one date to another."""

    start: str | None = None
    end: str | None = None


class ServiceRequest(Element, frozen=True, kw_only=True):
    """What is planned: the intervention asked about, and for how long."""

    id: str = ""
    code: Concept | None = None
    subject: Reference | None = None
    occurrence_period: Period | None = None


class Entry(Element, frozen=True, kw_only=True):
    """An entry of a Bundle."""

    resource: Raw = Raw()
    full_url: str = ""


class Bundle(Element, frozen=True, kw_only=True):
    """The body of `POST /fhir/$predict-response`."""

    resource_type: str
    entry: list[Entry] = []


class Typed(Struct, rename="camel", frozen=True):
    """Any resource, of which the type is read first."""

    resource_type: str = ""


READ: dict[str, type[Any]] = {
    cls.__name__: cls
    for cls in (Patient, Observation, QuestionnaireResponse, DiagnosticReport, Condition, ServiceRequest)
}
