"""Horseshoe prior on single columns: which few of many taxa matter, and by how much, by Gibbs sampling.

A weight of a block is N(0, tau^2 lambda_j^2): lambda_j half-Cauchy on its own, so that few columns may be large and the others next
to nothing; tau half-Cauchy for the whole block (Carvalho, Polson & Scott 2010, Biometrika 97:465). Updates of the scales: Makalic &
Schmidt 2016, IEEE Signal Process Lett 23:179. tau is drawn once given the weights and once given their directions (interweaving: Yu &
Meng 2011, J Comput Graph Stat 20:531); without the second draw it hardly moves in a few hundred sweeps, and a block of noise keeps what
it began with. Columns whose prior is too narrow for the data to be heard are drawn from it (Johndrow, Orenstein & Bhattacharya 2020,
J Mach Learn Res 21:73): most are, and the cost of a sweep is cubic in those that are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve, lapack, solve_triangular

Array = npt.NDArray[np.float64]

SWEEPS, BURN = 300, 100  # of the chain; the first are thrown away
GLOBAL = 0.1  # scale of the half-Cauchy prior on a block's sd, in units of the outcome's: most blocks say little
HEARD = 1e-3  # prior variance x information from which the data are heard
LEAST, MOST = 1e-12, 1e8  # bounds of variances: a scale that leaves them is as good as none, or as free


class Posterior(NamedTuple):
    """Means of the k `own` and q `sparse` weights, and the q typical prior sds of the sparse ones."""

    own: Array
    sparse: Array
    scale: Array


def horseshoe(own: Array, sparse: Array, y: Array, widths: Sequence[int], seed: int) -> Posterior:
    """Return the posterior of y = own @ a + sparse @ w + N(0, 1).

    `own` is n × k: first the intercept's column, under a flat prior, then columns whose weights are N(0, 1). `sparse` is n × q: blocks
    of `widths` columns. A typical prior sd is the geometric mean over the chain. The same seed gives the same chain.
    """
    factor = cho_factor(own.T @ own + np.diag([0.0, *np.ones(own.shape[1] - 1)]), lower=True)
    half = solve_triangular(factor[0], own.T @ sparse, lower=True)
    # The weights of `own` are integrated out: the chain runs over the sparse ones alone.
    gram = np.asfortranarray(sparse.T @ sparse - half.T @ half)
    target = sparse.T @ y - half.T @ solve_triangular(factor[0], own.T @ y, lower=True)
    chain = _Chain.start(widths)
    rng = np.random.default_rng([seed, 5])
    mean, log_variance = np.zeros(len(target)), np.zeros(len(target))
    for sweep in range(SWEEPS):
        variance = chain.variance()
        centre, drawn = _draw(gram, target, variance, rng)
        if sweep >= BURN:
            mean += centre / (SWEEPS - BURN)
            log_variance += np.log(variance) / (SWEEPS - BURN)
        chain.update(gram, target, drawn, rng)
    return Posterior(cho_solve(factor, own.T @ (y - sparse @ mean)), mean, np.exp(log_variance / 2.0))


def _draw(gram: Array, target: Array, variance: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return the mean of the weights given their prior variances, and one draw of them."""
    noise = rng.standard_normal(len(target))
    mean, drawn = np.zeros(len(target)), noise * np.sqrt(variance)
    heard = np.flatnonzero(variance * gram.diagonal() > HEARD)
    if not len(heard):
        return mean, drawn
    precision = np.asfortranarray(gram[np.ix_(heard, heard)])
    precision[np.diag_indices_from(precision)] += 1.0 / variance[heard]
    lower, failed = lapack.dpotrf(precision, lower=1, clean=0, overwrite_a=1)
    if failed:
        raise np.linalg.LinAlgError("the columns' cross-products are not positive definite: is a value infinite?")
    half, _ = lapack.dtrtrs(lower, target[heard], lower=1)
    both, _ = lapack.dtrtrs(lower, np.column_stack([half, half + noise[heard]]), lower=1, trans=1)
    mean[heard], drawn[heard] = both.T
    return mean, drawn


@dataclass
class _Chain:
    """The scales: lambda^2 of each column and tau^2 of each block, each with its auxiliary variable."""

    blocks: list[slice]
    local: Array
    local_aux: Array
    shared: Array
    shared_aux: Array

    @classmethod
    def start(cls, widths: Sequence[int]) -> Self:
        blocks = [slice(a, b) for a, b in pairwise(np.cumsum([0, *widths]).tolist())]
        ones = np.ones(sum(widths))
        return cls(blocks, ones, ones.copy(), GLOBAL**2 / np.array(widths, dtype=float), np.ones(len(widths)))

    def variance(self) -> Array:
        """Return the q prior variances."""
        wide = np.repeat(self.shared, [at.stop - at.start for at in self.blocks])
        return np.asarray(np.maximum(wide * self.local, LEAST))

    def update(self, gram: Array, target: Array, weights: Array, rng: np.random.Generator) -> None:
        """Draw all scales anew given the weights, which move along the way."""
        for b, at in enumerate(self.blocks):
            self._along(b, at, gram, target, weights, rng)
            self._given_weights(b, at, weights[at] ** 2, rng)

    def _along(self, b: int, at: slice, gram: Array, target: Array, weights: Array, rng: np.random.Generator) -> None:
        """Draw a block's tau given the directions of its weights: a normal, its half-Cauchy prior being a mixture of normals."""
        tau = np.sqrt(self.shared[b])
        direction = weights[at] / tau
        reach = gram[:, at] @ direction
        curvature = direction @ reach[at]
        slope = direction @ target[at] - weights @ reach + tau * curvature
        precision = curvature + 2.0 * rng.standard_exponential() / (self.shared[b] + _prior(at))
        tau = slope / precision + rng.standard_normal() / np.sqrt(precision)
        weights[at] = direction * tau
        self.shared[b] = max(tau**2, LEAST)

    def _given_weights(self, b: int, at: slice, squares: Array, rng: np.random.Generator) -> None:
        width = at.stop - at.start
        rate = squares / (2.0 * self.shared[b]) + 1.0 / self.local_aux[at]
        self.local[at] = np.clip(rate / rng.standard_exponential(width), 1.0 / MOST, MOST)
        self.local_aux[at] = (1.0 + 1.0 / self.local[at]) / rng.standard_exponential(width)
        self.shared_aux[b] = (1.0 / _prior(at) + 1.0 / self.shared[b]) / rng.standard_exponential()
        rate = (squares / self.local[at]).sum() / 2.0 + 1.0 / self.shared_aux[b]
        self.shared[b] = np.clip(rate / rng.standard_gamma((width + 1) / 2.0), LEAST, 1.0)


def _prior(at: slice) -> float:
    """Return the squared scale of the half-Cauchy prior on a block's tau: its sd is shared by all its columns."""
    return GLOBAL**2 / float(at.stop - at.start)
