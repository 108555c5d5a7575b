"""People with several stool samples of one outcome: one row for the fit.

Two samples of one baseline are no two people. A model that is fitted on both, with the one outcome twice, learns to recognise the
person by the taxa, and calls what is left unexplained of that outcome a signal of the stool.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.counts import Array
from features.design import Design

Outcomes = npt.NDArray[np.int64]


def outcomes_of(design: Design, y: Array) -> Outcomes | None:
    """Return, for each of n rows, the number of its outcome, or None where each has its own.

    One outcome: the same value of the same person, at the same follow-up time (where that is not known: of the same baseline time).
    """
    people = np.unique(design.subject.astype(str), return_inverse=True)[1]
    ends = design.baseline_time + design.lag
    when = np.nan_to_num(np.where(np.isnan(ends), design.baseline_time, ends), nan=-1e9)
    found, number = np.unique(np.column_stack([people, when, y]), axis=0, return_inverse=True)
    return None if len(found) == len(y) else np.asarray(number, dtype=np.int64)


def one_row_each(Z: pd.DataFrame, y: Array, outcome: Outcomes | None) -> tuple[pd.DataFrame, Array]:
    """Return the encoded columns and the outcome with one row per outcome, the mean of its rows."""
    if outcome is None:
        return Z, y
    return Z.groupby(outcome).mean(), np.bincount(outcome, y) / np.bincount(outcome)
