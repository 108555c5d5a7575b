"""Horseshoe prior on single columns: which few of many taxa matter, and by how much, by Gibbs sampling.

The weight of column j of taxon t in block b is N(0, tau_b^2 gamma_t^2 lambda_j^2), each factor half-Cauchy: few columns may be large and
the others next to nothing (Carvalho, Polson & Scott 2010, Biometrika 97:465), and a taxon that matters in one place, by itself or under
an arm, is more likely to matter in another (Xu et al. 2016, Bayesian grouped horseshoe). Updates of the scales: Makalic & Schmidt 2016,
IEEE Signal Process Lett 23:179. tau is drawn once given the weights and once given their directions (interweaving: Yu & Meng 2011, J Comput
Graph Stat 20:531), so that a block of noise leaves what it began with sooner. Columns whose prior is too narrow for the data to be heard are
drawn from it (Johndrow, Orenstein & Bhattacharya 2020, J Mach Learn Res 21:73): most are, and a sweep's cost is cubic in those that are not.
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
Integers = npt.NDArray[np.int64]

SWEEPS, BURN = 800, 200  # of the chain; the first are thrown away
GLOBAL = 0.1  # scale of the half-Cauchy prior on a block's sd, in units of the outcome's: most blocks say little
HEARD = 1e-3  # prior variance x information from which the data are heard
LEAST, MOST = 1e-12, 1e8  # bounds of variances: a scale that leaves them is as good as none, or as free


class Posterior(NamedTuple):
    """Means of the k `own` and q `sparse` weights, and the q typical prior sds of the sparse ones."""

    own: Array
    sparse: Array
    scale: Array


def horseshoe(own: Array, sparse: Array, y: Array, widths: Sequence[int], taxon: Integers, seed: int) -> Posterior:
    """Return the posterior of y = own @ a + sparse @ w + N(0, 1).

    `own` is n × k: first the intercept's column, under a flat prior, then columns whose weights are N(0, 1). `sparse` is n × q: blocks
    of `widths` columns; `taxon` says of each of the q, by a number from 0 on, which taxon it is about. A typical prior sd is the
    geometric mean over the chain. The same seed gives the same chain.
    """
    factor = cho_factor(own.T @ own + np.diag([0.0, *np.ones(own.shape[1] - 1)]), lower=True)
    half = solve_triangular(factor[0], own.T @ sparse, lower=True)
    # The weights of `own` are integrated out: the chain runs over the sparse ones alone.
    gram = np.asfortranarray(sparse.T @ sparse - half.T @ half)
    target = sparse.T @ y - half.T @ solve_triangular(factor[0], own.T @ y, lower=True)
    chain = _Chain.start(widths, taxon)
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
    """The squared scales: of each column, of each taxon and of each block, each with its auxiliary variable."""

    blocks: list[slice]
    taxon: Integers
    columns: Array
    column_aux: Array
    taxa: Array
    taxon_aux: Array
    shared: Array
    shared_aux: Array

    @classmethod
    def start(cls, widths: Sequence[int], taxon: Integers) -> Self:
        blocks = [slice(a, b) for a, b in pairwise(np.cumsum([0, *widths]).tolist())]
        q, taxa, b = len(taxon), int(taxon.max()) + 1, len(widths)
        shared = np.array([_prior(at) for at in blocks])
        return cls(blocks, taxon, np.ones(q), np.ones(q), np.ones(taxa), np.ones(taxa), shared, np.ones(b))

    def variance(self) -> Array:
        """Return the q prior variances."""
        return np.asarray(np.maximum(self._wide() * self.columns * self.taxa[self.taxon], LEAST))

    def update(self, gram: Array, target: Array, weights: Array, rng: np.random.Generator) -> None:
        """Draw all scales anew given the weights, which move along the way."""
        for b, at in enumerate(self.blocks):
            self._along(b, at, gram, target, weights, rng)
            self._given_weights(b, at, weights[at] ** 2 / self.taxa[self.taxon[at]], rng)
        self._of_taxa(weights**2 / (self._wide() * self.columns), rng)

    def _wide(self) -> Array:
        return np.repeat(self.shared, [at.stop - at.start for at in self.blocks])

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
        rate = squares / (2.0 * self.shared[b]) + 1.0 / self.column_aux[at]
        self.columns[at] = np.clip(rate / rng.standard_exponential(width), 1.0 / MOST, MOST)
        self.column_aux[at] = (1.0 + 1.0 / self.columns[at]) / rng.standard_exponential(width)
        self.shared_aux[b] = (1.0 / _prior(at) + 1.0 / self.shared[b]) / rng.standard_exponential()
        rate = (squares / self.columns[at]).sum() / 2.0 + 1.0 / self.shared_aux[b]
        self.shared[b] = np.clip(rate / rng.standard_gamma((width + 1) / 2.0), LEAST, 1.0)

    def _of_taxa(self, squares: Array, rng: np.random.Generator) -> None:
        rate = np.bincount(self.taxon, squares) / 2.0 + 1.0 / self.taxon_aux
        drawn = rng.standard_gamma((np.bincount(self.taxon) + 1) / 2.0)
        self.taxa = np.clip(rate / drawn, 1.0 / MOST, MOST)
        self.taxon_aux = (1.0 + 1.0 / self.taxa) / rng.standard_exponential(len(self.taxa))


def _prior(at: slice) -> float:
    """Return the squared scale of the half-Cauchy prior on a block's tau: its sd is shared by all its columns."""
    return GLOBAL**2 / float(at.stop - at.start)
