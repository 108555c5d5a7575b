"""What one lab file gives: abundances, functions, a lineage per feature, facts per sample, and what was
decided.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

import numpy as np
import numpy.typing as npt

from features.counts import Counts
from features.errors import InvalidInput, invalid

Floats = npt.NDArray[np.float64]
RANK_LETTERS = "kpcofgs"
_PREFIXED = re.compile(r"^\s*[dkpcofgst]_{1,2}")
_CONFIDENCE = re.compile(r"\(\d+(\.\d+)?\)\s*$")


@dataclass(frozen=True, eq=False)
class Imported:
    """The content of one file, each part None or empty where the file has none.

    `counts` are samples × taxa, `functions` samples × gene families (KO); `lineages` maps feature id to
    lineage; `facts` are text columns with one row per sample, the first of them its id. `notes` state every
    choice made.
    """

    format: str
    counts: Counts | None = None
    functions: Counts | None = None
    lineages: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def cell_words(values: Iterable[Any]) -> list[str]:
    """Return cells of a typed table as text: whole floats without decimals, a missing value as ''."""
    words = []
    for value in values:
        if value is None or value is np.ma.masked or value != value:  # noqa: PLR0124  (NaN)
            words.append("")
        elif isinstance(value, (float, np.floating)) and float(value).is_integer():
            words.append(f"{value:.0f}")
        else:
            words.append(str(value).strip())
    return words


def lineage_of(names: Sequence[str]) -> str:
    """Return the lineage text of rank names from the kingdom down; names that bear a rank prefix keep it.

    Confidences (`Bacteria(100)`) and the bare `__` of some exports are dropped.
    """
    clean = [_CONFIDENCE.sub("", name).strip().replace(";", "_").replace("|", "_") for name in names]
    parts = []
    for letter, name in zip(RANK_LETTERS + "t" * len(clean), clean, strict=False):
        parts.append(name if _PREFIXED.match(name) else f"{letter}__{name.lstrip('_')}")
    while parts and parts[-1].endswith("__"):
        parts.pop()
    return ";".join(parts)


def lineage_text(text: str) -> str:
    """Return the lineage of a text whose ranks are parted by `;` or `|`; a single plain name is left alone."""
    names = [part.strip() for part in re.split(r"[;|]", text.strip().strip(";|")) if part.strip()]
    return text.strip() if len(names) == 1 and not _PREFIXED.match(names[0]) else lineage_of(names)


def detect_unit(counts: Counts) -> str:
    """Return counts, percent, proportion or other, as the values say."""
    rows = np.repeat(np.arange(len(counts.sample_ids)), np.diff(counts.indptr))
    sums = np.bincount(rows, weights=counts.data, minlength=len(counts.sample_ids))
    sums = sums[sums > 0]
    if len(sums) and np.all(np.abs(sums - 100) < 0.5):
        return "percent"
    if not len(sums) or (np.all(counts.data % 1 == 0) and sums.max() > 1):
        return "counts"
    if sums.max() <= 1.01:
        return "proportion"
    # A profile of the named taxa alone stays below the whole; a few samples may be far below.
    return "percent" if sums.max() <= 101 and np.median(sums) > 50 else "other"


def common_suffix(names: Sequence[str]) -> str:
    """Return what all names end in, from a `_`, `.` or `-` on ('' for fewer than two names)."""
    if len(names) < 2:
        return ""
    endings = zip(*(reversed(name) for name in names), strict=False)
    shared = "".join(takewhile(bool, (ends[0] if len(set(ends)) == 1 else "" for ends in endings)))[::-1]
    start = min((shared.find(mark) for mark in "_.-" if mark in shared), default=-1)
    suffix = shared[start:] if start >= 0 else ""
    return "" if any(name == suffix for name in names) else suffix


def distinct(names: Sequence[str], kind: str, file: str) -> None:
    """Raise InvalidInput where a sample or feature is named twice or not at all."""
    seen: set[str] = set()
    problems: list[InvalidInput] = []
    for place, name in enumerate(names, 1):
        if not name or name in seen:
            message = f"{kind} number {place} has {'the name of another one' if name else 'no name'}"
            problems.append(invalid(f"duplicate_{kind}", message, "Name each of them once", file=file))
        seen.add(name)
    if problems:
        raise InvalidInput([problem for one in problems for problem in one.problems])


def table_of(
    samples: Sequence[str],
    features: Sequence[str],
    triples: tuple[npt.NDArray[Any], npt.NDArray[Any], Floats],
    file: str,
) -> Counts:
    """Return the checked sparse table of (sample, feature, value) triples, its unit detected."""
    distinct(samples, "sample", file)
    distinct(features, "taxon", file)
    values = triples[2]
    if not np.all(np.isfinite(values)):
        raise invalid("not_a_number", "an abundance is not a finite number", "Correct it", file=file)
    if np.any(values < 0):
        raise invalid("negative_count", "an abundance is negative", "Give abundances of zero or more", file=file)
    counts = Counts.of(tuple(samples), tuple(features), triples, "counts")
    return Counts(counts.sample_ids, counts.lineages, counts.indptr, counts.indices, counts.data, detect_unit(counts))
