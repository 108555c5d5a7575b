"""Distance of a sample from a named reference cohort: without a reference there is no dysbiosis, only a difference.

The distance is Aitchison's, from the reference's centre, over the reference's genera: counts get a pseudo-count of half
a read, shares a multiplicative replacement by half the smallest share of the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.composition import Shifted, clr, plus_pseudo, replaced_zeros
from features.counts import Array, Counts
from features.errors import invalid

LEAST_SAMPLES = 20  # a reference of fewer samples has no centre worth naming
LEAST_PREVALENCE = 0.1  # share of the reference's samples in which a genus must occur
UNKNOWN_SHARE = 0.5  # share outside the reference's genera from which no distance is given


@dataclass(frozen=True, eq=False)
class Reference:
    """A reference cohort by name: its genera, their mean centred log-ratios, and the distances of its own samples."""

    name: str
    genera: tuple[str, ...]
    centre: Array
    distances: Array
    unit: str
    least: float


@dataclass(frozen=True)
class Dysbiosis:
    """Distance from the reference `name`, its percentile (0 to 100) among the reference's samples, or why there is none."""

    name: str
    distance: float | None
    percentile: float | None
    reason: str = ""


def learn_reference(counts: Counts, name: str) -> Reference:
    """Return the reference of a cohort's abundance table; raises InvalidInput without a name or below 20 samples."""
    if not name:
        raise invalid("unnamed_reference", "the reference has no name", "Name the cohort it is made of")
    labels, sums = counts.genus_sums()
    if len(sums) < LEAST_SAMPLES:
        remedy = f"Give at least {LEAST_SAMPLES} samples"
        raise invalid("small_reference", "the reference has too few samples", remedy)
    kept = (sums > 0).mean(axis=0) >= LEAST_PREVALENCE
    genera = tuple(label.split("|")[1] for label, keep in zip(labels, kept, strict=True) if keep)
    shares = sums / np.maximum(sums.sum(axis=1, keepdims=True), 1e-300)
    least = 0.5 if counts.unit == "counts" else float(shares[shares > 0].min()) / 2.0
    draft = Reference(name, genera, np.zeros(len(genera)), np.zeros(0), counts.unit, least)
    table = _ratios(_aligned(counts, genera)[0], draft)
    centre = np.bincount(table.indices, weights=table.data, minlength=len(genera)) / len(sums) + table.base.mean()
    found = Reference(name, genera, centre, np.zeros(0), counts.unit, least)
    return Reference(name, genera, centre, np.sort(_distances(table, found.centre)), counts.unit, least)


def dysbiosis(counts: Counts, reference: Reference | None) -> list[Dysbiosis]:
    """Return one answer per sample: a distance, or the reason why there is none.

    Reasons: `no_reference`, `other_unit`, `unknown_taxa` (half or more of the sample is outside the reference's genera).
    """
    if reference is None or counts.unit != reference.unit:
        reason = "no_reference" if reference is None else "other_unit"
        return [Dysbiosis("" if reference is None else reference.name, None, None, reason)] * len(counts.sample_ids)
    aligned, known = _aligned(counts, reference.genera)
    rows = np.flatnonzero(known > 1.0 - UNKNOWN_SHARE)
    dense = aligned[rows]
    found = [Dysbiosis(reference.name, None, None, "unknown_taxa")] * len(counts.sample_ids)
    distances = _distances(_ratios(dense, reference), reference.centre)
    rank = np.searchsorted(reference.distances, distances, side="right") / len(reference.distances)
    for i, distance, share in zip(rows, distances, rank, strict=True):
        found[i] = Dysbiosis(reference.name, float(distance), 100.0 * float(share))
    return found


def _aligned(counts: Counts, genera: Sequence[str]) -> tuple[Array, Array]:
    """Return samples × the given genera, and per sample the share that lies in them."""
    labels, sums = counts.genus_sums()
    at = {label.split("|")[1]: j for j, label in enumerate(labels)}
    own = np.zeros((len(sums), len(genera)))
    for j, genus in enumerate(genera):
        if genus in at:
            own[:, j] = sums[:, at[genus]]
    return own, own.sum(axis=1) / np.maximum(sums.sum(axis=1), 1e-300)


def _ratios(amounts: Array, reference: Reference) -> Shifted:
    row, column = np.nonzero(amounts)
    names = tuple(f"{j:06d}" for j in range(amounts.shape[1]))
    samples = tuple(str(i) for i in range(len(amounts)))
    table = Counts.of(samples, names, (row, column, amounts[row, column]), reference.unit)
    return clr(plus_pseudo(table, 0.5) if reference.unit == "counts" else replaced_zeros(table, reference.least))


def _distances(table: Shifted, centre: Array) -> Array:
    """Euclid of (base + data - centre), the absent cells summed in one step."""
    row = np.repeat(np.arange(len(table.base)), np.diff(table.indptr))
    gap = table.base[row] - centre[table.indices]
    change = (gap + table.data) ** 2 - gap**2
    absent = table.width * table.base**2 - 2.0 * table.base * centre.sum() + (centre**2).sum()
    squares = absent + np.bincount(row, weights=change, minlength=len(table.base))
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)))
