"""A small local page over the auditor's functions: list and compare runs, judge a checklist, verify a receipt.

It listens on 127.0.0.1 only, writes nothing, and answers only requests addressed to it by that name, so that no page
of another site can read runs through the auditor's browser.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from features.errors import Refused, VagusError
from models.receipt import verify_receipt
from training.audit import catalogue, checklist, page, plots
from training.audit.compare import compare
from training.audit.runs import Run, read_run
from training.audit.verify import restored

_MAX_BODY = 1024 * 1024
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

Fields = Mapping[str, str]


class AuditServer(ThreadingHTTPServer):
    """The page of one tracking store's folder, on 127.0.0.1; port 0 takes a free one."""

    daemon_threads = True

    def __init__(self, folder: Path, port: int) -> None:
        """Listen; `serve_forever` answers."""
        self.folder = folder
        super().__init__(("127.0.0.1", port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: AuditServer
    timeout = 30

    def do_GET(self) -> None:
        """Answer a page."""
        self._answer({"/": _start, "/compare": _compare, "/checklist": _checklist}, urlsplit(self.path).query)

    def do_POST(self) -> None:
        """Answer a form that carries a receipt."""
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > _MAX_BODY:
            self._send(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The form is too large, or its length is not stated.")
            return
        self._answer({"/verify": _verify}, self.rfile.read(int(length)).decode("utf-8", errors="replace"))

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent: what an auditor looks at is nobody's log line."""

    def _answer(self, routes: Mapping[str, Callable[[Path, Fields], str]], form: str) -> None:
        host = f"127.0.0.1:{self.server.server_address[1]}"
        if self.headers.get("Host") not in (host, host.replace("127.0.0.1", "localhost")):
            self._send(HTTPStatus.FORBIDDEN, "This page answers only under its own name.")
            return
        route = routes.get(urlsplit(self.path).path)
        if route is None:
            self._send(HTTPStatus.NOT_FOUND, "There is no such page.")
            return
        fields = {name: values[0] for name, values in parse_qs(form, max_num_fields=20).items()}
        try:
            self._send(HTTPStatus.OK, route(self.server.folder, fields))
        except VagusError as error:
            refused = isinstance(error, Refused)
            text = _start(self.server.folder, {}, said=str(error))
            self._send(HTTPStatus.CONFLICT if refused else HTTPStatus.UNPROCESSABLE_ENTITY, text)

    def _send(self, status: HTTPStatus, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        for name, value in {**_HEADERS, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


def _start(folder: Path, fields: Fields, said: str = "") -> str:
    text = fields.get("text", "")
    runs = catalogue.list_runs(folder, text=text)
    return page.render("audit.html", runs=runs, text=text, said=said, profiles=list(checklist.PROFILES))


def _compare(folder: Path, fields: Fields) -> str:
    first, second = (_run(folder, fields.get(name, "")) for name in ("first", "second"))
    found = compare(first, second, common="common" in fields)
    content = found.as_dict()
    return page.page(content, plots.draw_all(content, found.aligned) if found.tests else {})


def _checklist(folder: Path, fields: Fields) -> str:
    found = checklist.judge(_run(folder, fields.get("run", "")), fields.get("profile", ""))
    return page.render("checklist.html", c=found)


def _verify(folder: Path, fields: Fields) -> str:
    key = fields.get("key", "").strip()
    content = restored(fields.get("receipt", "").encode())  # what is pasted has often been indented
    receipt, checkpoint = verify_receipt(content, [key] if key else None)
    entry, by = receipt["entry"], "the key you trust" if key else "a key nobody pinned"
    said = (
        f"Verified: {entry['kind']} {entry['id']} at {entry['time']}, entry {receipt['index']} of {checkpoint.origin}"
    )
    return _start(folder, {}, said=f"{said}, signed by {by}.")


def _run(folder: Path, run_id: str) -> Run:
    return read_run(catalogue.folder_of(folder, run_id))
