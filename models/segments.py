"""Runs of encoded columns, and the contribution (baseline, arm, lifestyle, microbiome ...) that each counts towards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

NAMES: Mapping[str, str] = {
    "base": "baseline",
    "curve": "baseline",
    "life": "lifestyle",
    "bend": "lifestyle",
    "blank": "lifestyle",
    "step": "lifestyle",
    "study": "study",
    "arm": "arm",
}


@dataclass(frozen=True)
class Segment:
    """A run of columns that belongs to one block and counts towards one contribution."""

    block: str
    contribution: str
    width: int


def contribution_of(block: str) -> str:
    """Return the contribution a block counts towards; an arm interaction counts for what it modifies the arm by."""
    main = block.removeprefix("arm×")
    if block.startswith("arm×") and main == "base":
        return "arm"
    return NAMES.get(main, "microbiome")


def segments_of(widths: Sequence[tuple[str, int]]) -> tuple[Segment, ...]:
    """Return the segments of blocks with their widths, in order."""
    return tuple(Segment(block, contribution_of(block), width) for block, width in widths)
