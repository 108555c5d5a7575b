"""What may be asked over HTTP, as types: the decoder refuses unknown fields, wrong types and absurd sizes.

Limits that depend on a model (arms, covariates, score range) are checked in `serving.intake`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from serving.faults import RequestError

Text = Annotated[str, Meta(min_length=1, max_length=200)]
Lineage = Annotated[str, Meta(min_length=1, max_length=1000)]
Gene = Annotated[str, Meta(min_length=1, max_length=50)]
Amount = Annotated[float, Meta(ge=0)]
Days = Annotated[float, Meta(ge=-3650, le=36_500)]
Unit = Literal["counts", "percent", "proportion", "other"]
Answer = int | None
Cell = float | str | bool | None


class Baseline(Struct, forbid_unknown_fields=True, frozen=True):
    """The score before treatment: the total, or the item answers from which it is computed; age in days."""

    instrument: Text
    score: float | None = None
    items: Annotated[list[Answer], Meta(max_length=100)] | None = None
    days_ago: Days | None = None
    scale: Text | None = None


class Microbiome(Struct, forbid_unknown_fields=True, frozen=True):
    """A stool sample: abundance per taxon, the unit of all of them, its age in days, the protocol.

    `functions` is the whole table of gene families (KO -> abundance, any unit), for models that read gut-brain modules.
    """

    unit: Unit
    taxa: Annotated[dict[Lineage, Amount], Meta(max_length=20_000)]
    sample_age_days: Days | None = None
    protocol: Text | None = None
    functions: Annotated[dict[Gene, Amount], Meta(max_length=50_000)] | None = None


class Person(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One patient before an intervention is chosen."""

    id: Text
    baseline: Baseline
    weeks: Annotated[float, Meta(gt=0, le=520)] | None = None
    microbiome: Microbiome | None = None
    lifestyle: Annotated[dict[Text, Cell], Meta(max_length=500)] = {}
    antibiotics_days_ago: Annotated[float, Meta(ge=0, le=36_500)] | None = None
    flags: Annotated[list[Text], Meta(max_length=50)] = []


