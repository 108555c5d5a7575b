"""Taxa of simulated people: what lives in whom, which of it matters to whom, and how differently studies measure it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SimulatedTaxa:
    """The world's nature: mean log-abundances, the family of each genus, and which log-ratios matter to whom.

    `general` has the t weights of the log-ratio that matters to everybody, `special` t × (arms + 1): one under each arm and one under any of them;
    `alike` is the correlation of two arms' scores.
    """

    mean: Array
    family: npt.NDArray[np.int64]
    general: Array
    special: Array
    truth: str
    alike: float

    @classmethod
    def draw(
        cls, rng: np.random.Generator, lineages: list[str], arms: int, truth: str, side: int, alike: float
    ) -> Self:
        """Draw a world's nature; `side` genera, all of them abundant, stand on either side of a log-ratio."""
        families = [lineage.split(";g__")[0] for lineage in lineages]
        family = np.array([sorted(set(families)).index(name) for name in families])
        mean = rng.normal(0.0, 2.8, len(lineages))
        common = np.argsort(mean)[-45:]
        general = _balance(rng, common, family, truth, side)
        common = np.flatnonzero(general) if truth == "shared" else common
        drawn = [_balance(rng, common, family, truth, side) for _ in range(arms + 1)]
        return cls(mean, family, general, np.column_stack(drawn), truth, alike)

    def abundances(self, rng: np.random.Generator, people: int) -> Array:
        """Return people × t log-abundances; genera of a family go together."""
        shared = rng.normal(0.0, 0.7, (people, self.family.max() + 1))[:, self.family]
        return np.asarray(self.mean + shared + rng.normal(0.0, 1.1, (people, len(self.mean))))

    def effects(self, latent: Array) -> tuple[Array, Array]:
        """Return what log-abundances say: a score per person, and one per person and arm, all with sd 1."""
        z = latent - latent.mean(axis=0)
        scores = z @ np.column_stack([self.general, self.special])
        scores /= scores.std(axis=0)
        if self.truth == "threshold":  # a step: only people above a bar differ
            scores = (scores > 0.5).astype(float)
            scores = (scores - scores.mean(axis=0)) / scores.std(axis=0)
        return scores[:, 0], np.sqrt(1.0 - self.alike) * scores[:, 1:-1] + np.sqrt(self.alike) * scores[:, -1:]


def _balance(rng: np.random.Generator, common: Any, family: Any, truth: str, side: int) -> Array:
    weights = np.zeros(len(family))
    if truth == "family":
        up, down = rng.choice(np.unique(family[common]), 2, replace=False)
        weights[family == up], weights[family == down] = 1 / (family == up).sum(), -1 / (family == down).sum()
        return weights
    chosen = rng.choice(common, 2 * side, replace=False)
    weights[chosen[:side]], weights[chosen[side:]] = 1 / side, -1 / side
    return weights


def departures(seed: int, study: npt.NDArray[np.int64], columns: int) -> Array:
    """Return people × columns standard normal numbers, one and the same for all people of a study."""
    drawn = {s: np.random.default_rng([seed, int(s), 7]).normal(size=columns) for s in np.unique(study)}
    return np.array([drawn[s] for s in study])
