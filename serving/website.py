"""The page of a clinic: static files that ask the same routes as any client. No session, no cookie, nothing stored."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from serving.desk import Desk
from serving.faults import RequestError
from serving.languages import LANGUAGES, PAGES
from serving.wire import HTML, JSON, Call, Reply

#: The page may load and ask this service alone; nothing from elsewhere, nothing inline.
POLICY = b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


@lru_cache(maxsize=16)
def _file(name: str, media: str) -> Reply:
    return Reply((PAGES / name).read_bytes(), media, 200, ((b"content-security-policy", POLICY),))


def static(name: str, media: str) -> Callable[[Desk, Call], Reply]:
    """Return the handler that sends one file of the page."""
    return lambda desk, call: _file(name, media)


page = static("page.html", HTML)
script = static("page.js", "text/javascript; charset=utf-8")
monitor = static("monitor.js", "text/javascript; charset=utf-8")
lab_file = static("labfile.js", "text/javascript; charset=utf-8")
cohort = static("cohort.js", "text/javascript; charset=utf-8")
receipt = static("receipt.js", "text/javascript; charset=utf-8")
style = static("page.css", "text/css; charset=utf-8")


def texts(desk: Desk, call: Call) -> Reply:
    """Answer `GET /ui/texts/LANGUAGE`: every text of the page in one language."""
    language = call.path["language"]
    if language not in LANGUAGES:
        hint = "Languages: " + ", ".join(LANGUAGES)
        raise RequestError(404, "unknown_language", "the page does not speak this language", "", hint)
    return _file(f"texts.{language}.json", JSON)
