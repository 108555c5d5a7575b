"""The additive Gaussian model: one variance per feature block, learned by penalised marginal likelihood.

y = mean + sum over blocks of X_b w_b + noise, with w_b ~ N(0, s_b^2 / p_b) and a noise variance that is log-linear in
baseline severity. Interactions of a block with the arm are blocks of their own. The standard deviations s_b carry
exponential priors (penalised complexity: Simpson et al. 2017, Stat Sci 32:1), tight on microbiome blocks, so that a
block that says nothing is shrunk to nothing. Variances by L-BFGS on the log posterior (Rasmussen & Williams 2006, ch. 5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from models.variances import PRIORS, TIGHT, Prior, variances

Array = npt.NDArray[np.float64]


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
    `arm` block; `seed` draws the rows that set the variances when there are more than 1,000; `known`, prior mean and sd of single
    weights (`block:column`, in outcome units per unit of the column). Fitted: `block_sd_` (in outcome
    units), `columns_` (name of each weight), `weights_`, `intercept_`, `noise_` (log-variance: constant, slope), `spread_`.
    """

    def __init__(
        self,
        priors: Mapping[str, Prior] | None = None,
        with_arm: Sequence[str] = WITH_ARM,
        seed: int = 0,
        known: Mapping[str, tuple[float, float]] | None = None,
    ) -> None:
        self.priors = priors
        self.with_arm = with_arm
        self.seed = seed
        self.known = known

    def fit(self, X: Any, y: Any) -> Self:
        """Learn variances and weights; raises ValueError on fewer than 2 rows or non-finite values."""
        names = _names(X)
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        self.blocks_ = _blocks(names, X.shape[1])
        self.centre_, self.unit_ = float(np.mean(y)), float(np.std(y)) or 1.0
        means = _known(self.known, names, X.shape[1])
        y = np.asarray(y, dtype=float) - X @ means[0]
        parts = expand(X, self.blocks_, self.with_arm)
        severity = X[:, self.blocks_["base"][0]] if "base" in self.blocks_ else np.zeros(len(X))
        self._learn(parts, (y - self.centre_) / self.unit_, severity, self._priors(parts, means[1]))
        # The known means are part of the weights again: what was learned is how this cohort departs from them.
        own = [means[0][self.blocks_[b]] if b in self.blocks_ else np.zeros(parts[b].shape[1]) for b in self.block_sd_]
        self.weights_: Array = self.weights_ + np.concatenate([np.zeros(0), *own])
        return self

    def _priors(self, parts: Mapping[str, Array], known_sd: Array) -> dict[str, Prior]:
        """A block whose every weight has a known sd takes its prior from those; the others from the table."""
        priors = {block: {**PRIORS, **(self.priors or {})}.get(block, TIGHT) for block in parts}
        for block, columns in self.blocks_.items():
            own = known_sd[columns]
            if np.isfinite(own).all():
                sd = float(np.sqrt((own**2).sum())) / self.unit_
                priors[block] = Prior(median=max(sd, 2.0 * NEGLIGIBLE), width=0.3)
        return priors

    def _learn(self, parts: dict[str, Array], y: Array, severity: Array, priors: Mapping[str, Prior]) -> None:
        chosen = _subset(len(y), self.seed)
        # Of blocks that may say nothing, one shrunk to nothing is left out and the rest learned anew from the start: a model offered a useless block is
        # then the very same model, to the last bit, as one that never saw it.
        rough = variances(parts, y, severity, chosen, priors, steps=20)
        parts = {
            block: part
            for (block, part), log_sd in zip(parts.items(), rough, strict=False)
            if log_sd > np.log(NEGLIGIBLE) or np.isfinite(priors[block].width)
        }
        theta = variances(parts, y, severity, chosen, priors)
        relevance = {block: np.ones(part.shape[1]) for block, part in parts.items()}
        if len(y) >= HEAVY_ROWS:
            relevance = _heavy_tails(parts, theta, y, severity)
            weighted = {block: part * relevance[block] for block, part in parts.items()}
            theta = variances(weighted, y, severity, chosen, priors, steps=10, start=theta)
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


def _known(known: Mapping[str, tuple[float, float]] | None, names: list[str] | None, width: int) -> tuple[Array, Array]:
    """Return the known mean (0 where none) and sd (infinite where none) of each column's weight."""
    pairs = [(known or {}).get(name, (0.0, np.inf)) for name in names or [""] * width]
    return np.array([mean for mean, _ in pairs]), np.array([sd for _, sd in pairs])


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
