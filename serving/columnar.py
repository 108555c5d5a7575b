"""Large batches as columns and rows: each column is named by its path in a patient, each row is one patient.

`{"columns": ["id", "intervention", "baseline.score", "lifestyle.age_years", "microbiome.taxa.g__Blautia"],
"rows": [["p-1", "probiotic", 14, 41, 305]]}`. A null cell is absent; a null or zero taxon is no count.
The rows become the same typed patients as in the plain body, hence the same answers.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Annotated, Any

from msgspec import UNSET, DecodeError, Meta, Raw, Struct, UnsetType
from msgspec.structs import replace

from serving.faults import RequestError
from serving.schemas import FIELDS, Amount, Patient, PredictRequest, Text, convert, decoder

TAXA = "microbiome.taxa."
LIFESTYLE = "lifestyle."
_HEADS = frozenset({*FIELDS["Patient"]} - {"baseline", "microbiome", "lifestyle"})
_NESTED = frozenset(
    {f"baseline.{name}" for name in FIELDS["Baseline"]}
    | {f"microbiome.{name}" for name in FIELDS["Microbiome"] if name != "taxa"}
)
LISTS = frozenset({"flags", "baseline.items"})  # columns whose cells are lists
Name = Annotated[str, Meta(min_length=1, max_length=1100)]
Cell = float | str | bool | list[float | str | None] | None
_BLOCK = list[list[Amount | None]]


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
    ragged = next((i for i, row in enumerate(table.rows) if len(row) != len(plan)), None)
    if ragged is not None:
        hint = f"Send {len(plan)} cells, one per column"
        raise RequestError(422, "ragged_row", "a row has too few or too many cells", f"rows[{ragged}]", hint)
    taxa = _taxa(table, plan)
    few = [(i, part, key) for i, (part, key) in enumerate(plan) if part != "taxa"]
    heads = [_head(row, few, has_taxa=bool(own)) for row, own in zip(table.rows, taxa, strict=True)]
    request = convert({"patients": heads, "site_reference": table.site_reference}, PredictRequest)
    patients = [_with_taxa(patient, own) for patient, own in zip(request.patients, taxa, strict=True)]
    return replace(request, patients=patients)


def _taxa(table: ColumnarRequest, plan: list[tuple[str, str]]) -> list[dict[str, float]]:
    """Taxon -> amount per row. They are most of the cells, so they are checked by the block, not one by one."""
    at = [i for i, (part, _) in enumerate(plan) if part == "taxa"]
    names = [plan[i][1] for i in at]
    pick = itemgetter(*at) if len(at) > 1 else lambda row: tuple(row[i] for i in at)
    block = [list(pick(row)) for row in table.rows]
    try:
        amounts = convert(block, _BLOCK)
    except RequestError:
        for i, cells in enumerate(block):
            _check_row(cells, i)
        raise
    return [{name: cell for name, cell in zip(names, cells, strict=True) if cell} for cells in amounts]


def _check_row(cells: list[Cell], i: int) -> None:
    try:
        convert([cells], _BLOCK)
    except RequestError as fault:
        fault.field = f"patients[{i}].microbiome.taxa[...]"
        raise


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


def _head(row: list[Cell], few: list[tuple[int, str, str]], *, has_taxa: bool) -> dict[str, Any]:
    """A patient without taxa, as the plain body would have it."""
    parts: dict[str, dict[str, Any]] = {"": {}, "baseline": {}, "microbiome": {}, "lifestyle": {}}
    for i, part, key in few:
        if row[i] is not None:
            parts[part][key] = row[i]
    patient = {**parts[""], "baseline": parts["baseline"], "lifestyle": parts["lifestyle"]}
    if has_taxa or parts["microbiome"]:
        patient["microbiome"] = {**parts["microbiome"], "taxa": {}}
    return patient


def _with_taxa(patient: Patient, taxa: dict[str, float]) -> Patient:
    if patient.microbiome is None:
        return patient
    return replace(patient, microbiome=replace(patient.microbiome, taxa=taxa))
