"""Open Inference Protocol v2 over the same predictor.

Each input tensor is a column. It bears the name it has in the columnar body of `POST /predict`
(`baseline.score`, `lifestyle.age_years`, `microbiome.taxa.g__Blautia`), so both give the same answers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct
from msgspec.json import encode

from models.bundle import Bundle
from serving.answering import answer_patients
from serving.columnar import LISTS, read_table, rows_of, sent_rows
from serving.desk import Desk
from serving.faults import RequestError
from serving.predict import model_of
from serving.schemas import Text, decode, decoder
from serving.wire import Call, Reply, reply

Json = dict[str, Any]
Cell = float | str | bool | None
Datatype = Literal[
    "BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "FP16", "FP32", "FP64", "BYTES"
]
Parameters = dict[str, str | float | bool]

#: Output tensor -> (datatype, where it stands in a prediction).
OUTPUTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "yhat": ("FP64", ("change",)),
    "lo90": ("FP64", ("interval", "lower")),
    "hi90": ("FP64", ("interval", "upper")),
    "floor": ("FP64", ("floor_change",)),
    "p_response": ("FP64", ("response_probability",)),
    "p_remission": ("FP64", ("remission_probability",)),
    "answered": ("BOOL", ("answered",)),
    "reasons": ("BYTES", ("reasons",)),
    "id": ("BYTES", ("id",)),
    "prediction_id": ("BYTES", ("prediction_id",)),
}


class Tensor(Struct, forbid_unknown_fields=True, frozen=True):
    """An input: one column of the table, n values."""

    name: Annotated[str, Meta(min_length=1, max_length=1100)]
    shape: Annotated[list[Annotated[int, Meta(ge=0)]], Meta(min_length=1, max_length=2)]
    datatype: Datatype
    data: list[Cell | list[Cell]]
    parameters: Parameters = {}


class Output(Struct, forbid_unknown_fields=True, frozen=True):
    """An output that is asked for."""

    name: Text
    parameters: Parameters = {}


class InferRequest(Struct, forbid_unknown_fields=True, frozen=True):
    """The body of `POST /v2/models/NAME/infer`."""

    inputs: Annotated[list[Tensor], Meta(min_length=1, max_length=30_000)]
    id: Text | None = None
    parameters: Parameters = {}
    outputs: list[Output] | None = None


_INFER = decoder(InferRequest)


def server_metadata(desk: Desk, call: Call) -> Reply:
    """Answer `GET /v2`."""
    return reply({"name": "vagus", "version": "2", "extensions": []})


def live(desk: Desk, call: Call) -> Reply:
    """Answer `GET /v2/health/live`."""
    return reply({"live": True})


def ready(desk: Desk, call: Call) -> Reply:
    """Answer `GET /v2/health/ready`."""
    return reply({"ready": not desk.switch.stopped})


def model_ready(desk: Desk, call: Call) -> Reply:
    """Answer `GET /v2/models/NAME/ready`."""
    return reply({"name": model_of(_bundle(desk, call))["name"], "ready": not desk.switch.stopped})


def model_metadata(desk: Desk, call: Call) -> Reply:
    """Answer `GET /v2/models/NAME`."""
    bundle = _bundle(desk, call)
    texts = ["id", "intervention", "baseline.instrument", "microbiome.unit"]
    numbers = ["weeks", "baseline.score", *(f"lifestyle.{name}" for name in bundle.manifest["covariates"])]
    inputs = [_column(name, "BYTES") for name in texts] + [_column(name, "FP64") for name in numbers]
    outputs = [_column(name, datatype) for name, (datatype, _) in OUTPUTS.items()]
    model = model_of(bundle)
    head = {"name": model["name"], "versions": [model["version"]], "platform": "vagus_bundle"}
    return reply({**head, "inputs": inputs, "outputs": outputs})


def infer(desk: Desk, call: Call) -> Reply:
    """Answer `POST /v2/models/NAME/infer`."""
    bundle = _bundle(desk, call)
    if b"inference-header-content-length" in call.headers:
        raise RequestError(422, "binary_data", "binary tensors are not taken", "", "Send the data as JSON")
    request = decode(call.body, _INFER)
    wanted = [output.name for output in request.outputs or []] or list(OUTPUTS)
    unknown = [i for i, name in enumerate(wanted) if name not in OUTPUTS]
    if unknown:
        hint = "Outputs: " + ", ".join(OUTPUTS)
        raise RequestError(422, "unknown_output", "there is no such output", f"outputs[{unknown[0]}]", hint)
    columns = [_values(tensor, i) for i, tensor in enumerate(request.inputs)]
    if len({len(column) for column in columns}) > 1:
        hint = "Every tensor has one value per patient"
        raise RequestError(422, "wrong_shape", "the tensors differ in length", "inputs", hint)
    rows = zip(*columns, strict=True)
    answers = ask(desk, call, "/v2", bundle, [tensor.name for tensor in request.inputs], [list(row) for row in rows])
    model = model_of(bundle)
    head = {"model_name": model["name"], "model_version": model["version"], "id": request.id or ""}
    told: Parameters = {"model_digest": model["digest"], "claim": bundle.manifest["claim"]}
    return reply({**head, "parameters": told, "outputs": [_output(name, answers) for name in wanted]})


def ask(
    desk: Desk, call: Call, route: str, bundle: Bundle | None, columns: Sequence[str], rows: list[list[Any]]
) -> list[Json]:
    """Return the predictions of a table; `bundle` None = whichever predicts the instrument that is named."""
    own = {name: b for name, b in desk.bundles.items() if b is bundle}
    served = desk if bundle is None else replace(desk, bundles=own)
    if len(rows) > desk.settings.row_limit:
        hint = f"Send at most {desk.settings.row_limit} rows at once"
        raise RequestError(413, "too_many_rows", "too many rows in one request", "", hint)
    lists = {i for i, name in enumerate(columns) if name in LISTS}
    cells = [[_cell(cell, i in lists) for i, cell in enumerate(row)] for row in rows]
    table = read_table(encode({"columns": list(columns), "rows": cells}))
    answer = answer_patients(served, call.principal, rows_of(table), route, lambda: sent_rows(table))
    return list(answer["predictions"])


def _cell(cell: Any, is_list: bool) -> Any:
    """A text column has no null: an empty text is a blank. A list is written with commas."""
    if cell == "" or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if isinstance(cell, float) and math.isinf(cell):
        raise RequestError(
            422, "out_of_range", "a number is infinite", "", "Send finite numbers; leave unknown cells blank"
        )
    if is_list and isinstance(cell, str):
        parts = [part.strip() for part in cell.split(",")]
        return [int(part) if part.isdecimal() else part for part in parts]
    return cell


def _values(tensor: Tensor, i: int) -> list[Cell]:
    flat = [cell for value in tensor.data for cell in (value if isinstance(value, list) else [value])]
    size = 1
    for length in tensor.shape:
        size *= length
    if len(flat) != size or size != tensor.shape[0]:
        hint = "A tensor is one column: shape [n] or [n, 1]"
        raise RequestError(422, "wrong_shape", "the data do not have the stated shape", f"inputs[{i}]", hint)
    return flat


def _output(name: str, answers: list[Json]) -> Json:
    datatype, path = OUTPUTS[name]
    data = [plain(at(answer, path)) for answer in answers]
    return {"name": name, "shape": [len(data)], "datatype": datatype, "data": data}


def at(answer: Json, path: tuple[str, ...]) -> Any:
    """Return the value at a path in a prediction, None where the way ends early."""
    value: Any = answer
    for step in path:
        value = None if value is None else value[step]
    return value


def plain(value: Any) -> Any:
    """Return a list as one text; other values as they are."""
    return ",".join(value) if isinstance(value, list) else value


def _column(name: str, datatype: str) -> Json:
    return {"name": name, "datatype": datatype, "shape": [-1]}


def _bundle(desk: Desk, call: Call) -> Bundle:
    for bundle in desk.bundles.values():
        model = model_of(bundle)
        if model["name"] == call.path["name"] and call.path.get("version", model["version"]) == model["version"]:
            return bundle
    raise RequestError(404, "unknown_model", "there is no such model", "", "GET /card lists the models")
