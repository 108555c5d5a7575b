"""The OpenAPI description of the service, made from the route table, and the same as one plain page.

The page loads nothing from elsewhere: it works on a ward without internet access.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import msgspec

from serving.wire import FHIR, JSON, OPEN

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
    "400": "The body cannot be read",
    "401": "No valid key was sent",
    "403": "The key's role may not do this",
    "404": "There is no such route or model",
    "405": "The route does not take this method",
    "409": "The idempotency key was used with another body",
    "412": "Data are missing that would have to be fetched",
    "413": "The body or the number of rows is too large",
    "415": "The media type is not accepted",
    "422": "The request is not as specified",
    "429": "Too many requests; see Retry-After",
    "503": "The service was stopped, or its log cannot be written",
}
_ALWAYS = ("404", "405", "413", "415")
_KEYED = ("401", "403", "429")
#: Prefix of a path -> media type and schema of its faults, where a standard fixes them.
_SHAPES = (
    ("/v2", JSON, {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}),
    ("/fhir", FHIR, {"type": "object", "required": ["resourceType", "issue"]}),
)


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
            "schemas": {**_with_limits(_schemas(routes), bundles), "Fault": FAULT},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _schemas(routes: Sequence[Route]) -> dict[str, Any]:
    bodies = [route.body for route in routes if route.body is not None]
    _, components = msgspec.json.schema_components(bodies, ref_template="#/components/schemas/{name}")
    return components


def _with_limits(schemas: dict[str, Any], bundles: Mapping[str, Bundle]) -> dict[str, Any]:
    """Name what the models served know: instruments and arms. Aliases of instruments are understood as well."""
    arms = sorted({arm for bundle in bundles.values() for arm in bundle.arms})
    schemas["Baseline"]["properties"]["instrument"]["enum"] = list(bundles)
    schemas["Patient"]["properties"]["intervention"]["enum"] = arms
    schemas["CompareRequest"]["properties"]["interventions"]["items"]["enum"] = arms
    return schemas


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "security": [] if route.roles == OPEN else [{"key": []}],
        "responses": _responses(route),
    }
    named = [(name, "path") for name in re.findall(r"\{(\w+)\}", route.path)] + [
        (name, "query") for name in route.query
    ]
    if named:
        text = {"schema": {"type": "string"}}
        operation["parameters"] = [
            {"name": name, "in": place, "required": place == "path", **text} for name, place in named
        ]
    if route.method == "POST":
        operation["requestBody"] = {"required": route.body is not None, "content": _bodies(route)}
    return operation


def _bodies(route: Route) -> dict[str, Any]:
    """JSON bodies by their type; other media types, and bodies a standard describes, by media type alone."""
    typed = {"schema": {"$ref": f"#/components/schemas/{route.body.__name__}"}} if route.body is not None else {}
    return {media: (typed if media == JSON else {}) for media in route.accepts if media}


def _responses(route: Route) -> dict[str, Any]:
    media, schema = next(
        ((media, schema) for start, media, schema in _SHAPES if route.path.startswith(start)),
        (JSON, {"$ref": "#/components/schemas/Fault"}),
    )
    posted = route.method == "POST"
    codes = [code for code in FAULTS if code in _ALWAYS or (code in _KEYED and route.roles != OPEN)]
    codes += [code for code in FAULTS if posted and code not in (*_ALWAYS, *_KEYED)]
    faults = {code: {"description": FAULTS[code], "content": {media: {"schema": schema}}} for code in sorted(codes)}
    return {"200": {"description": "The answer", "content": {route.gives: {}}}, **faults}


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
