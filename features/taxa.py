"""Lineages and the one name a genus goes by, whatever database wrote it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.nomenclature import canonical_genus, canonical_name, spelled

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


def raw_ranks(lineage: str) -> dict[str, str]:
    """Return rank -> name as the lineage text has it, placeholder ranks left out.

    A text without rank prefixes is read as a genus or, of two words, a species.
    """
    found: dict[str, str] = {}
    for part in re.split(r"[;|]", lineage):
        match = _PREFIX.match(part.strip())
        rank = RANKS.get(match.group(1), "") if match else ""
        name = (match.group(2) if match else part).strip()
        if rank and spelled(name):
            found[rank] = name
        elif not match and spelled(name):
            found.setdefault("species" if " " in name else "genus", name)
    return found


@lru_cache(maxsize=200_000)
def ranks(lineage: str) -> Mapping[str, str]:
    """Return rank -> name of a lineage such as `d__Bacteria;...;g__Blautia`, by canonical names."""
    raw = raw_ranks(lineage)
    found = {rank: spelled(name) for rank, name in raw.items()}
    found |= {rank: canonical_name(rank, raw[rank]).name for rank in ("phylum", "family") if rank in raw}
    if "genus" in raw or " " in found.get("species", ""):
        found["genus"] = canonical_genus(raw.get("genus", ""), raw.get("species", "")).name
    return found


@lru_cache(maxsize=200_000)
def genus_label(lineage: str) -> str:
    """Return `Family|Genus`, the column a taxon is summed into.

    An unnamed genus is pooled under its deepest known rank (`Lachnospiraceae|unclassified
    Lachnospiraceae`); the family part is empty where the lineage gives none. Matching between tables goes
    by the genus part alone.
    """
    found = ranks(lineage)
    deepest = next((found[rank] for rank in ("family", "order", "class", "phylum", "kingdom") if rank in found), "taxa")
    genus = found.get("genus") or f"unclassified {deepest}"
    return f"{found.get('family', '')}|{genus}"


@lru_cache(maxsize=200_000)
def genus_of(label: str) -> str:
    """Return the genus part of a label `Family|Genus`, by which tables match."""
    return label.rpartition("|")[2]


def genus_columns(lineages: Sequence[str]) -> tuple[tuple[str, ...], list[int]]:
    """Return the labels of the genera (`Family|Genus`, sorted by genus) and the place of each lineage among them.

    One genus is one column, whatever family its lineages name (some name none): the first of their names labels it.
    """
    labels = list(map(genus_label, lineages))
    genera = list(map(genus_of, labels))
    chosen = dict(zip(genera, labels, strict=True))
    if len(chosen) < len(labels):
        chosen = _first_named(labels)
    order = sorted(chosen)
    position = {genus: i for i, genus in enumerate(order)}
    return tuple([chosen[genus] for genus in order]), [position[genus] for genus in genera]


def _first_named(labels: Sequence[str]) -> dict[str, str]:
    """Genus -> its label, with the first of the families that it is named with."""
    family: dict[str, str] = {}
    for label in labels:
        named, _, genus = label.partition("|")
        known = family.get(genus)
        if not known or "" < named < known:
            family[genus] = named
    return {genus: f"{named}|{genus}" for genus, named in family.items()}


class KnownTaxa(NamedTuple):
    """Genera that a vocabulary has: their columns in a sample, and their places in the vocabulary."""

    columns: npt.NDArray[np.int64]
    places: npt.NDArray[np.int64]


@lru_cache(maxsize=16)
def known_taxa(genera: tuple[str, ...], vocabulary: tuple[str, ...]) -> KnownTaxa:
    """Look genera up; found once for the several who ask in turn."""
    at = np.array(list(map(_place_in(vocabulary), genera)), dtype=np.int64)
    columns = np.flatnonzero(at >= 0)
    return KnownTaxa(columns, at[columns])


@lru_cache(maxsize=16)
def _place_in(vocabulary: tuple[str, ...]) -> Callable[[str], int]:
    """Return what finds the place of a label's genus in a vocabulary, -1 where it has none."""
    position = {genus_of(label): i for i, label in enumerate(vocabulary)}
    return lru_cache(maxsize=200_000)(lambda label: position.get(genus_of(label), -1))
