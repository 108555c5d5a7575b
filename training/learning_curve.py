"""How many more people would show what the microbiome adds: the increment refitted on fewer people, and extrapolated.

On random halves and larger parts of the subjects the covariates and the additive model are cross-validated. The gain in R2
is taken to follow a - b / n (b at least 0), its standard error c / sqrt(n); people enough are those at which a test at 2.5 %
one-sided has 80 % power. The gain at the full size is itself uncertain, and with it the number.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isfinite, sqrt
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from matplotlib.figure import Figure
from scipy.stats import norm
from threadpoolctl import threadpool_limits

from features.counts import Array
from models.catalog import CATALOG
from training.increment import increments
from training.metrics import resamples
from training.plots import BLUE, GREY, RED, svg
from training.problem import Problem
from training.protocol import OUTER_FOLDS
from training.selection import encode, fit_predict, known, to_fit
from training.splits import by_group

SHARES, DRAWS = (0.4, 0.55, 0.7, 0.85, 1.0), 4  # parts of the subjects, and how often each is drawn
LEAST = 40  # people below which no curve can be drawn
POWER, ALPHA = 0.8, 0.025
FARTHEST = 20.0  # times the cohort's size beyond which nothing is extrapolated
SPAN = 0.8  # level of the interval of the number needed
ROWS = ("covariates", "additive")


@dataclass(frozen=True)
class Point:
    """The increment found on one draw of people: their number, gain in R2 and its standard error."""

    people: int
    gain: float
    se: float


@dataclass(frozen=True)
class Curve:
    """gain(n) = limit - slope / n and se(n) = noise / sqrt(n); `shift` moves the limit by that many standard errors at `people`."""

    people: int
    limit: float
    slope: float
    noise: float

    def power(self, n: float, shift: float = 0.0) -> float:
        """Return the power of the one-sided test at n people."""
        if self.noise <= 0:
            return 0.0
        limit = self.limit + shift * self.noise / sqrt(self.people)
        return float(norm.cdf((limit - self.slope / n) * sqrt(n) / self.noise - norm.ppf(1 - ALPHA)))

    def needed(self, shift: float = 0.0) -> float:
        """Return the least n with enough power; infinite where that is farther than anything may be extrapolated."""
        low, high = 10.0, FARTHEST * self.people
        if self.power(high, shift) < POWER:
            return inf
        while high - low > 1.0:  # the power grows with n
            middle = (low + high) / 2.0
            low, high = (low, middle) if self.power(middle, shift) >= POWER else (middle, high)
        return float(np.ceil(high))


def learning_curve(problem: Problem, *, seed: int, jobs: int = 0) -> dict[str, Any]:
    """Return the points, the fitted curve and how many people are needed, with an 80 % interval, or that one cannot tell."""
    found: dict[str, Any] = {
        "instrument": problem.instrument.name,
        "task": problem.task,
        "people": problem.people,
        "power": POWER,
    }
    if problem.people < LEAST or not problem.design.stool.any():
        return found | {"points": [], **_told(None, f"fewer than {LEAST} people, or nobody has stool")}
    work = [
        delayed(_point)(problem, share, draw, seed) for share in SHARES for draw in range(DRAWS if share < 1 else 1)
    ]
    points: list[Point] = Parallel(n_jobs=jobs or min(os.cpu_count() or 1, len(work)))(work)
    curve = fit_curve(points)
    return found | {
        "points": [vars(point) for point in points],
        **_told(curve, "the gain found here is not one standard error above 0"),
    }


def _point(problem: Problem, share: float, draw: int, seed: int) -> Point:
    names = np.unique(problem.subjects.astype(str))
    drawn = np.random.default_rng([seed, 29, round(100 * share), draw]).permutation(names)[: round(share * len(names))]
    part = problem.take(np.flatnonzero(np.isin(problem.subjects.astype(str), drawn)))
    split = by_group(part.subjects, OUTER_FOLDS, seed=seed, repeat=draw, y=part.y)
    predictions = {name: np.full((1, len(part.y)), np.nan) for name in ROWS}
    with threadpool_limits(1):
        for _, train, held_out in split.parts():
            own = part.take(train)
            encoder, Z, y = to_fit(own)
            _, W = encode(part.take(held_out), encoder)
            for name in ROWS:
                effects = known(own, encoder)
                predictions[name][0, held_out] = fit_predict(CATALOG[name], {}, Z, y, W, seed=seed, known=effects)[0]
    weights = resamples(part.subjects, seed=seed, draws=400)
    (gain,) = increments(part.y, predictions, [("microbiome", *ROWS)], weights, folds=OUTER_FOLDS)
    return Point(part.people, gain.estimate, (gain.upper - gain.lower) / (2 * float(norm.ppf(0.975))))


def fit_curve(points: list[Point]) -> Curve:
    """Fit the curve by least squares, a draw of n people weighing n; a slope below 0 becomes none.

    The noise is that of the noisiest tenth of the draws: where the model dropped the microbiome there is next to none, but a
    gain that is to be shown comes with the model keeping it.
    """
    n, gain, se = (
        np.array([getattr(point, name) for point in points], dtype=float) for name in ("people", "gain", "se")
    )
    X = np.column_stack([np.ones(len(n)), -1.0 / n])
    limit, slope = _least_squares(X, gain, n)
    if slope < 0:
        limit, slope = float(gain @ n / n.sum()), 0.0
    return Curve(int(n.max()), limit, slope, float(np.quantile(se * np.sqrt(n), 0.9)))


def _least_squares(X: Array, y: Array, weight: Array) -> tuple[float, float]:
    root = np.sqrt(weight)
    found, *_ = np.linalg.lstsq(X * root[:, None], y * root, rcond=None)
    return float(found[0]), float(found[1])


def _told(curve: Curve | None, why_not: str) -> dict[str, Any]:
    """The verdict in numbers and in words."""
    if curve is None or curve.limit <= curve.noise / sqrt(curve.people) or curve.noise <= 0:
        return {"curve": curve and vars(curve), "verdict": "cannot tell", "needed": None, "needed_lower": None, "needed_upper": None,
                "says": f"Cannot tell how many people would be needed: {why_not}. That is not proof that there is nothing."}  # fmt: skip
    z = float(norm.ppf(0.5 + SPAN / 2))
    needed, fewest, most = (curve.needed(shift) for shift in (0.0, z, -z))
    verdict = "cannot tell" if not isfinite(needed) else "enough" if needed <= curve.people else "more"
    span = (
        f"80 % interval {fewest:.0f} to {most:.0f}"
        if isfinite(most)
        else f"at least {fewest:.0f}; an upper end cannot be told"
    )
    says = {
        "cannot tell": f"Cannot tell how many people would be needed: more than {FARTHEST:.0f} times as many, if the gain found here holds.",
        "enough": f"About {needed:.0f} people show such a gain with 80 % power ({span}); this cohort has {curve.people}.",
        "more": f"About {needed:.0f} people would be needed for 80 % power ({span}), {needed - curve.people:.0f} more than now.",
    }[verdict]
    numbers = {"needed": needed, "needed_lower": fewest, "needed_upper": most}
    finite = {name: value if isfinite(value) else None for name, value in numbers.items()}
    return {"curve": vars(curve), "verdict": verdict, **finite, "power_now": curve.power(curve.people), "says": says}


def drawing(found: Mapping[str, Any]) -> str:
    """Return the learning curve as SVG: the gains found, the curve through them, and the gain that a test would show."""
    figure = Figure(figsize=(6.0, 3.8), layout="constrained")
    axis = figure.add_subplot()
    for point in found["points"]:
        axis.plot([point["people"]] * 2, [point["gain"] - point["se"], point["gain"] + point["se"]], color=GREY, lw=1)
        axis.plot(point["people"], point["gain"], "o", color=BLUE, ms=4)
    if found["curve"]:
        curve, last = Curve(**found["curve"]), 1.1 * max(found["needed"] or 0.0, found["people"])
        n = np.linspace(min(point["people"] for point in found["points"]), last, 100)
        axis.plot(n, curve.limit - curve.slope / n, color=BLUE, label="gain expected")
        bar = (norm.ppf(1 - ALPHA) + norm.ppf(POWER)) * curve.noise
        axis.plot(n, bar / np.sqrt(n), "--", color=RED, label="gain that 80 % power shows")
        axis.legend(fontsize=8)
    axis.axhline(0, color=GREY, lw=1)
    axis.set(
        xlabel="people", ylabel="R² added by the microbiome (± 1 SE)", title=f"{found['instrument']} {found['task']}"
    )
    return svg(figure)
