"""The one shape of a refused request: what, where, what to do, and never the value that was sent."""

from __future__ import annotations

import msgspec

from features.errors import VagusError


class RequestError(VagusError):
    """A request that is not answered, as an HTTP status and a stable code.

    `retry_after` is in seconds and `allow` lists the methods of a route, where they apply.
    `field` is a path such as `patients[0].baseline.score`; neither it nor any text quotes what was sent.
    """

    exit_code = 2

    retry_after = 0
    allow = ""

    def __init__(self, status: int, code: str, message: str, field: str = "", hint: str = "") -> None:
        """Keep the parts apart; the exception's own text joins them."""
        self.status, self.code, self.message, self.field, self.hint = status, code, message, field, hint
        super().__init__(f"{field + ': ' if field else ''}{message}. {hint} [{code}]")

    def as_dict(self) -> dict[str, dict[str, str]]:
        """Return the body of the reply: `{"error": {"code", "message", "field", "hint"}}`."""
        body = {"code": self.code, "message": self.message, "field": self.field, "hint": self.hint}
        return {"error": body}

    def body(self) -> bytes:
        """Return the reply as JSON bytes."""
        return msgspec.json.encode(self.as_dict())


INTERNAL = RequestError(500, "internal", "an internal fault; nothing was answered", "", "Try again")
