"""MLflow's scoring protocol: `/invocations` with a table as JSON in its four forms, or as CSV.

Columns bear the names they have in the columnar body of `POST /predict`.
"""

from __future__ import annotations

import csv
import io
from typing import Any

from msgspec import Struct

from serving.desk import Desk
from serving.faults import RequestError
from serving.inference import OUTPUTS, ask, at, plain
from serving.schemas import decode, decoder
from serving.wire import CSV, Call, Reply, reply


class Split(Struct, forbid_unknown_fields=True, frozen=True):
    """A data frame as pandas writes it with `orient="split"`."""

    columns: list[str]
    data: list[list[Any]]
    index: list[Any] | None = None


class Invocation(Struct, forbid_unknown_fields=True, frozen=True):
    """The body of `POST /invocations`: exactly one of the four forms of a table."""

    dataframe_split: Split | None = None
    dataframe_records: list[dict[str, Any]] | None = None
    instances: list[dict[str, Any]] | None = None
    inputs: list[dict[str, Any]] | None = None
    params: dict[str, Any] | None = None


_INVOKE = decoder(Invocation)


def invocations(desk: Desk, call: Call) -> Reply:
    """Answer `POST /invocations`, JSON or CSV."""
    is_csv = call.headers.get(b"content-type", b"").startswith(CSV.encode())
    columns, rows = _from_csv(call.body) if is_csv else _from_json(call.body)
    answers = ask(desk, call, "/invocations", None, columns, rows)
    names = [name for name in OUTPUTS if name not in ("yhat", "lo90", "hi90")]
    flat = [
        {"change": a["change"], "change_lower": at(a, ("interval", "lower")), "change_upper": at(a, ("interval", "upper"))}
        | {name: plain(at(a, OUTPUTS[name][1])) for name in names}
        for a in answers
    ]  # fmt: skip
    return reply({"predictions": flat})


def ping(desk: Desk, call: Call) -> Reply:
    """Answer `GET /ping` and `GET /health`."""
    return Reply(b"\n", "text/plain; charset=utf-8")


def version(desk: Desk, call: Call) -> Reply:
    """Answer `GET /version`: of the protocol that MLflow's clients ask for."""
    return Reply(b"3.17.2", "text/plain; charset=utf-8")


def _from_json(body: bytes) -> tuple[list[str], list[list[Any]]]:
    request = decode(body, _INVOKE)
    split, *records = (request.dataframe_split, request.dataframe_records, request.instances, request.inputs)
    given = [table for table in records if table is not None]
    if (split is not None) + len(given) != 1:
        hint = "Send one of dataframe_split, dataframe_records, instances, inputs"
        raise RequestError(422, "one_table", "exactly one table is expected", "", hint)
    if split is not None:
        return split.columns, split.data
    columns = list(dict.fromkeys(name for row in given[0] for name in row))
    return columns, [[row.get(name) for name in columns] for row in given[0]]


def _from_csv(body: bytes) -> tuple[list[str], list[list[Any]]]:
    try:
        columns, *rows = csv.reader(io.StringIO(body.decode("utf-8")), strict=True)
    except (ValueError, csv.Error):
        raise RequestError(400, "malformed_csv", "the body is not CSV", "", "Send UTF-8 CSV with a header") from None
    return columns, [[_number(cell, name) for name, cell in zip(columns, row, strict=False)] for row in rows]


def _number(cell: str, column: str) -> float | str:
    """CSV has no types: what reads as a number is one, but for an id."""
    try:
        return cell if column == "id" else float(cell)
    except ValueError:
        return cell
