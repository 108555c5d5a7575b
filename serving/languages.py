"""The words of an answer in the language that was asked for (`Accept-Language`): those of the page's catalogues.

Codes, fields and the messages of errors stay as they are in every language: scripts match on them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

PAGES = Path(__file__).parent / "pages"
LANGUAGES = ("en", "es", "de")


class Words:
    """One catalogue: every text by its name."""

    def __init__(self, language: str) -> None:
        """Read the catalogue of one of LANGUAGES."""
        self.language = language
        self._texts: Mapping[str, str] = json.loads((PAGES / f"texts.{language}.json").read_text(encoding="utf-8"))

    def say(self, name: str, **values: str) -> str:
        """Return a text with its blanks filled."""
        return self._texts[name].format(**values)

    def reason(self, code: str) -> str:
        """Return what a reason code means; a code without words stands for itself."""
        return self._texts.get(f"reason.{code}", code)

    def number(self, value: float) -> str:
        """Return a signed number with one decimal, the decimal mark that of the language."""
        text = f"{value:+.1f}"
        return text if self.language == "en" else text.replace(".", ",")

    @property
    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """Return the headers of a reply in this language."""
        return ((b"content-language", self.language.encode()), (b"vary", b"accept-language"))


@lru_cache(maxsize=len(LANGUAGES))
def words_in(language: str) -> Words:
    """Return the catalogue of one of LANGUAGES."""
    return Words(language)


def words_for(headers: Mapping[bytes, bytes]) -> Words:
    """Return the catalogue that `Accept-Language` likes best (RFC 9110, 12.5.4), English where it names none of ours."""
    liked: list[tuple[float, int, str]] = []
    for place, part in enumerate(headers.get(b"accept-language", b"").decode("latin-1").split(",")):
        tag, _, weight = part.partition(";")
        language = tag.strip().lower().partition("-")[0]
        if language in LANGUAGES:
            liked.append((-_weight(weight), place, language))
    first = min(liked, default=(0.0, 0, "en"))
    return words_in(first[2] if first[0] < 0 else "en")


def _weight(text: str) -> float:
    name, _, value = text.strip().partition("=")
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0
