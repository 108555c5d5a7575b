"""Are the claims kept? Increments on null cohorts, power on planted ones, coverage over many cohorts.

    python benchmarks/soak_claims.py [--cohorts 200] [--people 150] [--planted 40] [--planted-people 800]

The additive model alone, five folds, simulated cohorts (seeds from 1000 on, never used while the model was built). Promises:
an increment of the microbiome is shown in at most 8 % of null cohorts (16 of 200) and in at least 80 % of cohorts with a planted
effect; mean cross-fitted coverage of 90 % intervals lies in 0.89-0.92. Exit code 1 when one is broken.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from features.synthetic import World, simulate
from models.catalog import CATALOG, LIFESTYLE
from training.assess import held_out, interval_metrics
from training.increment import increments
from training.metrics import resamples
from training.problem import literature_for, pose
from training.protocol import INCREMENTS, NO_ARM, NO_LIFESTYLE, Evaluation, outer_splits
from training.selection import encode, fit_predict, known

# Model rows, their entry and the blocks they lack: all that the increments of a run compare, and correct for comparing.
FITS: dict[str, tuple[str, tuple[str, ...]]] = {
    "covariates": ("covariates", ()), "additive": ("additive", ()),
    NO_LIFESTYLE: ("covariates", LIFESTYLE), NO_ARM: ("covariates", ("arm",)),
}  # fmt: skip
PLANTED = World(microbiome=1.8, moderation=1.2, noise=3.0)


def one(seed: int, *, people: int, null: bool) -> tuple[bool, float]:
    """Return whether the microbiome's increment was shown, and the coverage, of one cohort."""
    with threadpool_limits(1):
        problem = pose(simulate(subjects=people, seed=seed, null=null, world=PLANTED)[0], "PHQ-9")
        problem = replace(problem, literature=literature_for(problem, "auto"))
        splits = outer_splits(problem, repeats=1, seed=seed)
        rows = {name: (np.empty((1, people)), np.empty((1, people))) for name in FITS}
        for _, train, rest in splits[0].parts():
            encoder, Z = encode(problem.take(train))
            _, W = encode(problem.take(rest), encoder)
            for name, (mean, sd) in rows.items():
                entry, without = FITS[name]
                mean[0, rest], sd[0, rest] = fit_predict(
                    CATALOG[entry], {}, Z, problem.y[train], W, seed=0, without=without, known=known(problem, encoder)
                )
        found = Evaluation(splits, {n: r[0] for n, r in rows.items()}, {n: r[1] for n, r in rows.items()}, ())
        weights = resamples(problem.subjects, seed=seed)
        gain = increments(problem.y, found.predictions, INCREMENTS, weights)[0]
        return gain.verdict == "shown", interval_metrics(problem, held_out(problem, found, "additive"), weights)[
            "coverage"
        ].estimate


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("cohorts", 200), ("people", 150), ("planted", 40), ("planted-people", 800)):
        parser.add_argument(f"--{name}", type=int, default=value)
    given = parser.parse_args()
    with ProcessPoolExecutor(2) as pool:
        null = list(pool.map(partial(one, people=given.people, null=True), range(1000, 1000 + given.cohorts)))
        real = list(pool.map(partial(one, people=given.people, null=False), range(3000, 3000 + given.cohorts)))
        planted = list(
            pool.map(partial(one, people=given.planted_people, null=False), range(5000, 5000 + given.planted))
        )
    false_claims, power = sum(shown for shown, _ in null), float(np.mean([shown for shown, _ in planted] or [np.nan]))
    coverage = float(np.mean([c for _, c in null + real]))
    print(f"null cohorts, n = {given.people}: increment shown in {false_claims} of {given.cohorts}")
    print(f"planted cohorts, n = {given.planted_people}: increment shown in {100 * power:.0f} % of {given.planted}")
    print(f"mean cross-fitted coverage over {2 * given.cohorts} cohorts, n = {given.people}: {coverage:.3f}")
    return 0 if false_claims <= 0.08 * given.cohorts and not power < 0.8 and 0.89 <= coverage <= 0.92 else 1


if __name__ == "__main__":
    raise SystemExit(main())
