"""Who a run learned from, as a reader of the record may know it: no group of fewer than ten people is told apart.

Distribution of age and sex, what was missing and how it is filled, declared subgroups, and whether there were people
enough for what was looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import log
from typing import Any

import numpy as np

from features.cohort import Cohort
from features.design import Design
from models.intervals import labels_of, severity_cuts
from training.assess import HeldOut
from training.gates import LEAST_PEOPLE
from training.problem import Problem

SMALLEST_CELL = 10  # people: what concerns fewer is not written down
SHRINKAGE = 0.9  # expected shrinkage that sample-size guidance asks for (Riley et al. 2019, Stat Med 38:1262)
_MOST_PEOPLE = 1_000_000


def described(cohort: Cohort, problem: Problem) -> dict[str, Any]:
    """Return what `cohort.toml` says of a study, as it says it, and the demographics of the people used."""
    info = cohort.info
    design = {
        "title": info.title,
        "randomised": info.randomised,
        "comparator": problem.comparator,
        "outcome_time_unit": info.outcome_time_unit or info.time_unit,
        "taxonomy_database": info.taxonomy_database,
    }
    return {**info.extra, **design, "demographics": demographics(problem)}


def demographics(problem: Problem) -> dict[str, Any]:
    """Return median and quartiles of age and the number of people of each sex; what is not known is left out."""
    first = _first_rows(problem)
    life = problem.design.covariates
    ages = np.array(
        [life["age_years"][i] for i in first if isinstance(life["age_years"][i], float)] if "age_years" in life else []
    )
    sexes = [str(life["sex"][i]) for i in first if life["sex"][i] is not None] if "sex" in life else []
    found: dict[str, Any] = {}
    if len(ages) >= 2 * SMALLEST_CELL:  # so that neither half is of fewer
        low, median, high = np.quantile(ages, [0.25, 0.5, 0.75])
        found["age_years"] = {"people": len(ages), "median": float(median), "quartiles": [float(low), float(high)]}
    cells = safe_cells(Counter(sexes))
    return found | ({"sex": cells} if cells else {})


def rows_of_arms(design: Design) -> dict[str, int | None]:
    """Return the number of rows of each arm, null below SMALLEST_CELL."""
    rows = {str(arm): int((design.arm == arm).sum()) for arm in sorted(set(design.arm.tolist()))}
    return {arm: n if n >= SMALLEST_CELL else None for arm, n in rows.items()}


def safe_cells(counts: Mapping[str, int]) -> dict[str, int]:
    """Return counts of people with cells below SMALLEST_CELL put together as `other`; none where even that is too few.

    Where the small ones together are still too few, the smallest of the rest joins them, so that no count can be
    worked out by subtraction.
    """
    kept = dict(sorted(counts.items(), key=lambda cell: (-cell[1], cell[0])))
    other = sum(kept.pop(name) for name, people in counts.items() if people < SMALLEST_CELL)
    while 0 < other < SMALLEST_CELL and kept:
        other += kept.popitem()[1]
    if 0 < other < SMALLEST_CELL:
        return {}
    return kept | ({"other": other} if other else {})


def missing_data(problem: Problem) -> dict[str, Any]:
    """Return how blanks are filled, and the share of rows in which each input is blank (`few`: 1 to 9 rows)."""
    design, n = problem.design, len(problem.y)
    blank = {"baseline score": np.isnan(design.baseline), "stool sample": ~design.stool}
    blank |= {name: np.array([value is None for value in column]) for name, column in design.covariates.items()}
    shares: dict[str, float | str] = {}
    for name, is_blank in sorted(blank.items()):
        missing = int(is_blank.sum())
        shares[name] = "few" if 0 < missing < SMALLEST_CELL else round(missing / n, 4)
    method = (
        "a blank lifestyle value becomes the mean (level shares) of the training rows, with a column that says so where "
        "blanks are common; a row without stool has the average microbiome; all learned inside each fold"
    )
    return {"method": method, "share_of_rows": shares}


def subgroups(problem: Problem, held: HeldOut, declared: Sequence[str]) -> list[dict[str, Any]]:
    """Return mean absolute error and mean error, in points, of each group that was declared before the evaluation.

    Groups of fewer than LEAST_PEOPLE people are named without figures, those of fewer than ten without their number.
    """
    error = held.prediction.mean(axis=0) - problem.y
    rows: list[dict[str, Any]] = []
    for by in declared:
        labels = labels_of(problem.design, by, severity_cuts(problem.design))
        for group in sorted(set(labels.tolist()) - {""}):
            own = labels == group
            people = len(set(problem.subjects[own].tolist()))
            row: dict[str, Any] = {"by": by, "group": group, "people": people if people >= SMALLEST_CELL else None}
            if people >= LEAST_PEOPLE:
                row |= {"mae": float(np.abs(error[own]).mean()), "mean_error": float(error[own].mean())}
            rows.append(row)
    return rows


def sample_size(problem: Problem, r2: float | None) -> dict[str, Any]:
    """Return how many people a model without penalty on all candidate columns would need at the run's held-out R2.

    Needed: expected shrinkage of at least SHRINKAGE. Without a positive R2 no number of people is enough.
    """
    design = problem.design
    columns = 1 + len(set(design.arm.tolist())) - 1 + len(design.covariates) + len(design.genera)
    needed = people_needed(columns, r2) if r2 is not None and 0 < r2 < 1 else None
    met = needed is not None and problem.people >= needed
    source = (
        "Riley et al. 2019, Stat Med 38:1262, criterion 1; the models here are penalised, so this is on the safe side"
    )
    return {
        "people": problem.people,
        "candidate_columns": columns,
        "held_out_r2": r2,
        "shrinkage_target": SHRINKAGE,
        "people_needed": needed,
        "met": met,
        "source": source,
    }


def people_needed(columns: int, r2: float) -> int | None:
    """Return the least n whose expected shrinkage is SHRINKAGE, for some columns and a true R2; None beyond a million."""
    low, high = columns + 2, _MOST_PEOPLE
    if _shrinkage(high, columns, r2) < SHRINKAGE:
        return None
    while low < high:  # the shrinkage grows with n
        middle = (low + high) // 2
        low, high = (middle + 1, high) if _shrinkage(middle, columns, r2) < SHRINKAGE else (low, middle)
    return low


def _shrinkage(n: int, columns: int, r2: float) -> float:
    apparent = (r2 * (n - columns - 1) + columns) / (n - 1)
    return 1.0 + (columns - 2) / (n * log(1.0 - apparent))


def _first_rows(problem: Problem) -> list[int]:
    """Return one row per person: the first."""
    return sorted(np.unique(problem.subjects.astype(str), return_index=True)[1].tolist())
