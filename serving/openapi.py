"""The OpenAPI description of the service, made from the route table, and the same as one plain page.

The page loads nothing from elsewhere: it works on a ward without internet access.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from models.bundle import Bundle
    from serving.wire import Route

FAULT = {
    "type": "object",
    "required": ["error"],
    "additionalProperties": False,
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "field", "hint"],
            "additionalProperties": False,
            "properties": {name: {"type": "string"} for name in ("code", "message", "field", "hint")},
        }
    },
}
FAULTS = {
    "400": "The body is not JSON",
    "401": "No valid key was sent",
    "403": "The key's role may not do this",
    "413": "The body or the number of rows is too large",
    "415": "The media type is not accepted",
    "422": "The request is not as specified",
    "429": "Too many requests; see Retry-After",
}
_GET_FAULTS = ("401", "403", "415", "429")


def openapi(routes: Sequence[Route], bundles: Mapping[str, Bundle]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the routes."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    instruments = ", ".join(bundles)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Vagus", "version": "1", "description": f"Instruments served: {instruments}"},
        "paths": paths,
        "components": {
            "schemas": {**_schemas(routes), "Fault": FAULT},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"key": []}],
    }


def _schemas(routes: Sequence[Route]) -> dict[str, Any]:
    bodies = [route.body for route in routes if route.body is not None]
    _, components = msgspec.json.schema_components(bodies, ref_template="#/components/schemas/{name}")
    return components


def _operation(route: Route) -> dict[str, Any]:
    fault = {"application/json": {"schema": {"$ref": "#/components/schemas/Fault"}}}
    codes = FAULTS if route.method == "POST" else _GET_FAULTS
    answers: dict[str, Any] = {code: {"description": FAULTS[code], "content": fault} for code in codes}
    answers["200"] = {"description": "The answer"}
    operation: dict[str, Any] = {"summary": route.summary, "responses": answers}
    if route.body is not None:
        schema = {"$ref": f"#/components/schemas/{route.body.__name__}"}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def page(document: Mapping[str, Any]) -> str:
    """Return the description as one self-contained HTML page."""
    rows = [
        f"<tr><td><code>{method.upper()}</code></td><td><code>{escape(path)}</code></td>"
        f"<td>{escape(operation['summary'])}</td></tr>"
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    schemas = "".join(
        f"<h3>{escape(name)}</h3><pre>{escape(json.dumps(schema, indent=1))}</pre>"
        for name, schema in document["components"]["schemas"].items()
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Vagus</title></head>'
        f"<body><main><h1>Vagus: HTTP interface</h1><p>{escape(document['info']['description'])}</p>"
        f"<table><tr><th>Method</th><th>Path</th><th>Does</th></tr>{''.join(rows)}</table>"
        f"<h2>Types</h2>{schemas}</main></body></html>"
    )
