"""Large batches as columns and rows: each column is named by its path in a patient, each row is one patient.

`{"columns": ["id", "intervention", "baseline.score", "lifestyle.age_years", "microbiome.taxa.g__Blautia"],
"rows": [["p-1", "probiotic", 14, 41, 305]]}`. A null cell is absent; a null or zero taxon is no count.
The rows become the same typed patients as in the plain body, hence the same answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from operator import itemgetter
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
import orjson
from msgspec import Meta, Raw, Struct
from msgspec.structs import force_setattr

from features.digest import json_digest
from features.importers.clinic import Taxa, TaxaRow
from serving.faults import RequestError
from serving.schemas import (
    FIELDS,
    NOT_JSON,
    Amount,
    PredictRequest,
    Text,
    convert,
    decode,
    decoder,
    fault_of,
    malformed,
)

Json = dict[str, Any]
TAXA = "microbiome.taxa."
LIFESTYLE = "lifestyle."
_HEADS = frozenset({*FIELDS["Patient"]} - {"baseline", "microbiome", "lifestyle"})
_NESTED = frozenset(
    {f"baseline.{name}" for name in FIELDS["Baseline"]}
    | {f"microbiome.{name}" for name in FIELDS["Microbiome"] if name not in ("taxa", "functions")}
)
LISTS = frozenset({"flags", "baseline.items"})  # columns whose cells are lists
Name = Annotated[str, Meta(min_length=1, max_length=1100)]
Cell = float | str | bool | list[float | str | None] | None


class ColumnarRequest(Struct, forbid_unknown_fields=True, frozen=True):
    """The columnar body of `POST /predict`; each row is kept as the text that was sent."""

    columns: Annotated[list[Name], Meta(min_length=1, max_length=30_000)]
    rows: Annotated[list[Raw], Meta(min_length=1)]
    site_reference: Text | None = None


class _Plan(NamedTuple):
    """Where the cells of a row go: heads as (place, part of a patient, key), taxa as places and their lineages."""

    heads: tuple[tuple[int, str, str], ...]
    taxa: tuple[int, ...]
    amounts: Callable[[tuple[Any, ...]], Any]
    lineages: tuple[str, ...]
    rows: msgspec.json.Decoder[list[tuple[Any, ...]]]


_TABLE = decoder(ColumnarRequest)
_SHAPE = decoder(dict[str, Raw])
_FIRST = re.compile(rb'\s*{\s*"(columns|patients)"')
_PLACE = re.compile(r" - at `\$\[(\d+)\](?:\[(\d+)\])?")


def is_columnar(body: bytes) -> bool:
    """Return whether a JSON body has `columns`; a body that is no JSON object has not."""
    if first := _FIRST.match(body):  # what has both is neither
        return first.group(1) == b"columns"
    if b'"columns"' not in body:
        return False
    try:
        return "columns" in _SHAPE.decode(body)
    except NOT_JSON:
        return False


def read_table(body: bytes) -> ColumnarRequest:
    """Return the table of a JSON body; raises RequestError (400, 422) as `decode` does."""
    return decode(body, _TABLE, lambda table: 2 + (table.site_reference is not None))


def rows_of(table: ColumnarRequest) -> PredictRequest:
    """Return the same request row by row; raises RequestError (422) for a column or cell that cannot be.

    The amounts of all rows stay one table: `microbiome.taxa` of a patient is a view of its row.
    """
    if len(set(table.columns)) < len(table.columns):
        raise RequestError(422, "duplicate_column", "a column stands twice", "columns", "Name each column once")
    plan = _plan(tuple(table.columns))
    rows = _typed(table, plan)
    taxa = Taxa(plan.lineages, np.array([plan.amounts(row) for row in rows], dtype=float).reshape(len(rows), -1))
    np.nan_to_num(taxa.amounts, copy=False)  # null became NaN: no count
    measured: list[bool] = np.any(taxa.amounts, axis=1).tolist()
    heads = [_head(row, plan, has_taxa) for row, has_taxa in zip(rows, measured, strict=True)]
    request = convert({"patients": heads, "site_reference": table.site_reference}, PredictRequest)
    for i, patient in enumerate(request.patients):
        if patient.microbiome is not None and measured[i]:
            # They were made a line above and nobody else holds them yet; a copy of each would cost a tenth of the reading.
            force_setattr(patient.microbiome, "taxa", TaxaRow(taxa, i))
    return request


def sent_rows(table: ColumnarRequest) -> list[bytes]:
    """Return, per row, the canonical JSON of what its receipt opens to.

    That is {"columns": the digest of the columns, "row": the row's text as it was sent}.
    """
    head = b'{"columns":"' + json_digest(table.columns).encode() + b'","row":'
    return [head + orjson.dumps(bytes(row).decode()) + b"}" for row in table.rows]


@lru_cache(maxsize=8)
def _plan(columns: tuple[str, ...]) -> _Plan:
    """A clinic sends the same columns again and again: what follows from them is worked out once."""
    targets = [_target(name, i) for i, name in enumerate(columns)]
    taxa = tuple(sorted((i for i, (part, _) in enumerate(targets) if part == "taxa"), key=lambda i: targets[i][1]))
    types = tuple((Amount | None) if part == "taxa" else Cell for part, _ in targets)
    heads = tuple((i, part, key) for i, (part, key) in enumerate(targets) if part != "taxa")
    amounts = itemgetter(*taxa) if taxa else lambda row: ()
    return _Plan(heads, taxa, amounts, tuple(targets[i][1] for i in taxa), decoder(list[tuple[types]]))  # type: ignore[valid-type]


def _typed(table: ColumnarRequest, plan: _Plan) -> list[tuple[Any, ...]]:
    try:
        return plan.rows.decode(b"[" + b",".join(table.rows) + b"]")
    except msgspec.ValidationError as error:
        row, column = found.groups() if (found := _PLACE.search(str(error))) else (None, None)
        if row is not None and column is None and str(error).startswith("Expected `array` of length"):
            hint = f"Send {len(table.columns)} cells, one per column"
            place = f"rows[{row}]"
            raise RequestError(422, "ragged_row", "a row has too few or too many cells", place, hint) from None
        fault = fault_of(str(error))
        if column is not None and int(column) in plan.taxa:
            fault.field = f"patients[{row}].microbiome.taxa[...]"
        raise fault from None
    except NOT_JSON:
        raise malformed() from None


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


def _head(row: tuple[Any, ...], plan: _Plan, has_taxa: bool) -> dict[str, Any]:
    """A patient without taxa, as the plain body would have it."""
    patient: dict[str, Any] = {"baseline": {}, "lifestyle": {}, "microbiome": {}}
    parts = {**patient, "": patient}
    for i, part, key in plan.heads:
        if row[i] is not None:
            parts[part][key] = row[i]
    if has_taxa or patient["microbiome"]:
        patient["microbiome"]["taxa"] = {}
    else:
        del patient["microbiome"]
    return patient
