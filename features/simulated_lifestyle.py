"""Lifestyle of simulated people: what they eat, how they sleep and move, and what that means for them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

MODIFIERS = {  # mean and sd of columns that decide whom an arm helps; fibre is logged
    "age_years": (42.0, 13.0),
    "sex": (0.5, 0.5),
    "bmi": (26.0, 4.5),
    "fibre_g_day": (2.9, 0.4),
    "fermented_servings_day": (0.96, 0.88),
    "sleep_h": (7.0, 1.1),
    "exercise_min_week": (105.0, 86.0),
    "ssri": (0.35, 0.48),
}


def lifestyle(rng: np.random.Generator, n: int, shift: float, truth: str) -> tuple[dict[str, Array], Array]:
    """Return the lifestyle columns and their joint effect, scaled to sd 1 in a population that is not shifted (positive = worse)."""
    fibre = np.round(np.minimum(rng.lognormal(2.9, 0.4, n), 100.0), 1)  # more is not plausible, and refused
    sleep = np.round(np.clip(rng.normal(7.0, 1.1, n), 3, 12), 1)
    life = {
        "age_years": np.round(np.clip(rng.normal(42 + 10 * shift, 13, n), 18, 85)), "sex": rng.integers(2, size=n).astype(float),
        "bmi": np.round(np.clip(rng.normal(26, 4.5, n), 16, 50), 1), "fibre_g_day": fibre, "sleep_h": sleep,
        "fermented_servings_day": np.round(rng.gamma(1.2, 0.8, n), 1), "exercise_min_week": np.round(rng.gamma(1.5, 70, n)),
        "antibiotics_3m": (rng.random(n) < 0.12 + 0.2 * shift).astype(float), "ssri": (rng.random(n) < 0.35).astype(float),
        "smoking": (rng.random(n) < 0.2).astype(float), "alcohol_units_week": np.round(rng.gamma(1.0, 5.0, n), 1),
    }  # fmt: skip
    if truth == "threshold":
        steps = (
            1.2 * (life["sleep_h"] < 6)
            - (fibre > 22)
            - 0.8 * (life["exercise_min_week"] > 150)
            + 0.8 * (life["bmi"] > 30)
        )
        return life, _scaled(steps)
    effect = -0.8 * np.log(fibre) + 0.35 * np.abs(sleep - 7.5) - 0.08 * np.sqrt(life["exercise_min_week"])
    effect = effect + 0.4 * life["ssri"] + 0.3 * life["smoking"] + 0.25 * life["antibiotics_3m"]
    if truth == "together":  # short nights harm who does not move, little fibre the older
        joint = 1.5 * (sleep < 7) * (life["exercise_min_week"] < 100) + 1.2 * (fibre < 18) * (life["age_years"] > 42)
        return life, _scaled(0.6 * _scaled(effect) + 0.8 * _scaled(joint))
    return life, _scaled(effect)


def _scaled(effect: Array) -> Array:
    return np.asarray((effect - effect.mean()) / effect.std())


def who_gains(rng: np.random.Generator, life: dict[str, Array], severity: Array, arms: int, alike: float,
              sicker: float) -> tuple[Array, Array]:  # fmt: skip
    """Return n × arms scores by which lifestyle and severity make an arm work less well, and the part of severity: its weight per arm.

    Scores have sd 1 in a population that is not shifted, and are 0 for the first arm. They are linear in standardised columns, with weights that
    active arms share in part: `alike` is the correlation of two of them, before `sicker`, by how much (in units of all weights together) every arm
    helps the more severe more. `rng` is the world's.
    """
    columns = [np.log(life[name]) if name == "fibre_g_day" else life[name] for name in MODIFIERS]
    z = [(column - mean) / sd for column, (mean, sd) in zip(columns, MODIFIERS.values(), strict=True)]
    shared, own = rng.normal(size=(len(z) + 1, 1)), rng.normal(size=(len(z) + 1, arms))
    weights = np.sqrt(alike) * shared + np.sqrt(1.0 - alike) * own
    weights[-1] -= sicker * np.sqrt((weights**2).sum(axis=0))
    weights = weights / np.sqrt((weights**2).sum(axis=0)) * (np.arange(arms) > 0)
    return np.column_stack([*z, severity]) @ weights, weights[-1]
