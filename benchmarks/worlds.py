"""The simulated worlds of the benchmarks, and how near a prediction comes to the truth that is known in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import minimize

from features.blocks import site_reference
from features.instruments import INSTRUMENTS, reachable
from features.synthetic import World, simulate
from training.problem import literature_for, pose
from training.selection import to_fit

FRESH = 2000


@dataclass(frozen=True)
class Scenario:
    """A kind of world and the size of the training cohort."""

    title: str
    people: int
    world: World
    studies: int = 1
    null: bool = False
    literature: str = "auto"


def _world(
    microbiome: float, moderation: float, lifestyle: float, noise: float, personal: float, **other: Any
) -> World:
    """A world with a trial's untidiness: noise that grows with severity, people who were lost, people with two samples."""
    return World(microbiome, moderation, lifestyle, personal, noise, uneven=0.1, lost=0.1, twice=0.1, **other)


# Worlds A to H as `bench_peers` shows them: log-ratios of two genera against two, arms that have nothing in common but that the severe gain more.
OWN = {"alike": 0.0, "sicker": 0.4, "side": 2, "arm_effects": 1.3}
SMALL = _world(1.0, 0.7, 0.7, 3.25, 0.6, arms=("placebo", "probiotic"))
SCENARIOS = {
    "A": Scenario("easy, strong effects", 2000, _world(1.7, 2.0, 1.0, 2.2, 0.8, **OWN | {"arm_effects": 1.2})),
    "B": Scenario("realistic, most of it from baseline", 300, _world(1.0, 0.8, 0.8, 3.4, 0.7, **OWN | {"arm_effects": 1.2})),
    "C": Scenario("small two-arm trial", 60, SMALL),
    "C0": Scenario("the same without published priors", 60, SMALL, literature="none"),
    "D": Scenario("6 studies, tested on 8 unseen", 900, _world(1.3, 1.3, 1.15, 3.4, 0.8, **OWN, study_level=0.5), studies=6),
    "E": Scenario("null: the microbiome says nothing", 800, _world(0.0, 0.0, 1.1, 3.1, 0.9, **OWN), null=True),
    "F": Scenario("5,000 ASVs", 800, _world(1.4, 1.7, 0.95, 3.0, 0.7, **OWN, asv_per_genus=23)),
    "G": Scenario("the arm follows severity and age", 1200, _world(1.2, 1.6, 1.0, 3.4, 1.0, **OWN, confounded=0.5)),
    "H": Scenario("served older, sicker, more antibiotics, fewer reads", 1000,
                  _world(1.4, 1.6, 0.85, 3.2, 0.9, **OWN | {"arm_effects": 1.5}, shift=1.0)),
    "D8": Scenario("an earlier D: eight genera a log-ratio, arms in part alike", 900, _world(1.5, 1.0, 1.05, 3.4, 0.75), studies=6),
    "F8": Scenario("an earlier F: eight genera a log-ratio, arms in part alike", 800, _world(1.5, 1.3, 0.95, 3.0, 0.75, asv_per_genus=23)),
    "G8": Scenario("an earlier G: eight genera a log-ratio, arms in part alike", 1200, _world(1.2, 1.3, 1.0, 3.4, 0.75, confounded=0.5)),
    "H8": Scenario("an earlier H: eight genera a log-ratio, arms in part alike", 1000, _world(1.5, 1.0, 0.95, 3.2, 0.75, shift=1.0)),
    "P": Scenario("arms act through the genera that matter anyway", 800, _world(1.5, 1.3, 0.95, 3.0, 0.75, truth="shared")),
    "S": Scenario("two genera carry it (sparse)", 800, _world(1.5, 1.3, 0.95, 3.0, 0.75, side=1)),
    "T": Scenario("thresholds, not log-linear", 1000, _world(1.5, 1.3, 0.95, 3.0, 0.75, truth="threshold")),
    "W": Scenario("whole families carry it", 800, _world(1.5, 1.3, 0.95, 3.0, 0.75, truth="family")),
    "J": Scenario("lifestyle that matters only jointly", 800, _world(1.2, 1.0, 1.8, 3.0, 0.75, truth="together")),
}  # fmt: skip


def drawn(scenario: Scenario, seed: int):
    """Return a world's training cohort as a problem, a fresh cohort of FRESH people, and what is expected of these under each arm."""
    cohort, _ = simulate(
        subjects=scenario.people, seed=seed, studies=scenario.studies, null=scenario.null, world=scenario.world
    )
    fresh, truth = simulate(
        subjects=FRESH,
        seed=seed,
        studies=8 if scenario.studies > 1 else 1,
        null=scenario.null,
        world=replace(scenario.world, twice=0.0, lost=0.0),
        population=1,
    )
    problem = pose(cohort, "PHQ-9")
    problem = replace(problem, literature=literature_for(problem, scenario.literature))
    return problem, fresh, np.array(truth["expected_change"]).reshape(FRESH, -1)


def encoded(problem, fresh, arms):
    """Return the training rows' columns and outcome, and the fresh people's columns under each arm, new studies centred on themselves."""
    encoder, Z, y = to_fit(problem)
    design, encoding = fresh.design("PHQ-9"), encoder.encoding_
    found = {arm: np.empty((len(design), 0)) for arm in arms}
    for study in sorted(set(design.study.tolist())):
        rows = np.flatnonzero(design.study == study)
        part = design.take(rows)
        site = None if study in encoding.studies else site_reference(encoding, part, study)
        for arm in arms:
            columns = encoder.encode(part.with_arm(arm), site)
            if not found[arm].size:
                found[arm] = columns.reindex(range(len(design)))
            found[arm].iloc[rows] = columns.to_numpy()
    return encoder, Z[list(columns.columns)], y, found


def captured(prediction, truth) -> float:
    """Return the share of the predictable variance captured."""
    return 1 - float(np.mean((prediction - truth) ** 2) / np.var(truth))


def benefit(means, chosen) -> float:
    """Return what a choice of an arm for each gains over placebo for all, as a share of what could be gained."""
    placebo = means[:, 0].mean()
    return float((placebo - means[np.arange(len(means)), chosen].mean()) / (placebo - means.min(axis=1).mean()))


def told_apart(means, predicted) -> float:
    """Return the mean correlation of predicted with true effects of the arms."""
    effects = [
        np.corrcoef(*(table[:, a] - table[:, 0] for table in (predicted, means)))[0, 1]
        for a in range(1, means.shape[1])
    ]
    return float(np.mean(effects))


def true_width(design, truth) -> float:
    """Return the mean width of 90 % intervals around the truth, noise log-linear in severity, within the reachable range."""
    off, z = design.change - truth, (design.baseline - design.baseline.mean()) / design.baseline.std()

    def unlikely(sd):
        return (sd[0] + sd[1] * z).sum() + 0.5 * (off**2 * np.exp(-2.0 * (sd[0] + sd[1] * z))).sum()

    start, slope = minimize(unlikely, [np.log(off.std()), 0.0]).x
    half = np.exp(start + slope * z)
    half *= np.quantile(np.abs(off) / half, 0.9)
    low, high = reachable(INSTRUMENTS["PHQ-9"])
    return float(
        (np.minimum(truth + half, high - design.baseline) - np.maximum(truth - half, low - design.baseline)).mean()
    )
