"""Are two runs about the same people in the same folds? Only then may their scores be paired."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.audit.runs import Answers

Integers = npt.NDArray[np.int64]
Key = tuple[str, int, float, float]


@dataclass(frozen=True, eq=False)
class Aligned:
    """The rows two runs share, in one order, and why they are `refused` a comparison (empty: they are not).

    `folds` says whether the shared repeats have the same folds; without, fold-wise tests do not apply.
    """

    first: Answers
    second: Answers
    folds: bool
    refused: tuple[str, ...]
    people: int
    left_out: int


def align(first: Answers, second: Answers, *, common: bool) -> Aligned:
    """Return what can be paired; with `common`, only the overlap is kept and nothing is refused but emptiness."""
    keys = _keys(first), _keys(second)
    places = [{key: place for place, key in enumerate(own)} for own in keys]
    shared = [key for key in keys[0] if key in places[1]]
    rows = [np.array([place[key] for key in shared], dtype=np.int64) for place in places]
    repeats = _same_repeats(first, second, rows[0], rows[1])
    whole = len(shared) == len(keys[0]) == len(keys[1])
    folds = len(repeats) > 0 and (common or len(repeats) == len(first.fold) == len(second.fold))
    refused = [] if common else [*_people_differ(keys, shared), *([] if folds or not whole else [_FOLDS])]
    if not shared:
        refused = ["the runs have no outcome row of the same person in common"]
    kept = [repeats if folds else np.arange(len(own.fold)) for own in (first, second)]
    parts = first.take(rows[0], kept[0]), second.take(rows[1], kept[1])
    left_out = len(keys[0]) + len(keys[1]) - 2 * len(shared)
    return Aligned(*parts, folds, tuple(refused), len(set(parts[0].subject)), left_out)


_FOLDS = "the people are the same, but were held out in other folds"


def _keys(answers: Answers) -> list[Key]:
    """Return who a row is about: person, which of the person's rows, and the outcome it must have in both runs."""
    seen: Counter[str] = Counter()
    keys = []
    for subject, y, baseline in zip(answers.subject, answers.y, answers.baseline, strict=True):
        keys.append((str(subject), seen[subject], float(y), float(np.nan_to_num(baseline, nan=-1e300))))
        seen[subject] += 1
    return keys


def _people_differ(keys: tuple[list[Key], list[Key]], shared: list[Key]) -> list[str]:
    people = [{key[0] for key in own} for own in keys]
    said = []
    if people[0] != people[1]:
        only = len(people[0] - people[1]), len(people[1] - people[0])
        said.append(f"the people differ: {only[0]} only in the first run, {only[1]} only in the second")
    elif not len(shared) == len(keys[0]) == len(keys[1]):
        said.append("the people are the same, but some of their outcome rows differ")
    return said


def _same_repeats(first: Answers, second: Answers, rows: Integers, others: Integers) -> Integers:
    """Return the repeats in which every shared row was held out in the same fold in both runs."""
    count = min(len(first.fold), len(second.fold))
    same = (first.fold[:count][:, rows] == second.fold[:count][:, others]).all(axis=1)
    return np.flatnonzero(same)
