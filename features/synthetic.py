"""Simulated cohorts with known truth, for the demo, the tests and the benchmarks. No real person is behind any row.

A world: log-abundances with shared family factors, measured differently by each study, multinomial reads; lifestyle; a latent severity
measured with error at baseline; a follow-up that regresses to the mean, moves with arm, lifestyle and (unless `null`)
log-ratios of genera, some of them only under one arm. Scores are PHQ-9, whole numbers from 0 to 27.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from features.cohort import Cohort, CohortInfo
from features.counts import Counts
from features.design import Objects
from features.simulated_lifestyle import lifestyle, who_gains
from features.simulated_taxa import SimulatedTaxa, departures

Array = npt.NDArray[np.float64]

ARMS: tuple[str, ...] = ("placebo", "probiotic", "prebiotic_fibre", "fermented_food", "mediterranean_diet")
ARM_POINTS = {
    "placebo": 0.0, "probiotic": -0.8, "prebiotic_fibre": -0.8, "fermented_food": -1.1, "mediterranean_diet": -1.5
}  # fmt: skip
SEVERITY, MEASURED = 4.2, 2.2  # sd of true severity and of its measurement at baseline, in points
LASTING = 0.72 * SEVERITY  # what of the severity is still there at follow-up
TRUTHS = ("linear", "threshold", "family", "shared", "together")


@dataclass(frozen=True)
class World:
    """What is true in a simulated world; sizes are standard deviations in PHQ-9 points.

    `moderation`: how much taxa decide whom an arm helps, `personal`: how much lifestyle and severity do.
    `study_shift`: how differently studies measure one and the same community, in log units; `study_level`: how much worse or better a whole study
    does, which nobody can foresee. `alike`: the correlation between two active arms of whom they help, before `sicker`: by how much every arm
    helps the more severe more, beside all other weights of `personal` together; `arm_effects`: how many times as strong as `ARM_POINTS` arms
    are on average; `side`: how many genera stand on either side of a log-ratio.
    `truth`: `linear` log-ratios of genera, `threshold` steps in them and in lifestyle, `family` whole families, `shared` arms that act through
    the genera that matter anyway, `together` lifestyle that matters in pairs. `confounded`: how strongly severity and age decide the arm (0 =
    randomised). `shift`: how much older and sicker another population is, with more antibiotics and fewer reads (0 = alike). `twice`: the share of
    people with two stool samples at baseline, each with a row for the one outcome. `uneven`: how much more noise, and how many more gaps in their
    lifestyle, the more severe have. `lost`: the share of people whose follow-up never came, the more severe more often.
    """

    microbiome: float = 1.6
    moderation: float = 1.2
    lifestyle: float = 1.2
    personal: float = 0.0
    noise: float = 3.0
    arms: tuple[str, ...] = ARMS
    truth: str = "linear"
    study_shift: float = 0.6
    asv_per_genus: int = 1
    missing: float = 0.08
    confounded: float = 0.0
    shift: float = 0.0
    twice: float = 0.0
    uneven: float = 0.0
    lost: float = 0.0
    alike: float = 0.25
    sicker: float = 0.0
    arm_effects: float = 1.0
    side: int = 4
    study_level: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a kind of truth that there is not."""
        if self.truth not in TRUTHS:
            raise ValueError(f"truth is one of {', '.join(TRUTHS)}")

    def noise_at(self, severity: Array) -> Array:
        """Return the sd of a follow-up, in points, at latent severities in sds."""
        return np.asarray(self.noise * np.exp(self.uneven * np.clip(severity, -2.5, 2.5)))


