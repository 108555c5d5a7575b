"""Paired tests between two models on the same held-out people; every difference is second minus first.

Rows of one person are never treated as independent: the bootstrap draws subjects, DeLong's variance is
summed by subject (Obuchowski 1997), and McNemar's test has its form for clustered pairs (Durkalski 2003).
With one row per person these are the textbook tests (DeLong 1988, McNemar 1947).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

Array = npt.NDArray[np.float64]
Groups = npt.NDArray[np.intp]

LEVEL = 0.95


@dataclass(frozen=True)
class Paired:
    """A difference with its interval at `level` and two-sided p-value; NaN where it cannot be computed."""

    test: str
    difference: float
    lower: float
    upper: float
    p: float
    level: float = LEVEL
    note: str = ""


def subject_index(subjects: npt.NDArray[np.object_]) -> Groups:
    """Return for each row the number of its subject, 0 to people - 1."""
    return np.unique(subjects.astype(str), return_inverse=True)[1]


def bootstrap(first: Array, second: Array) -> Paired:
    """Compare a measure by the percentile bootstrap.

    Both arrays hold the measure on the whole sample first, then on the same resamples of subjects.
    """
    difference = second - first
    drawn = difference[1:][~np.isnan(difference[1:])]
    if np.isnan(difference[0]) or not len(drawn):
        return _unknown("bootstrap over subjects", "the measure is not defined")
    lower, upper = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    tail = min(np.sum(drawn <= 0), np.sum(drawn >= 0))
    p = min(1.0, 2.0 * (tail + 1) / (len(drawn) + 1))
    return Paired("bootstrap over subjects", float(difference[0]), float(lower), float(upper), float(p))


def delong(y: Array, first: Array, second: Array, subject: Groups) -> Paired:
    """Compare two AUCs of the same rows: y in {0, 1}, higher scores for 1."""
    aucs, covariance = auc_covariance(y, np.array([first, second]), subject)
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    difference = float(aucs[1] - aucs[0])
    if not variance > 1e-15:
        note = "the two rank every pair alike" if difference == 0 else "no variance: too few of one class"
        return Paired("DeLong", difference, difference, difference, 1.0 if difference == 0 else np.nan, note=note)
    return _normal("DeLong", difference, np.sqrt(variance))


def auc_covariance(y: Array, scores: Array, subject: Groups) -> tuple[Array, Array]:
    """Return the AUCs of k score rows (k × n) and their k × k covariance; NaN without both classes."""
    positive = y == 1
    m, n = int(positive.sum()), int((~positive).sum())
    if not m or not n:
        return np.full(len(scores), np.nan), np.full((len(scores), len(scores)), np.nan)
    own = np.empty_like(scores, dtype=float)  # for each row, the share of the other class it is ordered right to
    whole = stats.rankdata(scores, axis=1)
    own[:, positive] = (whole[:, positive] - stats.rankdata(scores[:, positive], axis=1)) / n
    own[:, ~positive] = 1 - (whole[:, ~positive] - stats.rankdata(scores[:, ~positive], axis=1)) / m
    aucs = own[:, positive].mean(axis=1)
    centred = own - aucs[:, None]
    above, below = (_by_subject(centred * side, subject) for side in (positive, ~positive))
    s10 = _spread(above, above, np.unique(subject[positive]).size) / m**2
    s01 = _spread(below, below, np.unique(subject[~positive]).size) / n**2
    s11 = _spread(above, below, int(subject.max()) + 1) / (m * n)
    return aucs, s10 + s01 + s11 + s11.T


def mcnemar(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_], subject: Groups) -> Paired:
    """Compare two sets of right answers: exact below 25 discordant pairs, else asymptotic, uncorrected."""
    gained = second.astype(float) - first.astype(float)
    share = float(gained.mean())
    per_person = _by_subject(gained[None, :], subject)[0]
    error = float(np.sqrt(max(np.sum(per_person**2) - len(gained) ** 2 * share**2 / len(per_person), 0)))
    error /= len(gained)
    wins, losses = int(np.sum(gained > 0)), int(np.sum(gained < 0))
    clustered = len(per_person) < len(gained)
    exact = wins + losses < 25 and not clustered
    p = exact_mcnemar(wins, losses) if exact else _clustered_mcnemar(gained, subject)
    name = "McNemar, exact" if exact else "McNemar, clustered" if clustered else "McNemar"
    z = stats.norm.ppf((1 + LEVEL) / 2)
    note = f"{wins} gained, {losses} lost"
    return Paired(name, share, share - z * error, share + z * error, p, note=note)


def exact_mcnemar(wins: int, losses: int) -> float:
    """Return the two-sided exact p-value of discordant pairs (binomial, 1/2)."""
    return float(min(1.0, 2 * stats.binom.cdf(min(wins, losses), wins + losses, 0.5)))


def corrected_t(differences: Array, test_share: float) -> Paired:
    """Compare fold means of repeated cross-validation by Nadeau and Bengio's corrected t (2003).

    `differences` holds one value per fold and repeat; `test_share` is held-out over training rows.
    """
    k = len(differences)
    spread = float(np.var(differences, ddof=1)) if k > 1 else 0.0
    mean = float(np.mean(differences)) if k else np.nan
    if not spread > 0:
        return _unknown("corrected t", "the folds do not vary")
    error = np.sqrt((1 / k + test_share) * spread)
    p = 2 * stats.t.sf(abs(mean) / error, k - 1)
    half = stats.t.ppf((1 + LEVEL) / 2, k - 1) * error
    return Paired("corrected t over folds", mean, mean - half, mean + half, float(p), note=f"{k} folds")


def holm(p: Sequence[float]) -> Array:
    """Return Holm's adjusted p-values (1979); NaN stays out of the family."""
    values = np.asarray(p, dtype=float)
    adjusted = np.full(len(values), np.nan)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    steps = values[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps)) if len(order) else steps
    return adjusted


def _clustered_mcnemar(gained: Array, subject: Groups) -> float:
    size = np.bincount(subject)
    mean = np.bincount(subject, weights=gained) / size
    square = float(np.sum(mean**2))
    return 1.0 if square == 0 else float(stats.chi2.sf(np.sum(mean) ** 2 / square, 1))


def _by_subject(values: Array, subject: Groups) -> Array:
    total = np.zeros((len(values), int(subject.max()) + 1))
    for row, value in zip(total, values, strict=True):
        np.add.at(row, subject, value)
    return total


def _spread(left: Array, right: Array, people: int) -> Array:
    """Return the sum of cross products over subjects, scaled for the number of subjects it rests on."""
    return np.asarray(left @ right.T * (people / (people - 1) if people > 1 else np.nan))


def _normal(test: str, difference: float, error: float) -> Paired:
    half = float(stats.norm.ppf((1 + LEVEL) / 2) * error)
    p = float(2 * stats.norm.sf(abs(difference) / error))
    return Paired(test, difference, difference - half, difference + half, p)


def _unknown(test: str, note: str) -> Paired:
    return Paired(test, np.nan, np.nan, np.nan, np.nan, note=note)
