"""Large batches as columns and rows: each column is named by its path in a patient, each row is one patient.

`{"columns": ["id", "intervention", "baseline.score", "lifestyle.age_years", "microbiome.taxa.g__Blautia"],
"rows": [["p-1", "probiotic", 14, 41, 305]]}`. A null cell is absent; a null or zero taxon is no count.
The rows become the same typed patients as in the plain body, hence the same answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from msgspec import UNSET, DecodeError, Meta, Raw, Struct, UnsetType

from serving.faults import RequestError
from serving.schemas import FIELDS, PredictRequest, Text, convert, decoder

TAXA = "microbiome.taxa."
LIFESTYLE = "lifestyle."
_HEADS = frozenset({*FIELDS["Patient"]} - {"baseline", "microbiome", "lifestyle"})
_NESTED = frozenset(
    {f"baseline.{name}" for name in FIELDS["Baseline"]}
    | {f"microbiome.{name}" for name in FIELDS["Microbiome"] if name != "taxa"}
)
LISTS = frozenset({"flags", "baseline.items"})  # columns whose cells are lists
PARTS = ("", "baseline", "microbiome", "taxa", "lifestyle")
Name = Annotated[str, Meta(min_length=1, max_length=1100)]
Cell = float | str | bool | list[float | str | None] | None


class ColumnarRequest(Struct, forbid_unknown_fields=True, frozen=True):
    """The columnar body of `POST /predict`."""

    columns: Annotated[list[Name], Meta(min_length=1, max_length=30_000)]
    rows: Annotated[list[list[Cell]], Meta(min_length=1)]
    site_reference: Text | None = None


class _Shape(Struct, frozen=True):
    columns: Raw | UnsetType = UNSET


_SHAPE = decoder(_Shape)


def is_columnar(body: bytes) -> bool:
    """Return whether a JSON body has `columns`; a body that is no JSON object has not."""
    try:
        return _SHAPE.decode(body).columns is not UNSET
    except (DecodeError, UnicodeDecodeError, RecursionError):
        return False


def rows_of(table: ColumnarRequest) -> PredictRequest:
    """Return the same request row by row; raises RequestError (422) for a column or cell that cannot be."""
    plan = [_target(name, i) for i, name in enumerate(table.columns)]
    if len(set(table.columns)) < len(plan):
        raise RequestError(422, "duplicate_column", "a column stands twice", "columns", "Name each column once")
    patients = list(_patients(table, plan))
    return convert({"patients": patients, "site_reference": table.site_reference}, PredictRequest)


def _target(name: str, i: int) -> tuple[str, str]:
    """Where the cells of a column go: the part of a patient and the key within it ("" = the patient)."""
    if name.startswith(TAXA):
        return "taxa", name.removeprefix(TAXA)
    if name.startswith(LIFESTYLE):
        return "lifestyle", name.removeprefix(LIFESTYLE)
    if name in _NESTED:
        part, _, key = name.partition(".")
        return part, key
    if name not in _HEADS:
        hint = "Known columns: " + ", ".join(sorted(_HEADS | _NESTED)) + ", lifestyle.*, microbiome.taxa.*"
        raise RequestError(422, "unknown_column", "a column is not known here", f"columns[{i}]", hint)
    return "", name


def _patients(table: ColumnarRequest, plan: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    for i, row in enumerate(table.rows):
        if len(row) != len(plan):
            hint = f"Send {len(plan)} cells, one per column"
            raise RequestError(422, "ragged_row", "a row has too few or too many cells", f"rows[{i}]", hint)
        parts: dict[str, dict[str, Any]] = {
            "": {},
            "baseline": {},
            "microbiome": {},
            "taxa": {},
            "lifestyle": {},
        }
        for (part, key), cell in zip(plan, row, strict=True):
            if cell is not None and (part != "taxa" or cell != 0 or isinstance(cell, bool)):
                parts[part][key] = cell
        patient = {**parts[""], "baseline": parts["baseline"], "lifestyle": parts["lifestyle"]}
        if parts["taxa"] or parts["microbiome"]:
            patient["microbiome"] = {**parts["microbiome"], "taxa": parts["taxa"]}
        yield patient
