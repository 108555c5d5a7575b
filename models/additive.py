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
from scipy.linalg import cho_factor, cho_solve, eigh, solve_triangular
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from models.horseshoe import Posterior, horseshoe
from models.variances import FEW, MIDDLE, PRIORS, TIGHT, Prior, variances

Array = npt.NDArray[np.float64]


WITH_ARM = ("base", "life", "abundant", "family")
SPARSE = ("abundant", "rare", "family")  # blocks of which few columns matter, and
SPARSE_ROWS = 400  # the rows from which these can be told; with fewer all columns share the block's variance
MIDDLE_ROWS = 200  # the rows of a fit from which, up to those, the abundant genera are not left out
SPOKEN = 0.1  # sd, in units of the outcome's, above which a few taxa say something where their block as a whole did not
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
        self._learn(parts, (y - self.centre_) / self.unit_, self._severity(X), self._priors(parts, means[1], len(y)))
        # The known means are part of the weights again: what was learned is how this cohort departs from them.
        own = [means[0][self.blocks_[b]] if b in self.blocks_ else np.zeros(parts[b].shape[1]) for b in self.block_sd_]
        self.weights_: Array = self.weights_ + np.concatenate([np.zeros(0), *own])
        return self

    def _priors(self, parts: Mapping[str, Array], known_sd: Array, n: int) -> dict[str, Prior]:
        """A block whose every weight has a known sd takes its prior from those; the others from the table."""
        table = {**PRIORS, **(FEW if n < SPARSE_ROWS else {}), **(MIDDLE if MIDDLE_ROWS <= n < SPARSE_ROWS else {})}
        priors = {block: {**table, **(self.priors or {})}.get(block, TIGHT) for block in parts}
        for block, columns in self.blocks_.items():
            own = known_sd[columns]
            if np.isfinite(own).all():
                sd = float(np.sqrt((own**2).sum())) / self.unit_
                priors[block] = Prior(median=max(sd, 2.0 * NEGLIGIBLE), width=0.3)
        return priors

    def _learn(self, parts: dict[str, Array], y: Array, severity: Array, priors: Mapping[str, Prior]) -> None:
        chosen = _subset(len(y), self.seed)
        # Of blocks that may say nothing, one shrunk to nothing is left out and the rest learned anew from the start: a model offered a useless block is
        # then the very same model, to the last bit, as one that never saw it (but for the abundant genera of `MIDDLE`, and what `_few` finds by chance).
        rough = variances(parts, y, severity, chosen, priors, steps=20)
        kept = {
            block: part
            for (block, part), log_sd in zip(parts.items(), rough, strict=False)
            if log_sd > np.log(NEGLIGIBLE) or np.isfinite(priors[block].width)
        }
        theta = variances(kept, y, severity, chosen, priors)
        self.noise_ = (float(theta[-2]), float(theta[-1]))
        noise = self._noise(severity)
        sd = dict(zip(kept, np.exp(theta[:-2]).tolist(), strict=True))
        if len(y) >= SPARSE_ROWS and not any(block in SPARSE for block in sd):
            sd |= self._few(parts, sd, y, noise)
        parts = {block: part for block, part in parts.items() if block in sd}
        self.block_sd_ = {block: sd[block] * self.unit_ for block in parts}
        self.columns_ = [f"{block}:{j}" for block, part in parts.items() for j in range(part.shape[1])]
        scale = _scales(parts, sd)
        # Heredity (Chipman 1996, Can J Stat 24:17): single taxa are looked for under arms only where taxa say something by themselves.
        if len(y) >= SPARSE_ROWS and any(block in SPARSE for block in parts):
            mean, weights = self._sparse(parts, scale, y, noise, priors)
        else:
            mean, weights = _gaussian(parts, scale, y, noise)
        self.intercept_ = self.centre_ + self.unit_ * mean
        self.weights_ = self.unit_ * weights
        self._spread(_beside(parts, len(y)), np.concatenate([np.zeros(0), *scale.values()]), noise)

    def _few(self, parts: Mapping[str, Array], sd: Mapping[str, float], y: Array, noise: Array) -> dict[str, float]:
        """Return the sd of what the blocks of taxa say under a horseshoe, those where it is next to nothing left out.

        One variance for a whole block is blind to a few genera among many; where there is nothing to find what is said seldom comes to `SPOKEN`.
        """
        taxa = {block: parts[block] for block in SPARSE if block in parts}
        if not taxa:
            return {}
        kept = {block: parts[block] for block in sd}
        own = _beside(kept, len(y)) * np.concatenate([np.zeros(0), *_scales(kept, sd).values()])
        found = self._sampled(own, taxa, y, noise).sparse
        ends = np.cumsum([part.shape[1] for part in taxa.values()])[:-1]
        said = zip(taxa.items(), np.split(found, ends), strict=True)
        return {block: amount for (block, part), w in said if (amount := float((part @ w).std())) > SPOKEN}

    def _severity(self, X: Array) -> Array:
        """Return the n baselines, 0 where the model has none."""
        return X[:, self.blocks_["base"][0]] if "base" in self.blocks_ else np.zeros(len(X))

    def _noise(self, severity: Array) -> Array:
        """Return the noise's variance at some severities, in units of the outcome's."""
        return np.asarray(np.exp(np.clip(self.noise_[0] + self.noise_[1] * severity, -12.0, 6.0)))

    def _sparse(self, parts: Mapping[str, Array], scale: dict[str, Array], y: Array, noise: Array,
                priors: Mapping[str, Prior]) -> tuple[float, Array]:  # fmt: skip
        """Return intercept and weights under a horseshoe on the taxa, whose typical prior sds are put into `scale`."""
        taxa = [block for block in parts if _own(block) in SPARSE]
        widths = {block: parts[block].shape[1] for block in taxa}
        scale |= {b: np.full(width, _granted(priors[b]) / np.sqrt(width)) for b, width in widths.items()}
        prior = np.concatenate([*scale.values()])
        own = (_beside(parts, len(y)) * prior)[:, prior > 0]
        found = self._sampled(own, {block: parts[block] for block in taxa}, y, noise)
        weights = np.zeros(len(prior))
        weights[prior > 0] = found.own[1:] * prior[prior > 0]
        weights[np.concatenate([np.full(part.shape[1], block in taxa) for block, part in parts.items()])] += (
            found.sparse
        )
        own_scale = np.split(found.scale, np.cumsum([*widths.values()])[:-1])
        scale |= {block: np.hypot(scale[block], sd) for block, sd in zip(taxa, own_scale, strict=True)}
        return float(found.own[0]), weights

    def _sampled(self, own: Array, taxa: Mapping[str, Array], y: Array, noise: Array) -> Posterior:
        """Return the posterior of columns with N(0, 1) weights and, beside them, of taxa under a horseshoe."""
        root, widths = np.sqrt(noise)[:, None], {block: part.shape[1] for block, part in taxa.items()}
        own, sparse = np.column_stack([1.0 / root, own / root]), _beside(taxa, len(y)) / root
        return horseshoe(own, sparse, y / root[:, 0], [*widths.values()], self._taxa(widths), self.seed)

    def _taxa(self, widths: Mapping[str, int]) -> npt.NDArray[np.int64]:
        """Return the taxon of each column of some blocks, by number: one and the same in a block and under every arm."""
        copies = {block: width // len(self.blocks_[_own(block)]) for block, width in widths.items()}
        names = [f"{_own(block)}:{j // copies[block]}" for block, width in widths.items() for j in range(width)]
        return np.unique(names, return_inverse=True)[1]

    def _spread(self, wide: Array, scale: Array, noise: Array) -> None:
        """Prior sds of the weights and the leading directions of what the data say of them."""
        lower = np.linalg.cholesky(wide * scale**2 @ wide.T + np.diag(noise))
        learned = solve_triangular(lower, wide * scale, lower=True)
        # Not a singular value decomposition of `learned`: LAPACK's fast one fails to converge on some finite tables.
        n, rank = len(wide), min(RANK, *learned.shape)
        directions = eigh(learned @ learned.T, subset_by_index=(n - rank, n - 1))[1] if rank else np.zeros((n, 0))
        self.spread_ = np.asarray(directions.T @ learned * scale * self.unit_)
        self.prior_ = scale * self.unit_

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Return the n predictions, and with `return_std` the n predictive standard deviations (noise included)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        parts = expand(X, self.blocks_, self.with_arm)
        wide = _beside({block: parts[block] for block in self.block_sd_}, len(X))
        mean = self.intercept_ + wide @ self.weights_
        if not return_std:
            return mean
        noise = self._noise(self._severity(X)) * self.unit_**2
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


def _scales(parts: Mapping[str, Array], sd: Mapping[str, float]) -> dict[str, Array]:
    """Return the prior sd of each weight: a block's variance is shared by its columns."""
    return {block: np.full(p.shape[1], sd[block] / np.sqrt(p.shape[1])) for block, p in parts.items()}


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


def _gaussian(parts: Mapping[str, Array], scale: Mapping[str, Array], y: Array, noise: Array) -> tuple[float, Array]:
    """Return the intercept, under a flat prior, and the mean of the weights given their prior sds."""
    prior = np.concatenate([np.zeros(0), *scale.values()])
    scaled = _beside(parts, len(y)) * prior
    factor = cho_factor(scaled @ scaled.T + np.diag(noise), lower=True)
    ones = cho_solve(factor, np.ones(len(y)))
    mean = float(ones @ y / ones.sum())
    return mean, prior * (scaled.T @ cho_solve(factor, y - mean))


def _own(block: str) -> str:
    return block.removeprefix("arm×")


def _granted(prior: Prior) -> float:
    """Return the sd a block of taxa is granted whatever the data say: what its prior expects where it is never left out."""
    return prior.median if np.isfinite(prior.width) else 0.0
