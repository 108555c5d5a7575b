"""Lineages and the one name a genus goes by, whatever database wrote it."""

from __future__ import annotations

import re
from functools import lru_cache

RANKS = {
    "d": "kingdom",
    "k": "kingdom",
    "p": "phylum",
    "c": "class",
    "o": "order",
    "f": "family",
    "g": "genus",
    "s": "species",
}
_PREFIX = re.compile(r"^([dkpcofgst])_{1,2}(.*)$")
_PLACEHOLDER = re.compile(
    r"^(uncultured.*|unclassified.*|unidentified.*|unknown.*|metagenome|gut metagenome|nan|none|na|)$", re.I
)


@lru_cache(maxsize=200_000)
def ranks(lineage: str) -> dict[str, str]:
    """Return rank -> name of a lineage text such as `d__Bacteria;...;g__Blautia`; placeholder ranks are left out.

    A text without rank prefixes is read as a genus or, of two words, a species.
    """
    found: dict[str, str] = {}
    for part in re.split(r"[;|]", lineage):
        match = _PREFIX.match(part.strip())
        rank = RANKS.get(match.group(1), "") if match else ""
        name = (match.group(2) if match else part).strip().strip("[]")
        if rank and not _PLACEHOLDER.match(name):
            found[rank] = name
        elif not match and name and not _PLACEHOLDER.match(name):
            found.setdefault("species" if " " in name else "genus", name)
    if "genus" not in found and "species" in found:
        found["genus"] = re.split(r"[ _]", found["species"])[0].strip("[]")
    return found


@lru_cache(maxsize=200_000)
def genus_label(lineage: str) -> str:
    """Return `Family|Genus`, the column a taxon is summed into.

    An unnamed genus is pooled under its deepest known rank (`Lachnospiraceae|unclassified Lachnospiraceae`); the
    family part is empty where the lineage gives none. Matching between tables goes by the genus part alone.
    """
    found = ranks(lineage)
    deepest = next(
        (found[rank] for rank in ("family", "order", "class", "phylum", "kingdom") if rank in found), "taxa"
    )
    genus = found.get("genus") or f"unclassified {deepest}"
    return f"{found.get('family', '')}|{genus}"
