"""A small typed client of the service: the standard library and msgspec, nothing else.

with_key = Client("http://127.0.0.1:3000", key)
(told,) = with_key.predict([{"id": "p-17", "intervention": "probiotic", "baseline": {...}}])
print(told.change, told.interval)
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from features.errors import VagusError

Patient = Mapping[str, Any]


class Interval(Struct, frozen=True):
    """A prediction interval in points of change."""

    level: float
    lower: float
    upper: float


class Prediction(Struct, frozen=True):
    """One answer. Where `answered` is false the numbers are None and `reasons` say why."""

    id: str
    prediction_id: str
    answered: bool
    reasons: list[str]
    change: float | None
    follow_up: float | None
    interval: Interval | None
    response_probability: float | None
    remission_probability: float | None
    floor_change: float | None
    contributions: dict[str, float | None] | None
    safety: list[dict[str, str]]
    claim: str
    receipt: msgspec.Raw = msgspec.Raw()


class _Reply(Struct, frozen=True):
    predictions: list[Prediction]


class ServiceError(VagusError):
    """The service refused a request: its HTTP status, code, field and hint."""

    exit_code = 2

    def __init__(self, status: int, code: str, message: str, field: str, hint: str) -> None:
        """Keep the parts of the service's error."""
        self.status, self.code, self.message, self.field, self.hint = status, code, message, field, hint
        super().__init__(f"{field + ': ' if field else ''}{message}. {hint} [{code}]")


class Client:
    """Asks one service with one key. `timeout` is in seconds."""

    def __init__(self, url: str, key: str = "", *, timeout: float = 60.0) -> None:
        """Remember where and as whom to ask; only http and https addresses are taken."""
        if not url.startswith(("http://", "https://")):
            raise ValueError("an address begins with http:// or https://")
        self.url, self.timeout = url.rstrip("/"), timeout
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    def predict(self, patients: Sequence[Patient], *, idempotency_key: str = "") -> list[Prediction]:
        """Return one prediction per patient (at most 1,000), in order; raises ServiceError."""
        extra = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        body = self._send("POST", "/predict", {"patients": list(patients)}, extra)
        return msgspec.json.decode(body, type=_Reply).predictions

    def predict_many(self, patients: Sequence[Patient]) -> Iterator[Prediction | ServiceError]:
        """Yield an answer, or the error of that patient, for any number of patients, in order."""
        lines = "\n".join(json.dumps(patient) for patient in patients).encode()
        for line in self._send("POST", "/predict", lines, {"Content-Type": "application/x-ndjson"}).splitlines():
            told = json.loads(line)
            if "error" in told:
                yield ServiceError(422, **told["error"])
            elif "prediction_id" in told:
                yield msgspec.json.decode(line, type=Prediction)

    def send_outcome(self, prediction_id: str, follow_up: float, *, steered: bool) -> None:
        """Send the score seen at follow-up; `steered` says whether the prediction influenced the therapy."""
        outcome = {"prediction_id": prediction_id, "follow_up": follow_up, "steered": steered}
        self._send("POST", "/outcomes", {"outcomes": [outcome]}, {})

    def card(self) -> dict[str, Any]:
        """Return the model card."""
        card: dict[str, Any] = json.loads(self._send("GET", "/card", None, {}))
        return card

    def _send(self, method: str, path: str, body: Mapping[str, Any] | bytes | None, extra: Mapping[str, str]) -> bytes:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = {**self._headers, **({"Content-Type": "application/json"} if data else {}), **extra}
        request = urllib.request.Request(self.url + path, data, headers, method=method)  # noqa: S310  (checked above)
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as reply:  # noqa: S310
                content: bytes = reply.read()
                return content
        except urllib.error.HTTPError as error:
            raise ServiceError(error.code, **json.loads(error.read())["error"]) from None
