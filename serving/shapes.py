"""How a refused request is told: one shape for the service, and the shapes that FHIR and Open Inference fix."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from serving.faults import RequestError
from serving.wire import FHIR, JSON, Reply

#: HTTP status -> issue type of FHIR R4 (value set issue-type).
ISSUES = {
    400: "structure", 401: "login", 403: "forbidden", 404: "not-found", 405: "not-supported", 409: "conflict",
    413: "too-long", 415: "not-supported", 422: "invalid", 429: "throttled", 503: "transient",
}  # fmt: skip


def own(fault: RequestError) -> Reply:
    """Return `{"error": {"code", "message", "field", "hint"}}`."""
    return Reply(fault.body(), JSON, fault.status)


def inference(fault: RequestError) -> Reply:
    """Return `{"error": "text"}`, as Open Inference Protocol v2 says."""
    return Reply(msgspec.json.encode({"error": str(fault)}), JSON, fault.status)


def outcome(fault: RequestError) -> Reply:
    """Return an OperationOutcome (FHIR R4)."""
    issue = {
        "severity": "error",
        "code": ISSUES.get(fault.status, "exception"),
        "details": {"text": fault.code},
        "diagnostics": f"{fault.message}. {fault.hint}",
    }
    if fault.field:
        issue["expression"] = [fault.field]
    body = {"resourceType": "OperationOutcome", "issue": [issue]}
    return Reply(msgspec.json.encode(body), FHIR, fault.status)


SHAPES: tuple[tuple[str, Callable[[RequestError], Reply]], ...] = (("/v2", inference), ("/fhir", outcome))


def shape(path: str, fault: RequestError) -> Reply:
    """Return a fault in the shape that clients of a path expect, with the headers its status asks for."""
    make = next((make for start, make in SHAPES if path == start or path.startswith(start + "/")), own)
    return make(fault)._replace(headers=_headers(fault))


def _headers(fault: RequestError) -> tuple[tuple[bytes, bytes], ...]:
    headers = [(b"www-authenticate", b"Bearer")] if fault.status == 401 else []
    if fault.retry_after:
        headers.append((b"retry-after", str(fault.retry_after).encode()))
    if fault.allow:
        headers.append((b"allow", fault.allow.encode()))
    return tuple(headers)
