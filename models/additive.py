"""The additive Gaussian model: one variance per feature block, learned by penalised marginal likelihood.

y = mean + sum over blocks of X_b w_b + noise, with w_b ~ N(0, s_b^2 / p_b) and a noise variance that is log-linear in
baseline severity. Interactions of a block with the arm are blocks of their own. The standard deviations s_b carry
exponential priors (penalised complexity: Simpson et al. 2017, Stat Sci 32:1), tight on microbiome blocks, so that a
block that says nothing is shrunk to nothing. Variances by L-BFGS on the log posterior (Rasmussen & Williams 2006, ch. 5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.linalg import cho_factor, cho_solve, lapack, solve_triangular
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Prior:
    """Prior of a block's sd, in units of the outcome's sd: exponential with a rate, log-normal around a median, or both.

    The penalty on log sd is rate * sd + ((log sd - log median) / width)^2 / 2.
    """

    rate: float = 0.0
    median: float = 1.0
    width: float = np.inf


# Blocks that are surely there have a log-normal prior: its mode never collapses to nothing, as a marginal likelihood's does
# in small trials. Microbiome blocks have a tight exponential one (penalised complexity): about 2/13^2 = 1 % of the variance is
# expected of each, and one that says nothing goes to zero. That the effect of an arm differs between people is likely but never visible in
# a variance at these sizes, so those blocks are kept small rather than dropped.
PRIORS: Mapping[str, Prior] = {
    "base": Prior(median=0.45, width=0.5), "arm": Prior(median=0.2, width=0.7), "life": Prior(median=0.25, width=0.7),
    "curve": Prior(rate=6.0), "study": Prior(rate=4.0), "all": Prior(rate=1.0),
    "arm×abundant": Prior(rate=4.0, median=0.2, width=0.6), "arm×family": Prior(rate=4.0, median=0.1, width=0.6),
}  # fmt: skip
TIGHT = Prior(rate=13.0)
WITH_ARM = ("base", "life", "abundant", "family")
HEAVY = ("abundant", "rare", "family")  # blocks whose single columns are re-weighted under a Student-t prior
FREEDOM, STEPS, HEAVY_ROWS = 2.0, 8, 600  # its degrees of freedom, EM steps, and the rows from which it is used
NEGLIGIBLE = 0.03  # sd, in units of the outcome's, below which a block is left out (0.1 % of the variance)
RANK = 64  # directions kept of the posterior covariance: what the data say about f beyond the prior
LIKELIHOOD_ROWS = 1000  # rows that set the variances; a dozen numbers need no more, and the cost is cubic


class AdditiveBlockRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Additive block-variance regressor.

    X is n × p; a data frame whose columns are named `block:column` has those blocks, any other X is one block.
    Parameters: `priors` replaces the prior of some blocks; `with_arm`, the blocks that interact with the
    `arm` block; `seed` draws the rows that set the variances when there are more than 1,000. Fitted: `block_sd_` (in outcome
    units), `columns_` (name of each weight), `weights_`, `intercept_`, `noise_` (log-variance: constant, slope), `spread_`.
    """

    def __init__(
        self, priors: Mapping[str, Prior] | None = None, with_arm: Sequence[str] = WITH_ARM, seed: int = 0
    ) -> None:
        self.priors = priors
        self.with_arm = with_arm
        self.seed = seed

    def fit(self, X: Any, y: Any) -> Self:
        """Learn variances and weights; raises ValueError on fewer than 2 rows or non-finite values."""
        names = _names(X)
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        self.blocks_ = _blocks(names, X.shape[1])
        self.centre_, self.unit_ = float(np.mean(y)), float(np.std(y)) or 1.0
        parts = expand(X, self.blocks_, self.with_arm)
        severity = X[:, self.blocks_["base"][0]] if "base" in self.blocks_ else np.zeros(len(X))
        self._learn(parts, (np.asarray(y, dtype=float) - self.centre_) / self.unit_, severity)
        return self

    def _learn(self, parts: dict[str, Array], y: Array, severity: Array) -> None:
        chosen = _subset(len(y), self.seed)
        priors = {block: {**PRIORS, **(self.priors or {})}.get(block, TIGHT) for block in parts}
        # A block shrunk to nothing is left out and the rest learned anew from the start: a model offered a useless block is
        # then the very same model, to the last bit, as one that never saw it.
        rough = _variances(parts, y, severity, chosen, priors, steps=20)
        parts = {
            block: part
            for (block, part), log_sd in zip(parts.items(), rough, strict=False)
            if log_sd > np.log(NEGLIGIBLE)
        }
        theta = _variances(parts, y, severity, chosen, priors)
        relevance = {block: np.ones(part.shape[1]) for block, part in parts.items()}
        if len(y) >= HEAVY_ROWS:
            relevance = _heavy_tails(parts, theta, y, severity)
            weighted = {block: part * relevance[block] for block, part in parts.items()}
            theta = _variances(weighted, y, severity, chosen, priors, steps=10, start=theta)
        sd, self.noise_ = np.exp(theta[:-2]), (float(theta[-2]), float(theta[-1]))
        self.block_sd_ = {block: float(s * self.unit_) for block, s in zip(parts, sd, strict=True)}
        self.columns_ = [f"{block}:{j}" for block, part in parts.items() for j in range(part.shape[1])]
        self.scale_ = np.concatenate(
            [np.zeros(0), *(s * relevance[b] / np.sqrt(len(relevance[b])) for b, s in zip(parts, sd, strict=True))]
        )
        self._posterior(_beside(parts, len(y)) * self.scale_, y, severity)

    def _posterior(self, scaled: Array, y: Array, severity: Array) -> None:
        """Weights and the leading directions of what the data say, with an intercept under a flat prior."""
        noise = np.exp(np.clip(self.noise_[0] + self.noise_[1] * severity, -12.0, 6.0))
        factor = cho_factor(scaled @ scaled.T + np.diag(noise), lower=True)
        ones = cho_solve(factor, np.ones(len(y)))
        mean = float(ones @ y / ones.sum())
        self.intercept_ = self.centre_ + self.unit_ * mean
        self.weights_ = self.unit_ * self.scale_ * (scaled.T @ cho_solve(factor, y - mean))
        learned = solve_triangular(factor[0], scaled, lower=True)
        rank = min(RANK, *learned.shape)
        _, values, directions = np.linalg.svd(learned, full_matrices=False)
        self.spread_ = np.asarray(values[:rank, None] * directions[:rank] * self.scale_ * self.unit_)
        self.prior_ = self.scale_ * self.unit_

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Return the n predictions, and with `return_std` the n predictive standard deviations (noise included)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        parts = expand(X, self.blocks_, self.with_arm)
        wide = _beside({block: parts[block] for block in self.block_sd_}, len(X))
        mean = self.intercept_ + wide @ self.weights_
        if not return_std:
            return mean
        severity = X[:, self.blocks_["base"][0]] if "base" in self.blocks_ else np.zeros(len(X))
        noise = np.exp(np.clip(self.noise_[0] + self.noise_[1] * severity, -12.0, 6.0)) * self.unit_**2
        known = ((wide @ self.spread_.T) ** 2).sum(axis=1)
        return mean, np.sqrt(noise + np.maximum(((wide * self.prior_) ** 2).sum(axis=1) - known, 0.0))


