"""Variances of feature blocks by penalised marginal likelihood (Rasmussen & Williams 2006, ch. 5), and their priors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import blas, lapack
from scipy.optimize import minimize

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Prior:
    """Prior of a block's sd, in units of the outcome's sd: exponential with a rate, log-normal around a median, or both.

    The penalty on log sd is rate * sd - shape * log sd + ((log sd - log median) / width)^2 / 2. With shape 0 a block may go to zero; with
    shape 1 the penalty is that of a gamma density, sd * exp(-rate * sd), which keeps away from it (Chung et al. 2013, Psychometrika 78:685).
    """

    rate: float = 0.0
    median: float = 1.0
    width: float = np.inf
    shape: float = 0.0


# Blocks that are surely there have a log-normal prior: its mode never collapses to nothing, as a marginal likelihood's does
# in small trials. Microbiome blocks have a tight exponential one (penalised complexity): about 2/13^2 = 1 % of the variance is
# expected of each, and one that says nothing goes to zero. That the effect of an arm differs between people is likely but never visible in
# a variance at these sizes, so those blocks are kept small rather than dropped. An arm's block has a column for each arm and column it modifies,
# of which a person has few that are not zero: its sd is some three times what it means in points. Squares (`bend`) are made of what is known to
# have an optimum: theirs do not go to zero in small cohorts.
PRIORS: Mapping[str, Prior] = {
    "base": Prior(median=0.45, width=0.5), "arm": Prior(median=0.4, width=0.4), "life": Prior(median=0.2, width=0.5),
    "curve": Prior(rate=13.0), "bend": Prior(rate=6.0, shape=1.0), "blank": Prior(rate=6.0), "study": Prior(rate=4.0), "all": Prior(rate=1.0),
    "arm×base": Prior(median=0.08, width=0.4), "arm×life": Prior(median=0.4, width=0.3),
    "arm×abundant": Prior(rate=4.0, median=0.2, width=0.6), "arm×family": Prior(rate=4.0, median=0.1, width=0.6),
}  # fmt: skip
TIGHT = Prior(rate=13.0)
# In fits of fewer than 400 rows (docs/decisions/0008): how much lifestyle decides whom an arm helps is learned from so little that a wide prior makes
# people look twice as different under an arm as they are.
FEW: Mapping[str, Prior] = {"arm×life": Prior(median=0.3, width=0.3)}
# In fits of middle size the marginal likelihood of the abundant genera often has its mode at nothing although they say something. The gamma
# prior expects as little of them and keeps away from nothing; in smaller cohorts it would cost more than it finds.
MIDDLE: Mapping[str, Prior] = {"abundant": Prior(rate=13.0, shape=1.0)}


def variances(
    parts: Mapping[str, Array], y: Array, severity: Array, rows: npt.NDArray[np.int64], priors: Mapping[str, Prior],
    *, steps: int = 50, start: Array | None = None,
) -> Array:  # fmt: skip
    """Return log sds of the blocks, then the noise's log-variance and its slope in severity.

    `parts` are the blocks' n × columns, `y` and `severity` have n entries, `rows` are those that set the variances.
    """
    shape = (len(parts), len(rows), len(rows))
    kernels = np.array([part[rows] @ part[rows].T / part.shape[1] for part in parts.values()]).reshape(shape)
    own = [priors[block] for block in parts]
    prior = np.array(
        [[p.rate for p in own], [np.log(p.median) for p in own], [p.width**-2.0 for p in own], [p.shape for p in own]]
    )
    if start is None:
        start = np.array([*(np.log(p.median if np.isfinite(p.width) else 0.1) for p in own), np.log(0.7), 0.0])
    bounds = [(-7.0, 2.0)] * len(kernels) + [(-8.0, 3.0), (-1.0, 1.0)]
    found = minimize(_objective, start, args=(kernels, y[rows], severity[rows], prior), jac=True, method="L-BFGS-B", bounds=bounds,
                     options={"maxiter": steps, "ftol": 1e-7})  # fmt: skip
    return np.asarray(found.x, dtype=float)


def _objective(theta: Array, kernels: Array, y: Array, severity: Array, prior: Array) -> tuple[float, Array]:
    """Return the negative log posterior of the variances and its gradient; the mean has a flat prior (REML).

    `prior` has one row each for rates, log medians and precisions of the blocks' log sds, and shapes.
    """
    variance, noise = np.exp(2.0 * theta[:-2]), np.exp(theta[-2] + theta[-1] * severity)
    covariance = np.tensordot(variance, kernels, axes=1)
    covariance[np.diag_indices_from(covariance)] += noise
    lower, failed = lapack.dpotrf(covariance, lower=1)
    if failed:
        return 1e10, np.zeros_like(theta)
    ones, own = lapack.dpotrs(lower, np.column_stack([np.ones(len(y)), y]), lower=1)[0].T
    mean = float(ones @ y / ones.sum())
    alpha = own - mean * ones
    sd, off = np.exp(theta[:-2]), theta[:-2] - prior[1]
    value = 0.5 * (y - mean) @ alpha + np.log(np.diag(lower)).sum() + 0.5 * np.log(ones.sum())
    value += prior[0] @ sd + 0.5 * prior[2] @ off**2 - prior[3] @ theta[:-2]
    # d/dC of the restricted likelihood: inverse minus the part spent on the mean, minus alpha alpha'; its lower triangle says it all.
    slope, _ = lapack.dpotri(lower, lower=1)
    for spent in (ones / np.sqrt(ones.sum()), alpha):
        slope = blas.dsyr(-1.0, spent, lower=1, a=slope, overwrite_a=1)
    tail = 0.5 * np.diag(slope) * noise
    slope[np.diag_indices_from(slope)] *= 0.5
    slopes = 2.0 * variance * np.einsum("kij,ji->k", kernels, slope) + prior[0] * sd + prior[2] * off - prior[3]
    # A weak normal prior keeps the noise slope near zero in small cohorts.
    value += 0.5 * (theta[-1] / 0.25) ** 2
    return float(value), np.concatenate([slopes, [tail.sum(), tail @ severity + theta[-1] / 0.0625]])
