"""One name per genus, family and phylum across SILVA, Greengenes, GTDB, NCBI and MetaPhlAn.

Spelling is levelled by rule (brackets, underscores, GTDB suffixes such as `_A`, numbered SILVA clades); old
and new names meet by the versioned table `data/taxon_synonyms.tsv`, each row with its source, and whether that was seen. Where a genus
was split and older databases cannot tell the parts (Lactobacillus in 2020), the parts go by the broad name:
it is the one that every table can give.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

TABLE = "taxon_synonyms.tsv"
_PLACEHOLDER = re.compile(
    r"^(uncultured|unclassified|unidentified|unknown|unassigned|ambiguous|metagenome|(human )?gut metagenome"
    r"|nan|none|na|other|incertae sedis|possible genus|[dkpcofgs]$|$)"
    r"|(unclassified|incertae sedis|metagenome)$",
    re.I,
)
_SPELLING: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"[\[\]\"'<>]"), ""),
    (re.compile(r"[_\s]+"), " "),
    # `UCG 001`, `CAG 352`, `R 7 group`: the hyphen was lost on the way.
    (re.compile(r"\b([A-Z]{1,4}) (\d+)\b"), r"\1-\2"),
)
_GTDB_SUFFIX = re.compile(r"^([A-Z][a-z]{3,}) [A-Z]{1,2}$")
_NUMBERED_CLADE = re.compile(r"^([A-Z][a-z]{3,})( sensu stricto)? \d+$")
_SPECIES_GROUP = re.compile(r"^([A-Z][a-z]+ [a-z]+) group$")
# `Firmicutes bacterium CAG:110` names no genus.
_NO_GENUS = re.compile(r"^\S+ (bacterium|archaeon)\b")
LEVELLED = "spelling"


class Canonical(NamedTuple):
    """A canonical name ('' for a placeholder) and why it differs from what was given ('' if it does not).

    `confirmed` is False where the source of the table's row was not seen, only remembered.
    """

    name: str
    source: str
    confirmed: bool = True


class Synonyms(NamedTuple):
    """The versioned table: (rank, name) -> canonical name and source."""

    version: str
    rows: Mapping[tuple[str, str], Canonical]


@lru_cache(maxsize=1)
def synonyms() -> Synonyms:
    """Return the table of synonyms that ships with this version."""
    first, _, *lines = (files("features.data") / TABLE).read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines)
    table = {
        (rank, name): Canonical(canonical, source, status == "confirmed")
        for rank, name, canonical, source, status, _ in rows
    }
    return Synonyms(first.removeprefix("# version "), table)


def spelled(name: str) -> str:
    """Return a name without brackets and underscores, '' for a placeholder such as `uncultured`."""
    for pattern, replacement in _SPELLING:
        name = pattern.sub(replacement, name)
    name = name.strip()
    return "" if _PLACEHOLDER.search(name) else name


def canonical_genus(genus: str, species: str = "") -> Canonical:
    """Return the canonical genus of a genus name, helped by the species (binomial or epithet) if known."""
    plain, own = spelled(genus), spelled(species)
    if own and plain and " " not in own:
        own = f"{plain} {own}"
    by_species = _lookup("species", own) or _lookup("species", _SPECIES_GROUP.sub(r"\1", plain))
    if by_species:
        return _levelled(_lookup("genus", by_species.name) or by_species, genus)
    name = plain or ("" if _NO_GENUS.match(own) else own.split(" ")[0])
    for candidate in (name, _without_clade(name)):
        found = _lookup("genus", candidate)
        if found:
            return found
    return _levelled(Canonical(_without_clade(name), ""), genus)


def canonical_name(rank: str, name: str) -> Canonical:
    """Return the canonical family or phylum of a name; another rank is only levelled in spelling."""
    plain = _without_clade(spelled(name))
    return _lookup(rank, plain) or _levelled(Canonical(plain, ""), name)


def _lookup(rank: str, name: str) -> Canonical | None:
    return synonyms().rows.get((rank, name))


def _without_clade(name: str) -> str:
    match = _GTDB_SUFFIX.match(name) or _NUMBERED_CLADE.match(name)
    return match.group(1) if match else name


def _levelled(found: Canonical, given: str) -> Canonical:
    return found if found.source or found.name == given else Canonical(found.name, LEVELLED)
