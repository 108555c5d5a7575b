"""What contributions of trees cost, and what Shapley values of a random forest would.

`python benchmarks/bench_trees.py [--subjects 1500] [--seed 11] [--rounds 5]` fits the catalogue's largest XGBoost (stumps, depth 3)
and random forest, and prints the CPU ms of one row and of 1,000 other people (one thread, smallest of the rounds) with all trees as
one contribution and with contributions per feature, and once for a process the first answer. Of the forest it also works out exact
Shapley values for some people, and how its served points compare. It ends with 1 where points and origin do not sum to the
prediction within 1e-6, or XGBoost's are more than 1e-5 from its own.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits
from xgboost import DMatrix

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from features.synthetic import World, simulate
from models.catalog import CATALOG, columns_of
from models.export import to_core
from models.segments import contribution_of
from models.shapley import shapley
from training.problem import pose
from training.selection import encode, fit_entry

WORLD = World(microbiome=2.5, moderation=2.0, noise=2.0)
NAMES = ("stumps", "depth 3", "forest")
FEW = 10  # people for whom a forest's Shapley values are worked out


def fitted(subjects, seed):
    """Return name -> model and core, and the encoded blocks of 1,000 people of the same world."""
    problem = pose(simulate(subjects=subjects, seed=seed, world=WORLD)[0], "PHQ-9")
    encoder, Z = encode(problem)
    columns = columns_of(list(Z.columns), CATALOG["xgboost"])
    largest = {depth: [p for p in CATALOG["xgboost"].grid if p["max_depth"] == depth][-1] for depth in (1, 3)}
    wanted = [("xgboost", largest[1]), ("xgboost", largest[3]), ("random_forest", CATALOG["random_forest"].grid[-1])]
    models = [fit_entry(CATALOG[entry], params, Z[columns], problem.y, seed=0) for entry, params in wanted]
    fresh = pose(simulate(subjects=1000, seed=seed, world=WORLD, population=1)[0], "PHQ-9").design
    cores = [to_core(model, columns) for model in models]
    return dict(zip(NAMES, zip(models, cores, strict=True), strict=True)), encoder.encoding_.blocks(fresh)


def cpu_ms(work, times=1):
    clock = time.process_time()
    for _ in range(times):
        found = work()
    return 1e3 * (time.process_time() - clock) / times, found


def costs(core, parts, rounds):
    """Print CPU ms: one row and all rows, first without, then with contributions; and the first answer of a process."""
    one = {block: part[:1].copy() for block, part in parts.items()}
    bare, found = replace(core, cover=None), []
    first = cpu_ms(lambda: core.moments(one))[0]
    for _ in range(rounds):
        row = [cpu_ms(lambda which=which: which.moments(one), 20)[0] for which in (bare, core)]
        found.append([*row, *(cpu_ms(lambda which=which: which.moments(parts))[0] for which in (bare, core))])
    return [*np.min(found, axis=0), first]


def boxes(core):
    """Return, for each leaf and column of its path (L × M): column, lower and upper bound, share of training people; and its value."""
    leaves = []
    for root in core.roots.tolist():
        ways = [(root, {})]
        while ways:
            node, path = ways.pop()
            if (column := int(core.feature[node])) < 0:
                leaves.append((core.value[node], path))
                continue
            low, high, share = path.get(column, (-np.inf, np.inf, 1.0))
            left, right, bar = core.left[node], core.right[node], core.threshold[node]
            ways.append((left, {**path, column: (low, min(high, bar), share * core.cover[left] / core.cover[node])}))
            ways.append((right, {**path, column: (max(low, bar), high, share * core.cover[right] / core.cover[node])}))
    longest = max(len(path) for _, path in leaves)
    rows = [
        [*((c, *b) for c, b in path.items()), *[(0, -np.inf, np.inf, 1.0)] * (longest - len(path))]
        for _, path in leaves
    ]
    column, low, high, share = np.moveaxis(np.array(rows), 2, 0)
    return column.astype(int), low, high, share, np.array([value for value, _ in leaves])


def exact(core, X):
    """Return the forest's Shapley values, n × p."""
    column, low, high, share, value = boxes(core)
    clock, found = time.process_time(), np.zeros(X.shape)
    for i, x in enumerate(X):
        holds = (x[column] > low) & (x[column] <= high)
        found[i] = np.bincount(column.ravel(), shapley(holds, share, value).ravel(), X.shape[1])
    return found, 1e3 * (time.process_time() - clock) / len(X)


def by_block(core, parts, points):
    owner = np.array([contribution_of(block) for block in core.columns for _ in range(parts[block].shape[1])])
    return {name: points[:, owner == name].sum(axis=1) for name in dict.fromkeys(owner)}


def forest_against_exact(core, parts):
    few = {block: part[:FEW] for block, part in parts.items()}
    X = np.concatenate([few[block] for block in core.columns], axis=1).astype(np.float32).astype(float)
    points, ms = exact(core, X)
    change = core.moments(few).change
    origin = change - points.sum(axis=1)
    print(
        f"\nShapley values of the forest: {ms:.0f} ms a row; their origin differs by {np.ptp(origin):.1e} between people"
    )
    ours, theirs = (by_block(core, few, found) for found in (core.column_points(few), points))
    print(
        "| contribution | mean size, Shapley | mean difference of the served one | correlation |\n|---|---:|---:|---:|"
    )
    for name, expected in theirs.items():
        off = np.abs(ours[name] - expected).mean()
        print(f"| {name} | {np.abs(expected).mean():.3f} | {off:.3f} | {np.corrcoef(ours[name], expected)[0, 1]:.2f} |")
    return bool(np.ptp(origin) < 1e-6)


def sums(model, core, parts):
    """Whether points and origin sum to the prediction, and XGBoost's are those it gives itself."""
    points, _, change = core.moments(parts)
    fine = np.abs(sum(points.values()) - change).max() < 1e-6
    if core.strict:
        X = np.concatenate([parts[block] for block in core.columns], axis=1)
        own = model.get_booster().predict(DMatrix(X), pred_contribs=True)[:, :-1]
        gap = np.abs(core.column_points(parts) - own).max()
        print(f"largest difference from pred_contribs: {gap:.1e}")
        fine &= gap < 1e-5
    return fine


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subjects", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with threadpool_limits(1):
        models, parts = fitted(given.subjects, given.seed)
        print(
            "| CPU ms | leaves | one row, bare | with contributions | 1,000 rows, bare | with contributions | first answer |"
        )
        print("|---|---:|---:|---:|---:|---:|---:|")
        for name, (_, core) in models.items():
            spent = " | ".join(f"{ms:.2f}" for ms in costs(core, parts, given.rounds))
            print(f"| {name} | {int((core.feature < 0).sum())} | {spent} |")
        fine = [sums(model, core, parts) for model, core in models.values()]
        fine.append(forest_against_exact(models["forest"][1], parts))
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
