"""How far a model misses that has no predictive variance of its own: an sd whose logarithm is linear in baseline severity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


class Noise(NamedTuple):
    """The sd at mean severity, in points, and the slope of the log-variance per sd of severity."""

    rmse: float = 1.0
    steep: float = 0.0

    def sd(self, severity: Array) -> Array:
        """Return the n sds at some severities."""
        return np.asarray(self.rmse * np.exp(0.5 * self.steep * severity))


FLAT = Noise()  # where nothing was learned: residuals are not scaled


def severity_in(parts: Mapping[str, Array]) -> Array:
    """Return the n severities of encoded blocks, 0 where the baseline is not among them."""
    return parts["base"][:, 0] if "base" in parts else np.zeros(len(next(iter(parts.values()))))
