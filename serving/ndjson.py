"""More patients than one body holds: one JSON patient per line in, one JSON prediction per line out, with progress.

Lines are answered in groups while the body is still arriving. A wrong line is answered by an error line at its place
and does not stop the rest. The order of predictions is that of the patients.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from serving.access import Principal
from serving.answering import answer_patients
from serving.desk import Desk
from serving.faults import RequestError
from serving.schemas import Patient, PredictRequest, decode, decoder
from serving.wire import Call

GROUP = 256  # patients answered together
LONGEST = 1024 * 1024  # bytes of one line
_LINE = decoder(Patient)


async def answer_lines(desk: Desk, call: Call, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the reply, group by group: predictions or errors, then a line of progress; the last line says `end`."""
    done, group = 0, []
    async for line in _lines(chunks):
        group.append(line)
        if len(group) == GROUP:
            yield await _group(desk, call, group, done)
            done, group = done + len(group), []
    if group:
        yield await _group(desk, call, group, done)
    yield _line({"end": {"lines": done + len(group)}})


async def _group(desk: Desk, call: Call, lines: list[bytes], done: int) -> bytes:
    answers = await asyncio.to_thread(_answer_group, desk, call.principal, lines, done)
    desk.budget.spend(call.principal.key_id)
    return b"".join([*map(_line, answers), _line({"progress": {"lines": done + len(lines)}})])


def _answer_group(desk: Desk, who: Principal, lines: list[bytes], done: int) -> list[dict[str, Any]]:
    """Answer a group at once; where one line is wrong, answer line by line to tell which."""
    try:
        return _answer(desk, who, lines, done)
    except RequestError:
        return [answer for i, line in enumerate(lines) for answer in _one(desk, who, line, done + i)]


def _one(desk: Desk, who: Principal, line: bytes, done: int) -> list[dict[str, Any]]:
    try:
        return _answer(desk, who, [line], done)
    except RequestError as fault:
        fault.field = fault.field.removeprefix("patients[0].")
        return [{"line": done + 1, **fault.as_dict()}]


def _answer(desk: Desk, who: Principal, lines: list[bytes], done: int) -> list[dict[str, Any]]:
    request = PredictRequest([decode(line, _LINE) for line in lines])
    reply = answer_patients(desk, who, request, "/predict", lambda: [msgspec.json.decode(line) for line in lines])
    digest = reply["model"]["digest"]
    rows = enumerate(reply["predictions"], start=done + 1)
    return [{"line": number, "model_digest": digest, **row} for number, row in rows]


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield line
        if len(rest) > LONGEST:
            raise RequestError(413, "line_too_long", "a line is too long", "", f"At most {LONGEST} bytes per line")
    if rest.strip():
        yield rest


def _line(value: dict[str, Any]) -> bytes:
    return msgspec.json.encode(value) + b"\n"