def expand(X: Array, blocks: Mapping[str, Sequence[int]], with_arm: Sequence[str]) -> dict[str, Array]:
    """Return block -> columns, arm interactions added as `arm×block` (column order: block column, then arm column)."""
    parts = {block: X[:, list(columns)] for block, columns in blocks.items()}
    if "arm" in parts:
        arm = parts["arm"]
        crossed = {f"arm×{block}": parts[block] for block in with_arm if block in parts}
        parts |= {name: (part[:, :, None] * arm[:, None, :]).reshape(len(X), -1) for name, part in crossed.items()}
    return parts


def _beside(parts: Mapping[str, Array], n: int) -> Array:
    return np.concatenate([np.zeros((n, 0)), *parts.values()], axis=1)


def _names(X: Any) -> list[str] | None:
    return [str(name) for name in X.columns] if isinstance(X, pd.DataFrame) else None


def _blocks(names: list[str] | None, width: int) -> dict[str, list[int]]:
    blocks: dict[str, list[int]] = {}
    for j, name in enumerate(names or ["all"] * width):
        blocks.setdefault(name.split(":", 1)[0] if ":" in name else "all", []).append(j)
    return blocks


def _subset(n: int, seed: int) -> npt.NDArray[np.int64]:
    if n <= LIKELIHOOD_ROWS:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, LIKELIHOOD_ROWS, replace=False))


def _heavy_tails(parts: Mapping[str, Array], theta: Array, y: Array, severity: Array) -> dict[str, Array]:
    """Return a relevance per column (1 = as the block): EM under a Student-t prior on single taxa.

    A taxon's relevance is shared by its main column and its arm interactions. Few steps on purpose: run to convergence it
    over-selects.
    """
    sd = dict(zip(parts, np.exp(theta[:-2]), strict=True))
    noise = np.exp(np.clip(theta[-2] + theta[-1] * severity, -12.0, 6.0))
    copies = {b: [name for name in (b, f"arm×{b}") if name in parts] for b in HEAVY}
    relevance = {block: np.ones(part.shape[1]) for block, part in parts.items()}
    for _ in range(STEPS if any(copies.values()) else 0):
        moments = _moments(parts, {b: sd[b] * relevance[b] / np.sqrt(len(relevance[b])) for b in parts}, noise, y)
        for names in copies.values():
            if names:
                squares = [(moments[name] * relevance[name] ** 2).reshape(-1, _copies(name, parts)) for name in names]
                found = np.concatenate(squares, axis=1)
                weight = np.sqrt((FREEDOM + found.sum(axis=1)) / (FREEDOM + found.shape[1]))
                weight = weight / np.sqrt(np.mean(weight**2))
                for name in names:
                    relevance[name] = np.repeat(weight, _copies(name, parts))
    return relevance


