"""What held-out residuals say of a model's noise (`models.noise`)."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import GammaRegressor

from features.counts import Array
from models.noise import FLAT, Noise

SLOPE_SD = 0.25  # prior sd of the slope, as in the additive model: near zero in small cohorts


def learn_noise(squares: Array, severity: Array) -> Noise:
    """Return the noise of n squared held-out residuals, in points², by penalised likelihood (Harvey 1976, Econometrica 44:461).

    Normal residuals whose log-variance is linear have the score equations of a gamma regression of their squares.
    """
    if not squares.any():
        return FLAT
    # scikit-learn halves the penalty and takes the mean of the deviance's halves: each twice a person's share of the likelihood.
    model = GammaRegressor(alpha=2.0 / (len(squares) * SLOPE_SD**2), tol=1e-8, max_iter=1000)
    model.fit(severity[:, None], np.maximum(squares, 1e-9 * squares.mean()))
    return Noise(float(np.exp(0.5 * model.intercept_)), float(model.coef_[0]))
