"""What the one language of taxa does to a table: which names meet, and how much of each sample has a named
genus.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from features.counts import Array, Counts
from features.errors import Problem
from features.nomenclature import canonical_genus
from features.taxa import genus_label, ranks, raw_ranks

LEAST_NAMED = 0.1
"""Share of a sample, 0 to 1, below which so little of it has a genus that its profile says nothing. Of 3,639 real samples from
eleven cohorts three lie below it: all of each is one taxon without a genus, or `UNKNOWN`."""


@dataclass(frozen=True)
class Merge:
    """Names that were given, the label they all go by, and the reasons (`spelling`, or the source of a
    synonym).

    `confirmed` is False where a reason is a row of the table whose source was not seen.
    """

    label: str
    given: tuple[str, ...]
    sources: tuple[str, ...]
    confirmed: bool = True


def merges(lineages: Iterable[str]) -> list[Merge]:
    """Return every label that differs from a name that was given, or that several names share; sorted by
    label.
    """
    names: dict[str, set[str]] = defaultdict(set)
    sources: dict[str, set[str]] = defaultdict(set)
    unseen: set[str] = set()
    for lineage in lineages:
        raw = raw_ranks(lineage)
        given = _given(raw)
        if given:
            found = canonical_genus(raw.get("genus", ""), raw.get("species", ""))
            label = genus_label(lineage)
            names[label].add(given)
            sources[label] |= {found.source} - {""}
            unseen |= set() if found.confirmed else {label}
    return [
        Merge(label, tuple(sorted(given)), tuple(sorted(sources[label])), label not in unseen)
        for label, given in sorted(names.items())
        if len(given) > 1 or sources[label]
    ]


def _given(raw: dict[str, str]) -> str:
    """The genus as written, with the species only where the genus alone would be another one."""
    genus, species = raw.get("genus", ""), raw.get("species", "")
    if not species or canonical_genus(genus).name == canonical_genus(genus, species).name:
        return genus or species.split(" ")[0].split("_")[0]
    return f"{genus} + {species}" if genus else species


def named_share(counts: Counts) -> Array:
    """Return per sample the share of its abundance in taxa with a named genus, 0 to 1 (n samples)."""
    return _share(counts, np.array(["genus" in ranks(name) and bool(ranks(name)["genus"]) for name in counts.lineages]))


def kingdom_shares(counts: Counts) -> dict[str, float]:
    """Return the mean share per kingdom over the samples; taxa of no stated kingdom are `not stated`."""
    kingdoms = np.array([ranks(name).get("kingdom", "not stated") for name in counts.lineages], dtype=object)
    return {str(one): float(_share(counts, kingdoms == one).mean()) for one in sorted(set(kingdoms))}


def _share(counts: Counts, chosen: np.ndarray) -> Array:
    rows = np.repeat(np.arange(len(counts.sample_ids)), np.diff(counts.indptr))
    n = len(counts.sample_ids)
    part = np.bincount(rows, weights=counts.data * chosen[counts.indices], minlength=n)
    return np.asarray(part / np.maximum(np.bincount(rows, weights=counts.data, minlength=n), 1e-300))


def few_named(counts: Counts, least: float) -> Iterator[Problem]:
    """Yield a Problem for every sample of whose abundance less than the share `least` (0 to 1) is in named genera."""
    message = f"less than {100 * least:.0f} % of the sample is in taxa with a named genus"
    remedy = "See `vagus taxa normalise`; assign the taxa again, or leave the sample out"
    for i in np.flatnonzero(named_share(counts) < least):
        yield Problem("few_named_taxa", message, remedy, "counts.tsv.gz", int(i) + 2, "sample_id")
