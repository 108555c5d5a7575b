"""Nested validation: our inner loop against scikit-learn's GridSearchCV over the same Pipeline, same folds, same rule.

`python benchmarks/search_cost.py [--subjects 200] [--seed 4]` prints, per outer fold, the configuration each chooses and the CPU
seconds of the search with the refit of its winner: over the catalogue's own grid, and over one with ten tree counts per ensemble.
It ends with 1 where a choice differs or a ratio is below 5.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from features.synthetic import simulate
from models.catalog import CANDIDATES, CATALOG, columns_of, pipeline
from training.problem import pose
from training.protocol import outer_splits
from training.selection import INNER_FOLDS, _one_standard_error, _per_subject, choose, configurations, encode, fit_entry
from training.splits import by_group

LEAST = 5.0


def ours(part, seed):
    choice = choose(part, CANDIDATES, seed=seed)
    entry = CATALOG[choice.winner.entry]
    _, Z = encode(part)
    fit_entry(entry, choice.winner.params, Z[columns_of(list(Z.columns), entry)], part.y, seed=seed)
    return choice.winner


def theirs(part, seed):
    """GridSearchCV fits the whole Pipeline for every configuration and fold; it is told our rule of one standard error."""
    offered, frame = configurations(CANDIDATES), part.design.frame()
    folds = by_group(part.subjects, INNER_FOLDS, seed=seed + 1, repeat=0, y=part.y).fold
    losses = []  # one array per configuration and fold, in the order in which GridSearchCV works (one job)

    def score(model, X, y):
        losses.append((y - model.predict(X)) ** 2)
        return -float(losses[-1].mean())

    def pick(results):
        table = np.full((len(offered), len(part.y)), np.nan)
        for at, found in enumerate(losses):
            table[at // len(np.unique(folds)), folds == at % len(np.unique(folds))] = found
        return _one_standard_error(_per_subject(table, part.subjects), range(len(offered)), specified=0)

    first = pipeline(CATALOG["additive"], {}, seed=seed, unit=part.design.unit, comparator=part.comparator)
    grid = [
        {"select__kw_args": [{"entry": CATALOG[c.entry]}], "model": [CATALOG[c.entry].make(c.params, seed)]}
        for c in offered
    ]
    search = GridSearchCV(first, grid, scoring=score, refit=pick, cv=PredefinedSplit(folds), n_jobs=1)
    return offered[search.fit(frame, part.y).best_index_]


def measured(search, part, seed):
    clock = time.process_time()
    winner = search(part, seed)
    return winner, time.process_time() - clock


def finer(steps):
    """The catalogue with `steps` tree counts per ensemble: to us they are prefixes of one fit, to GridSearchCV a fit each."""
    for name, entry in CATALOG.items():
        if entry.staged and not entry.reference:
            largest = max(params["n_estimators"] for params in entry.grid)
            rest = list(dict.fromkeys(tuple((k, v) for k, v in p.items() if k != "n_estimators") for p in entry.grid))
            counts = [largest * step // steps for step in range(1, steps + 1)]
            CATALOG[name] = replace(entry, grid=tuple({"n_estimators": n, **dict(own)} for own in rest for n in counts))


def compared(problem, title):
    spent, same = np.zeros(2), 0
    (split,) = outer_splits(problem, repeats=1, seed=0)
    with threadpool_limits(1):
        for k, train, _ in split.parts():
            found = [measured(search, problem.take(train), 0) for search in (ours, theirs)]
            spent += [seconds for _, seconds in found]
            agree = found[0][0] == found[1][0]
            same += agree
            told = " | ".join(f"{c.entry} {dict(c.params)} {seconds:.1f} s" for c, seconds in found)
            print(f"fold {k}: {told} | {'same' if agree else 'DIFFERENT'} choice", flush=True)
    folds, ratio = len(np.unique(split.fold)), spent[1] / spent[0]
    print(f"{title}: {problem.people} people, {len(configurations(CANDIDATES))} configurations, {folds} outer x {INNER_FOLDS} inner folds: "
          f"Vagus {spent[0]:.1f} s, GridSearchCV {spent[1]:.1f} s of CPU, ratio {ratio:.1f}; same choice in {same} of {folds} folds")  # fmt: skip
    return same == folds, ratio


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=200)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--tree-counts", type=int, default=10, help="steps of the finer grid")
    given = parser.parse_args()
    problem = pose(simulate(subjects=given.subjects, seed=given.seed)[0], "PHQ-9")
    same, own = compared(problem, "the catalogue's own grid")
    finer(given.tree_counts)
    same_too, ratio = compared(problem, f"{given.tree_counts} tree counts")
    return 0 if same and same_too and min(own, ratio) >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