class Patient(Person, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One patient and the intervention asked about: an arm the model was trained on."""

    intervention: Text


class PredictRequest(Struct, forbid_unknown_fields=True, frozen=True):
    """The body of `POST /predict`; `site_reference` names a reference the service was started with."""

    patients: Annotated[list[Patient], Meta(min_length=1)]
    site_reference: Text | None = None


class CompareRequest(Struct, forbid_unknown_fields=True, frozen=True):
    """The body of `POST /compare`: one patient, several interventions."""

    patient: Person
    interventions: Annotated[list[Text], Meta(min_length=2, max_length=20)]
    site_reference: Text | None = None


_SCHEMAS = (Baseline, Microbiome, Patient, PredictRequest, CompareRequest)
FIELDS = {schema.__name__: schema.__struct_fields__ for schema in _SCHEMAS}
_NAMES = frozenset(name for fields in FIELDS.values() for name in fields)
_OWNER = {"baseline": "Baseline", "microbiome": "Microbiome", "patients": "Patient", "patient": "Patient"}
_PATH = re.compile(r" - at (?:`key` in )?`\$([^`]*)`$")
_MISSING = re.compile(r"^Object missing required field `(\w+)`")

#: Beginning of a decoder's message -> (code, what we say of it). The decoder's own text may quote the input.
_MEANINGS: tuple[tuple[str, str, str], ...] = (
    ("Object missing", "missing_field", "a required field is missing"),
    ("Object contains unknown", "unknown_field", "a field is not known here"),
    ("Invalid enum value", "not_allowed", "the value is not one of those allowed"),
    ("Number out of range", "out_of_range", "a number is too large to be read"),
    ("Expected `str` of length", "wrong_length", "a text is empty or too long"),
    ("Expected `array` of length", "wrong_length", "a list has too few or too many entries"),
    ("Expected `object` of length", "wrong_length", "an object has too few or too many fields"),
    ("Expected `float` ", "out_of_range", "a number is outside its allowed range"),
    ("Expected ", "wrong_type", "the value has the wrong type"),
)

T = TypeVar("T")

#: What a decoder raises on bytes that are no JSON; a ValidationError is among them and means more, so it is looked for first.
NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, json.JSONDecodeError)


_HOLDERS = frozenset({dict, list})
_PLAIN = msgspec.json.Decoder()


def malformed() -> RequestError:
    """Return the fault of a body that is no JSON."""
    hint = "Send one UTF-8 JSON object without NaN or Infinity"
    return RequestError(400, "malformed_json", "the body is not JSON", "", hint)


def decode(body: bytes, decoder: msgspec.json.Decoder[T], names: Callable[[T], int] | None = None) -> T:
    """Return the typed request of JSON bytes; raises RequestError (400 not JSON, 422 not as specified).

    `names` counts the names of fields that a request was read from, where that is cheaper than reading it again.
    """
    try:
        request = decoder.decode(body)
        # Readers differ on which of two equal names counts: such a body means nothing. Each name has a colon after it; with
        # no more colons than names read none stands twice, otherwise (a text may hold a colon) look. Numbers are not read.
        if body.count(b":") > (names(request) if names else _names_in(_PLAIN.decode(body))):
            json.loads(body, object_pairs_hook=_named_once, parse_int=len, parse_float=len, strict=False)
        return request
    except msgspec.ValidationError as error:
        # `from None`: the decoder's message may hold what a patient sent, so it must not travel further.
        raise fault_of(str(error)) from None
    except NOT_JSON:
        raise malformed() from None


def decode_beside(body: bytes, schema: type[T]) -> tuple[T, Any]:
    """Return the typed request of JSON bytes, and the plain value that it was made of; raises RequestError as `decode`."""
    plain = decode(body, _PLAIN, _names_in)
    return convert(plain, schema), plain


def _names_in(value: Any) -> int:
    """The number of fields in all objects of a JSON value."""
    if type(value) is dict:
        return len(value) + sum([_names_in(own) for own in value.values() if type(own) in _HOLDERS])
    return sum([_names_in(own) for own in value if type(own) in _HOLDERS]) if type(value) is list else 0


def _named_once(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) < len(pairs):
        hint = "Name each field of an object once"
        raise RequestError(400, "duplicate_field", "an object names a field twice", "", hint)


def convert(value: Any, schema: type[T]) -> T:
    """Return the typed request of a decoded JSON value; raises RequestError (422) as `decode` does."""
    try:
        return msgspec.convert(value, schema)
    except msgspec.ValidationError as error:
        raise fault_of(str(error)) from None


def fault_of(text: str) -> RequestError:
    """Return what we say of a decoder's message; nothing that was sent is in it."""
    code, message = next(((c, m) for start, c, m in _MEANINGS if text.startswith(start)), _MEANINGS[-1][1:])
    field = _field(text)
    missing = _MISSING.match(text)
    if missing and missing.group(1) in _NAMES:
        field = f"{field}.{missing.group(1)}" if field else missing.group(1)
    return RequestError(422, code, message, field, _hint(code, text, field))


def _field(text: str) -> str:
    """The path of the fault, if all of it is in our own words: a hostile key could imitate a path."""
    found = _PATH.search(text)
    path = found.group(1).lstrip(".") if found else ""
    words = re.sub(r"\[(\d+|\.\.\.)\]", "", path).split(".")
    return path if all(word in _NAMES for word in words) else ""


def _hint(code: str, text: str, field: str) -> str:
    if code == "unknown_field":
        last = re.sub(r"\[[^\]]*\]", "", field).split(".")[-1]
        owner = _OWNER.get(last)
        return "Known fields: " + ", ".join(FIELDS[owner]) if owner else "See /docs for the known fields"
    wanted = re.match(r"Expected (`[^`]*`(?: of length)?(?: [<>]=? [\d.+-]+)?)", text)
    return f"Expected {wanted.group(1).replace('`', '')}" if wanted else "See /docs for this field"


def decoder(schema: type[T]) -> msgspec.json.Decoder[T]:
    """Return a strict JSON decoder of a schema."""
    return msgspec.json.Decoder(schema)