def simulate(*, subjects: int, seed: int, studies: int = 1, null: bool = False, world: World | None = None,
             population: int = 0) -> tuple[Cohort, dict[str, list[Any]]]:  # fmt: skip
    """Return a cohort and its truth table: per subject and arm, the expected change.

    `seed` draws the world (which taxa matter) and, with `population`, the people: another population of the same seed is a
    fresh sample of the same world. The truth table holds E[change | observed baseline, taxa, lifestyle, arm], the taxa as they are, whatever a study makes
    of them in measuring, and the study's own level taken as 0. `null`: the microbiome says nothing beyond lifestyle.
    """
    world = world or World()
    nature, people = np.random.default_rng([seed, 1]), np.random.default_rng([seed, 2, population])
    taxa = SimulatedTaxa.draw(nature, _lineages(), len(world.arms), world.truth, world.side, world.alike)
    study = people.integers(studies, size=subjects) + (100 * population if studies > 1 else 0)
    latent = taxa.abundances(people, subjects)
    # How each study differs from the others: per taxon in what it measures, and (last) in how its people do.
    own = departures(seed, study, latent.shape[1] + 1) * (studies > 1)
    measured = latent + world.study_shift * own[:, :-1]
    shift = world.shift if population else 0.0
    life, effect = lifestyle(people, subjects, shift, world.truth)
    severity = people.normal(size=subjects) + 0.5 * shift
    baseline = np.clip(np.round(13 + SEVERITY * severity + people.normal(0, MEASURED, subjects)), 3, 27)
    arm = people.integers(len(world.arms), size=subjects)
    if world.confounded:
        arm = _chosen_arm(people, world, (baseline - 13) / SEVERITY + (life["age_years"] - 42) / 13)
    shared = 11.3 + LASTING * severity + world.lifestyle * effect
    centre = _centres(taxa, latent, shared, null, world)
    gains, by_severity = who_gains(nature, life, severity, len(world.arms), world.alike, world.sicker)
    centre += world.personal * gains
    slope = LASTING + world.personal * by_severity
    drawn = centre[np.arange(subjects), arm] + people.normal(0, 1, subjects) * world.noise_at(severity)
    drawn += world.study_level * own[:, -1]
    names = np.array([f"S{population}{i:05d}" for i in range(subjects)], dtype=object)
    row, ids = _samples(people, names, world)
    counts = _reads(people, measured[row], ids, _lineages(), world, shift)
    scores = (baseline, np.clip(np.round(drawn), 0, 27))
    cohort = _tables(people, names, row, study, studies, np.array(world.arms, dtype=object)[arm], life, scores, counts, world,
                     np.exp(severity - severity.mean() - 0.5))  # fmt: skip
    seen = _seen(centre, severity, baseline, world, 0.5 * shift, slope) - baseline[:, None]
    return cohort, {
        "subject_id": np.repeat(names, len(world.arms)).tolist(), "arm": list(world.arms) * subjects, "expected_change": seen.ravel().tolist(),
    }  # fmt: skip