def _copies(block: str, parts: Mapping[str, Array]) -> int:
    return parts["arm"].shape[1] if block.startswith("arm×") and "arm" in parts else 1


def _moments(parts: Mapping[str, Array], scale: Mapping[str, Array], noise: Array, y: Array) -> dict[str, Array]:
    """Return E[u_j^2] of each standardised weight u_j ~ N(0, 1) given the data."""
    scaled = np.concatenate([parts[b] * scale[b] for b in parts], axis=1)
    factor = cho_factor(scaled @ scaled.T + np.diag(noise), lower=True)
    ones = cho_solve(factor, np.ones(len(y)))
    mean = scaled.T @ cho_solve(factor, y - float(ones @ y / ones.sum()))
    left = 1.0 - (solve_triangular(factor[0], scaled, lower=True) ** 2).sum(axis=0)
    cuts = np.cumsum([part.shape[1] for part in parts.values()])[:-1]
    return dict(zip(parts, np.split(mean**2 + np.maximum(left, 0.0), cuts), strict=True))


def _variances(
    parts: Mapping[str, Array], y: Array, severity: Array, rows: npt.NDArray[np.int64], priors: Mapping[str, Prior],
    *, steps: int = 50, start: Array | None = None,
) -> Array:  # fmt: skip
    """Return log sds of the blocks, then the noise's log-variance and its slope in severity."""
    shape = (len(parts), len(rows), len(rows))
    kernels = np.array([part[rows] @ part[rows].T / part.shape[1] for part in parts.values()]).reshape(shape)
    own = [priors[block] for block in parts]
    prior = np.array([[p.rate for p in own], [np.log(p.median) for p in own], [p.width**-2.0 for p in own]])
    if start is None:
        start = np.array([*(np.log(p.median if np.isfinite(p.width) else 0.1) for p in own), np.log(0.7), 0.0])
    bounds = [(-7.0, 2.0)] * len(kernels) + [(-8.0, 3.0), (-1.0, 1.0)]
    found = minimize(_objective, start, args=(kernels, y[rows], severity[rows], prior), jac=True, method="L-BFGS-B", bounds=bounds,
                     options={"maxiter": steps, "ftol": 1e-7})  # fmt: skip
    return np.asarray(found.x, dtype=float)


def _objective(theta: Array, kernels: Array, y: Array, severity: Array, prior: Array) -> tuple[float, Array]:
    """Return the negative log posterior of the variances and its gradient; the mean has a flat prior (REML).

    `prior` has one row each for rates, log medians and precisions of the blocks' log sds.
    """
    variance, noise = np.exp(2.0 * theta[:-2]), np.exp(theta[-2] + theta[-1] * severity)
    covariance = np.tensordot(variance, kernels, axes=1)
    covariance[np.diag_indices_from(covariance)] += noise
    lower, failed = lapack.dpotrf(covariance, lower=1)
    if failed:
        return 1e10, np.zeros_like(theta)
    inverse, _ = lapack.dpotri(lower, lower=1)
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    row = inverse.sum(axis=1)
    mean = float(row @ y / row.sum())
    alpha = inverse @ (y - mean)
    sd, off = np.exp(theta[:-2]), theta[:-2] - prior[1]
    value = 0.5 * (y - mean) @ alpha + np.log(np.diag(lower)).sum() + 0.5 * np.log(row.sum())
    value += prior[0] @ sd + 0.5 * prior[2] @ off**2
    # d/dC of the restricted likelihood: inverse minus the part spent on the mean, minus alpha alpha'.
    inverse -= np.outer(row, row) / row.sum() + np.outer(alpha, alpha)
    slopes = variance * np.einsum("kij,ij->k", kernels, inverse) + prior[0] * sd + prior[2] * off
    tail = 0.5 * np.diag(inverse) * noise
    # A weak normal prior keeps the noise slope near zero in small cohorts.
    value += 0.5 * (theta[-1] / 0.25) ** 2
    return float(value), np.concatenate([slopes, [tail.sum(), tail @ severity + theta[-1] / 0.0625]])
