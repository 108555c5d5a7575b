"""What passes between the door and the handlers: a call, a reply, a row of the route table. No sockets."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs

import msgspec

from serving.access import Principal

if TYPE_CHECKING:
    from serving.desk import Desk

JSON = "application/json"
NDJSON = "application/x-ndjson"
FHIR = "application/fhir+json"
CSV = "text/csv"
TSV = "text/tab-separated-values"
HTML = "text/html; charset=utf-8"
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
OPEN = ("anyone",)
LARGE = 64 * 1024  # bytes of body from which a request leaves the event loop for a thread


class Call(NamedTuple):
    """One request: body bytes, lower-case headers, path parameters, raw query, and who asks."""

    body: bytes
    headers: Mapping[bytes, bytes]
    path: Mapping[str, str]
    query: bytes
    principal: Principal

    def parameter(self, name: str) -> str | None:
        """Return the first value of a query parameter."""
        values = parse_qs(self.query.decode("latin-1")).get(name)
        return values[0] if values else None


class Reply(NamedTuple):
    """What is sent back."""

    body: bytes
    media: str = JSON
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()


def reply(value: Any, status: int = 200, media: str = JSON) -> Reply:
    """Return a JSON reply."""
    return Reply(msgspec.json.encode(value), media, status)


Handler = Callable[["Desk", Call], Reply | Awaitable[Reply]]


class Route:
    """One row of the table: who may use a path, which media types its body may have, what answers.

    A path may hold `{name}` parts, each one segment. `handler` is a function of the desk and a call; an async one looks itself
    to it that nothing long holds up the event loop.
    """

    def __init__(
        self,
        method: str,
        path: str,
        roles: tuple[str, ...],
        handler: Handler,
        summary: str,
        *,
        accepts: tuple[str, ...] = (JSON,),
        body: type[Any] | None = None,
        clinical: bool = False,
        gives: str = JSON,
        query: tuple[str, ...] = (),
    ) -> None:
        """Keep the row: `body` is the type of a JSON body, `gives` the media type of a reply, `query` its parameters.

        `clinical` rows answer about patients and can be stopped.
        """
        self.method, self.path, self.roles, self.handler = method, path, roles, handler
        self.summary, self.accepts, self.body, self.clinical = summary, accepts, body, clinical
        self.is_async = iscoroutinefunction(handler)
        self.gives, self.query = gives.partition(";")[0], query

    @cached_property
    def pattern(self) -> re.Pattern[str] | None:
        """Return the pattern of a path with parameters, None for a fixed path."""
        if "{" not in self.path:
            return None
        parts = re.split(r"\{(\w+)\}", self.path)
        text = "".join(re.escape(p) if i % 2 == 0 else f"(?P<{p}>[^/]+)" for i, p in enumerate(parts))
        return re.compile(text)