def _samples(rng: np.random.Generator, names: Objects, world: World) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return whose each sample is, and its id; who gave two samples comes again at the end."""
    n = len(names)
    again = np.flatnonzero(rng.random(n) < world.twice) if world.twice else np.arange(0)
    row = np.append(np.arange(n), again)
    return row, [f"{names[i]}.stool{'' if at < n else '.2'}" for at, i in enumerate(row)]


def _chosen_arm(rng: np.random.Generator, world: World, leaning: Array) -> npt.NDArray[np.int64]:
    """Return arms that the more severe and older choose from the end of the list, by a softmax of their leaning."""
    place = np.linspace(-1.0, 1.0, len(world.arms))
    liking = world.confounded * leaning[:, None] * place + rng.gumbel(size=(len(leaning), len(place)))
    return np.asarray(liking.argmax(axis=1))


def _centres(taxa: SimulatedTaxa, latent: Array, shared: Array, null: bool, world: World) -> Array:
    """Return the people × arms means of the unrounded follow-up score; the first arm moderates nothing."""
    signal, moderated = taxa.effects(latent)
    points = world.arm_effects * np.array([ARM_POINTS.get(arm, -1.0) for arm in world.arms])
    active = np.arange(len(world.arms)) > 0
    micro = world.microbiome * signal[:, None] + world.moderation * moderated * active
    return np.asarray(shared[:, None] + points + (0.0 if null else micro))


def _seen(centre: Array, severity: Array, baseline: Array, world: World, usual: float,
          slope: Array) -> Array:  # fmt: skip
    """Return the people × arms expected scores given the observed baseline: the latent severity is not seen.

    Severity given baseline is normal (both are, but for rounding and the ends of the scale); `usual` is its mean, `slope` the points per
    arm that it moves the follow-up by.
    """
    share = SEVERITY**2 / (SEVERITY**2 + MEASURED**2)
    guess = usual + share * ((baseline - 13) / SEVERITY - usual)
    left = slope * np.sqrt(1 - share)
    return _expected_score(centre + (guess - severity)[:, None] * slope, np.hypot(world.noise_at(guess)[:, None], left))


def _expected_score(centre: Array, noise: Array) -> Array:
    """E[clip(round(N(centre, noise)), 0, 27)] = sum of P(score > k)."""
    return np.asarray(sum(norm.sf((k + 0.5 - centre) / noise) for k in range(27)))


def _lineages() -> list[str]:
    text = files("features.data").joinpath("simulated_genera.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def _reads(rng: np.random.Generator, latent: Array, samples: list[str], lineages: list[str], world: World,
           shift: float) -> Counts:  # fmt: skip
    share = np.exp(latent - latent.max(axis=1, keepdims=True))
    if world.asv_per_genus > 1:
        k, t = world.asv_per_genus, len(lineages)
        share = (share[:, :, None] * rng.dirichlet(np.full(k, 0.3), size=(len(samples), t))).reshape(len(samples), -1)
        lineages = [lineage for lineage in lineages for _ in range(k)]
    depth = np.clip(rng.lognormal(10.0 - 0.8 * shift, 0.7, len(samples)), 5_000, 100_000).astype(int)
    reads = rng.multinomial(depth, share / share.sum(axis=1, keepdims=True))
    row, column = np.nonzero(reads)
    return Counts.of(tuple(samples), tuple(lineages), (row, column, reads[row, column]), "counts")


def _tables(rng: np.random.Generator, names: Objects, row: Any, study: Any, studies: int, arm: Objects, life: dict[str, Array],
            scores: tuple[Array, Array], counts: Counts, world: World, sicker: Array) -> Cohort:  # fmt: skip
    """`sicker`: how severe each of the people is, 1 on average."""
    n, who, (baseline, follow_up) = len(row), names[row], (score[row] for score in scores)
    sample = np.array(counts.sample_ids, dtype=object)
    columns = {
        name: _holes(rng, column, world.missing * (name not in ("age_years", "sex")) * sicker**world.uneven)
        for name, column in life.items()
    }
    columns["sex"] = np.array(["female" if value else "male" for value in life["sex"]], dtype=object)
    samples = {"sample_id": sample, "subject_id": who, "time": _full(n, 0.0), "arm": arm[row]}
    if studies > 1:
        samples["study"] = np.array([f"study_{s}" for s in study[row]], dtype=object)
    outcomes = {
        "subject_id": who, "sample_id": sample, "instrument": _full(n, "PHQ-9"), "baseline_time": _full(n, 0.0),
        "baseline_score": baseline.astype(object), "followup_time": _full(n, 8.0), "followup_score": follow_up.astype(object),
        "change": (follow_up - baseline).astype(object), "label": _full(n, None),
    }  # fmt: skip
    came = (rng.random(len(names)) >= world.lost * sicker)[row] if world.lost else np.full(n, True)
    outcomes = {name: column[came] for name, column in outcomes.items()}
    info = CohortInfo(
        title="Simulated cohort (no real people)", randomised=True, comparator=world.arms[0], time_unit="week"
    )
    return Cohort(
        info, samples, {"subject_id": names, "sample_id": _full(len(names), None), **columns}, outcomes, counts
    )


def _holes(rng: np.random.Generator, column: Array, share: Array) -> Objects:
    cells = np.array(column.tolist(), dtype=object)
    cells[rng.random(len(cells)) < share] = None
    return cells


def _full(n: int, value: Any) -> Objects:
    return np.full(n, value, dtype=object)
