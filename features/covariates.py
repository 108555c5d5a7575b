"""Lifestyle columns as numbers: what a fit learned of each, and how raw values become centred and scaled columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from features.counts import Array
from features.design import Objects

TRANSFORMS: Mapping[str, Callable[[Array], Array]] = {
    "identity": lambda x: x,
    "log1p": lambda x: np.log1p(np.maximum(x, 0.0)),
    "log": lambda x: np.log(np.maximum(x, 0.1)),
    "sqrt": lambda x: np.sqrt(np.maximum(x, 0.0)),
}


@dataclass(frozen=True)
class CovariateCode:
    """How one lifestyle column becomes numbers; learned at fit and frozen.

    A numeric column is transformed, clipped to the training range, centred and scaled; `curve` adds its square.
    A categorical column has one 0/1 column per level, centred. A blank becomes the training mean (0) and, where
    `indicator`, a 1 in a column of its own.
    """

    name: str
    kind: str
    transform: str = "identity"
    low: float = 0.0
    high: float = 0.0
    centre: float = 0.0
    scale: float = 1.0
    curve: bool = False
    levels: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    indicator: bool = False

    @property
    def columns(self) -> list[str]:
        """Return the names of the columns this covariate becomes."""
        own = [f"{self.name}={level}" for level in self.levels] if self.kind == "categorical" else [self.name]
        return own + [f"{self.name}^2"] * self.curve + [f"{self.name} missing"] * self.indicator

    def encode(self, values: Objects) -> Array:
        """Return the n × len(columns) numbers of raw values (float, text or None)."""
        if self.kind != "categorical":
            codes = NumericCodes.of((self,))
            return codes.fill(np.empty((len(values), codes.width)), [values])
        texts = [None if value is None else text_of(value) for value in values]
        known = np.array([[float(text == level) for level in self.levels] for text in texts])
        known = known.reshape(len(values), len(self.levels)) - np.array(self.shares)
        blank = np.array([text is None for text in texts], dtype=bool)[:, None]
        return np.concatenate([np.where(blank, 0.0, known), *[blank.astype(float)] * self.indicator], axis=1)


@dataclass(frozen=True)
class Bar:
    """A step: whether encoded lifestyle column `at` lies above `value`, as `share` of the training rows do."""

    at: int
    value: float
    share: float


class NumericCodes(NamedTuple):
    """The numeric ones among some covariates, as arrays of k: worked out together, a fraction of the cost of one by one.

    `places` says, per covariate of any kind, which of `width` columns it fills; the other index arrays pick columns of the
    numeric ones: `own` for the number itself, `curved` and `flagged` for those with a square and with an indicator.
    """

    width: int
    places: tuple[slice, ...]
    low: Array
    high: Array
    centre: Array
    scale: Array
    transforms: tuple[tuple[str, npt.NDArray[np.int64]], ...]
    own: npt.NDArray[np.int64]
    curved: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
    flagged: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]

    @classmethod
    def of(cls, codes: tuple[CovariateCode, ...]) -> NumericCodes:
        """Lay out the columns of covariates."""
        ends = np.cumsum([len(code.columns) for code in codes], dtype=np.int64).tolist()
        starts = [0, *ends[:-1]]
        numeric = [(code, start) for code, start in zip(codes, starts, strict=True) if code.kind != "categorical"]
        kinds = sorted({code.transform for code, _ in numeric} - {"identity"})
        curved = [(k, start + 1) for k, (code, start) in enumerate(numeric) if code.curve]
        flagged = [(k, start + 1 + code.curve) for k, (code, start) in enumerate(numeric) if code.indicator]
        bounds = [np.array([getattr(c, name) for c, _ in numeric]) for name in ("low", "high", "centre", "scale")]
        return cls(
            ends[-1] if ends else 0, tuple(slice(a, b) for a, b in zip(starts, ends, strict=True)), bounds[0], bounds[1], bounds[2], bounds[3],
            tuple((kind, _whole([k for k, (c, _) in enumerate(numeric) if c.transform == kind])) for kind in kinds),
            _whole([start for _, start in numeric]),
            (_whole([k for k, _ in curved]), _whole([at for _, at in curved])),
            (_whole([k for k, _ in flagged]), _whole([at for _, at in flagged])),
        )  # fmt: skip

    def fill(self, found: Array, values: Sequence[Objects | None]) -> Array:
        """Write the columns of k raw value columns (None: all blank) into the n × width numbers; return them."""
        raw = self.cells(values, len(found))
        blank = np.isnan(raw)
        raw = np.minimum(np.maximum(np.where(blank, self.low, raw), self.low), self.high)
        for kind, at in self.transforms:
            raw[:, at] = TRANSFORMS[kind](raw[:, at])
        z = np.where(blank, 0.0, (raw - self.centre) / self.scale)
        found[:, self.own] = z
        square, blank_of = z[:, self.curved[0]], blank[:, self.curved[0]]
        found[:, self.curved[1]] = np.where(blank_of, 0.0, square * square - 1.0)
        found[:, self.flagged[1]] = blank[:, self.flagged[0]]
        return found

    def cells(self, values: Sequence[Objects | None], n: int) -> Array:
        """Return k raw value columns (None: all blank) as n × k numbers; what is not a number is NaN."""
        nan = float("nan")
        cells = [
            [nan] * n if column is None else [value if isinstance(value, float) else nan for value in column.tolist()]
            for column in values
        ]
        return np.array(cells, dtype=float).reshape(len(cells), n).T

    def outside(self, values: Sequence[Objects | None], n: int, slack: float) -> npt.NDArray[np.bool_]:
        """Return which of n rows have a number outside the training range by more than `slack` of its width."""
        raw, room = self.cells(values, n), slack * (self.high - self.low)
        return np.asarray(((raw < self.low - room) | (raw > self.high + room)).any(axis=1))


def text_of(value: Any) -> str:
    """Return a raw value as the text of a level."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _whole(numbers: list[int]) -> npt.NDArray[np.int64]:
    return np.array(numbers, dtype=np.int64)
