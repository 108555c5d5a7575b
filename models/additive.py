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
from scipy.linalg import cho_factor, cho_solve, lapack, solve_triangular
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

Array = npt.NDArray[np.float64]

# Rate of the exponential prior on each block's sd, in units of the outcome's sd: a microbiome block is expected to hold
# about 2/13^2 = 1 % of the variance; baseline, arm and lifestyle are left nearly free.
RATES: Mapping[str, float] = {
    "base": 0.5, "curve": 6.0, "arm": 2.0, "life": 2.0, "study": 4.0, "abundant": 13.0, "rare": 13.0, "family": 13.0,
}  # fmt: skip
INTERACTION_RATE = 13.0
WITH_ARM = ("base", "life", "abundant", "family")
NEGLIGIBLE = 0.03  # sd, in units of the outcome's, below which a block is left out (0.1 % of the variance)
RANK = 64  # directions kept of the posterior covariance: what the data say about f beyond the prior
LIKELIHOOD_ROWS = 1000  # rows that set the variances; a dozen numbers need no more, and the cost is cubic


class AdditiveBlockRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Additive block-variance regressor.

    X is n × p; a data frame whose columns are named `block:column` has those blocks, any other X is one block.
    Parameters: `rates` replaces prior rates per block (larger = tighter); `with_arm`, the blocks that interact with the
    `arm` block; `seed` draws the rows that set the variances when there are more than 1,000. Fitted: `block_sd_` (in outcome
    units), `columns_` (name of each weight), `weights_`, `intercept_`, `noise_` (log-variance: constant, slope), `spread_`.
    """

    def __init__(
        self, rates: Mapping[str, float] | None = None, with_arm: Sequence[str] = WITH_ARM, seed: int = 0
    ) -> None:
        self.rates = rates
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
        rates = {block: _rate(block, self.rates or {}) for block in parts}
        kernels = {block: part[chosen] @ part[chosen].T / part.shape[1] for block, part in parts.items()}
        theta = _maximise(kernels, y[chosen], severity[chosen], rates)
        # A block shrunk to nothing is left out and the rest learned anew: a model offered a useless block is then the
        # very same model, to the last bit, as one that never saw it.
        kept = [block for block, log_sd in zip(parts, theta[:-2], strict=True) if log_sd > np.log(NEGLIGIBLE)]
        if len(kept) < len(parts):
            parts, kernels = ({block: table[block] for block in kept} for table in (parts, kernels))
            theta = _maximise(kernels, y[chosen], severity[chosen], rates)
        sd, self.noise_ = np.exp(theta[:-2]), (float(theta[-2]), float(theta[-1]))
        self.block_sd_ = {block: float(s * self.unit_) for block, s in zip(parts, sd, strict=True)}
        self.columns_ = [f"{block}:{j}" for block, part in parts.items() for j in range(part.shape[1])]
        scales = [
            np.full(part.shape[1], s / np.sqrt(part.shape[1])) for part, s in zip(parts.values(), sd, strict=True)
        ]
        self.scale_ = np.concatenate([np.zeros(0), *scales])
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


def _rate(block: str, own: Mapping[str, float]) -> float:
    return own.get(block, INTERACTION_RATE if block.startswith("arm×") else RATES.get(block, 1.0))


def _subset(n: int, seed: int) -> npt.NDArray[np.int64]:
    if n <= LIKELIHOOD_ROWS:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, LIKELIHOOD_ROWS, replace=False))


def _maximise(by_block: Mapping[str, Array], y: Array, severity: Array, rate_of: Mapping[str, float]) -> Array:
    """Return log sds of the blocks, then the noise's log-variance and its slope in severity."""
    kernels = np.array(list(by_block.values())).reshape(len(by_block), len(y), len(y))
    rates = np.array([rate_of[block] for block in by_block])
    start = np.concatenate([np.log(np.full(len(kernels), 0.1)), [np.log(0.7), 0.0]])
    bounds = [(-7.0, 2.0)] * len(kernels) + [(-8.0, 3.0), (-1.0, 1.0)]
    found = minimize(_objective, start, args=(kernels, y, severity, rates), jac=True, method="L-BFGS-B", bounds=bounds,
                     options={"maxiter": 60, "ftol": 1e-7})  # fmt: skip
    return np.asarray(found.x, dtype=float)


def _objective(theta: Array, kernels: Array, y: Array, severity: Array, rates: Array) -> tuple[float, Array]:
    """Return the negative log posterior of the variances and its gradient; the mean has a flat prior (REML)."""
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
    sd = np.exp(theta[:-2])
    value = 0.5 * (y - mean) @ alpha + np.log(np.diag(lower)).sum() + 0.5 * np.log(row.sum()) + rates @ sd
    # d/dC of the restricted likelihood: inverse minus the part spent on the mean, minus alpha alpha'.
    inverse -= np.outer(row, row) / row.sum() + np.outer(alpha, alpha)
    slopes = variance * np.einsum("kij,ij->k", kernels, inverse) + rates * sd
    tail = 0.5 * np.diag(inverse) * noise
    # A weak normal prior keeps the noise slope near zero in small cohorts.
    value += 0.5 * (theta[-1] / 0.25) ** 2
    return float(value), np.concatenate([slopes, [tail.sum(), tail @ severity + theta[-1] / 0.0625]])
