"""A cohort without the people who have withdrawn: no row, no sample and no trace in the digest is left of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from features.cohort import Cohort
from features.counts import Counts
from features.design import Columns


def without(cohort: Cohort, people: set[str]) -> Cohort:
    """Return the cohort without some people (subject ids); the very same cohort when there are none."""
    if not people:
        return cohort
    samples, lifestyle, outcomes = (
        _others(table, people) for table in (cohort.samples, cohort.lifestyle, cohort.outcomes)
    )
    kept = set(samples["sample_id"].tolist())
    counts, functions = _only(cohort.counts, kept), _only(cohort.functions, kept)
    return replace(cohort, samples=samples, lifestyle=lifestyle, outcomes=outcomes, counts=counts, functions=functions)


def _only(table: Counts | None, samples: set[str]) -> Counts | None:
    return None if table is None else table.only(samples)


def _others(table: Columns, people: set[str]) -> Columns:
    rows = np.flatnonzero([subject not in people for subject in table["subject_id"]])
    return {column: values[rows] for column, values in table.items()}
