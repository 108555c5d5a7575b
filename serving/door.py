"""The door of the service, one ASGI middleware: media type, key, role, size, then a handler; one error shape.

It stands before BentoML's own routes and lets through only the schema that BentoML's clients read.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from serving import swap
from serving.access import OPEN_DOOR, Principal
from serving.desk import Desk
from serving.faults import INTERNAL, RequestError
from serving.ndjson import answer_lines
from serving.routes import ROUTES
from serving.shapes import shape
from serving.streams import Receive, Scope, Send, chunks, read_body, send_reply, send_stream
from serving.wire import FHIR, JSON, LARGE, NDJSON, OPEN, Call, Reply, Route

App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Mapping[bytes, bytes]

log = logging.getLogger("vagus")

PROBES = frozenset({"/livez", "/readyz", "/healthz"})
SCHEMA = "/schema.json"


class Door:
    """The middleware. `desk` gives the worker's state; `observe(route, status)` counts each request."""

    def __init__(self, app: App, desk: Callable[[], Desk], observe: Callable[[str, int], None]) -> None:
        """Stand before `app`, BentoML's own application."""
        self.app, self.desk, self.observe = app, desk, observe
        self.fixed = {(route.method, route.path): route for route in ROUTES if route.pattern is None}
        self.open_ended = [(route, route.pattern) for route in ROUTES if route.pattern is not None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it to BentoML."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        route = None
        try:
            headers = dict(scope["headers"])
            if await self._passes(scope, headers, receive, send):
                return
            route, path = self._route(scope, headers)
            if headers.get(b"content-type", b"").startswith(NDJSON.encode()):
                call = Call(b"", headers, path, scope["query_string"], self._admit(route, headers))
                await send_stream(send, answer_lines(self.desk(), call, chunks(receive)))
                self.observe(route.path, 200)
                return
            answer = await self._answer(route, path, scope, receive)
        except RequestError as fault:
            answer = shape(scope["path"], fault)
        except Exception as error:
            # The text of an exception may quote a patient: the type is all that is logged or sent.
            log.error("internal fault %s", type(error).__name__)
            answer = shape(scope["path"], INTERNAL)
        self.observe(route.path if route else "other", answer.status)
        await send_reply(send, answer, scope["method"] == "HEAD")

    async def _passes(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> bool:
        """Probes are for everyone; the schema is for holders of a key; nothing else of BentoML's is open."""
        path = scope["path"]
        if scope["method"] not in ("GET", "HEAD") or path not in PROBES | {SCHEMA}:
            return False
        _media(headers, (JSON,))
        if path in PROBES:
            self.desk()  # ready is who has verified and loaded every bundle
            await send_reply(send, Reply(b"\n", "text/plain; charset=utf-8"), scope["method"] == "HEAD")
            return True
        self.desk().access.principal(headers)
        await self.app(scope, receive, send)
        return True

    def _route(self, scope: Scope, headers: Headers) -> tuple[Route, Mapping[str, str]]:
        method, path = scope["method"], scope["path"]
        route, found = self._lookup("GET" if method == "HEAD" else method, path)
        _media(headers, route.accepts if route else (JSON, FHIR))
        if route is not None:
            return route, found
        methods = [known.method for known in ROUTES if _is_at(known, path)]
        if methods:
            fault = RequestError(405, "method_not_allowed", "the route does not take this method", "", "See /docs")
            fault.allow = ", ".join(methods)
            raise fault
        raise RequestError(404, "not_found", "there is no such route", "", "See /docs")

    def _lookup(self, method: str, path: str) -> tuple[Route | None, Mapping[str, str]]:
        fixed = self.fixed.get((method, path))
        if fixed is not None:
            return fixed, {}
        for route, pattern in self.open_ended:
            match = pattern.fullmatch(path) if route.method == method else None
            if match:
                return route, match.groupdict()
        return None, {}

    def _admit(self, route: Route, headers: Headers) -> Principal:
        """Return who asks; raises RequestError where the key, its role, its budget or the stop switch says no."""
        desk = self.desk()
        if route.roles == OPEN:
            return OPEN_DOOR
        principal = desk.access.principal(headers)
        desk.budget.spend(principal.key_id)
        if principal.role not in route.roles:
            hint = "Roles that may: " + ", ".join(route.roles)
            raise RequestError(403, "forbidden", "the key's role may not do this", "Authorization", hint)
        if route.clinical:
            swap.follow(desk)
        if route.clinical and desk.switch.stopped:
            raise RequestError(503, "stopped", "the service was stopped by its operator", "", "Try later")
        return principal

    async def _answer(self, route: Route, path: Mapping[str, str], scope: Scope, receive: Receive) -> Reply:
        desk, headers = self.desk(), dict(scope["headers"])
        principal = self._admit(route, headers)
        body = await read_body(headers, receive, desk.settings.body_limit)
        call = Call(body, headers, path, scope["query_string"], principal)
        # The log waits for the disk: other requests must not wait with it.
        if not route.is_async and (len(body) >= LARGE or (route.clinical and desk.writes)):
            answer = await asyncio.to_thread(route.handler, desk, call)
        else:
            answer = route.handler(desk, call)
        return answer if isinstance(answer, Reply) else await answer


def _is_at(route: Route, path: str) -> bool:
    return route.path == path if route.pattern is None else route.pattern.fullmatch(path) is not None


def _media(headers: Headers, accepted: tuple[str, ...]) -> None:
    """Refuse a body of another kind on every route, also where it would be ignored: no pickle gets in."""
    kind = headers.get(b"content-type", b"").decode("latin-1").lower()
    media, *parameters = [part.strip() for part in kind.split(";")]
    charset = [p.partition("=")[2].strip('"') for p in parameters if p.startswith("charset=")]
    known = bool(media) and media in accepted and len(charset) == len(parameters) and charset in ([], ["utf-8"])
    expects = b"content-length" in headers and headers[b"content-length"] != b"0"
    silent = not kind and "" not in accepted and (expects or b"transfer-encoding" in headers)
    if silent or (kind and not known):
        hint = "Send Content-Type: " + " or ".join(filter(None, accepted))
        raise RequestError(415, "media_type", "the media type is not accepted", "Content-Type", hint)
    if headers.get(b"content-encoding", b"identity") != b"identity":
        raise RequestError(415, "encoding", "a compressed body is not accepted", "Content-Encoding", "Send it plain")
