"""Folds by subject, always; whole studies for leave-one-study-out. A subject in two partitions is an error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.design import Design
from features.digest import rows_digest
from features.errors import Refused, invalid

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Split:
    """One repeat's partition of the rows: `fold[i]` is the fold in which row i is held out."""

    repeat: int
    fold: Rows

    def parts(self) -> Iterator[tuple[int, Rows, Rows]]:
        """Yield (fold, training rows, held-out rows)."""
        for k in np.unique(self.fold):
            yield int(k), np.flatnonzero(self.fold != k), np.flatnonzero(self.fold == k)


def by_group(
    groups: npt.NDArray[np.object_], folds: int, *, seed: int, repeat: int, y: npt.NDArray[np.float64]
) -> Split:
    """Return folds of whole groups, balanced in size and in the groups' mean outcome.

    Groups are sorted by mean outcome and dealt in blocks of `folds`, each block in random order: every fold sees the whole
    range of outcomes. At least two groups per fold are needed, fewer folds are made otherwise.
    """
    names, index = np.unique(groups.astype(str), return_inverse=True)
    folds = max(2, min(folds, len(names) // 2 or 2))
    rng = np.random.default_rng([seed, repeat])
    mean = np.bincount(index, weights=y) / np.bincount(index)
    order = np.lexsort((rng.random(len(names)), mean))
    deal = np.concatenate([rng.permutation(folds) for _ in range(-(-len(names) // folds))])[: len(names)]
    fold_of = np.empty(len(names), dtype=np.int64)
    fold_of[order] = deal
    return Split(repeat, fold_of[index])


def by_study(studies: npt.NDArray[np.object_]) -> Split:
    """Return one fold per study (leave one study out)."""
    return Split(0, np.unique(studies.astype(str), return_inverse=True)[1].astype(np.int64))


def verify(split: Split, groups: npt.NDArray[np.object_]) -> None:
    """Raise Refused when a group has rows in two folds of one repeat."""
    for group in np.unique(groups.astype(str)):
        if len(np.unique(split.fold[groups.astype(str) == group])) > 1:
            raise Refused(
                "subject_in_two_folds",
                "leak: a subject has rows in two folds, so the model is tested on people it was trained on. "
                "Give every row of a subject the same fold.",
            )


def read_own(path: Path, design: Design) -> Split:
    """Return the user's own folds: a table with `fold` and `subject_id` or, for folds by row, `sample_id`.

    Raises InvalidInput when a row of the problem has no fold. Folds that cut a subject are refused by `verify`.
    """
    try:
        table = pd.read_csv(path, sep="\t", dtype=str)
    except (OSError, ValueError) as error:
        raise invalid(
            "splits_unreadable", "the table of folds cannot be read", "Give a tab-separated file", file=str(path)
        ) from error
    key = next((name for name in ("sample_id", "subject_id") if name in table), "")
    if not key or "fold" not in table:
        raise invalid(
            "splits_columns",
            "the table of folds lacks a column",
            "Give fold and subject_id (or sample_id)",
            file=str(path),
        )
    fold_of = dict(zip(table[key], table["fold"], strict=True))
    own = [fold_of.get(name) for name in (design.sample if key == "sample_id" else design.subject)]
    if None in own:
        raise invalid(
            "splits_incomplete",
            f"{own.count(None)} rows have no fold",
            "Give every one a fold",
            file=str(path),
            column=key,
        )
    return Split(0, np.unique(np.array(own), return_inverse=True)[1].astype(np.int64))


def digest(splits: list[Split], subjects: npt.NDArray[np.object_]) -> str:
    """Return the digest of the split table (repeat, fold, subject)."""
    return rows_digest([s.repeat, int(k), str(who)] for s in splits for k, who in zip(s.fold, subjects, strict=True))
