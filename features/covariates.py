"""Lifestyle columns as numbers: what a fit learned of each, and how raw values become centred and scaled columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from features.counts import Array
from features.design import Objects, numbers_of

#: Transform -> its function, and the least number that it is given; "identity" needs neither.
TRANSFORMS: Mapping[str, tuple[np.ufunc, float]] = {
    "log1p": (np.log1p, 0.0),
    "log": (np.log, 0.1),
    "sqrt": (np.sqrt, 0.0),
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
        if self.kind == "categorical":
            return LevelCodes.of(self).encode(values)
        codes = NumericCodes.of((self,))
        return codes.fill(np.empty((len(values), codes.width)), numbers_of([values], len(values)))


def parts_of(codes: Sequence[CovariateCode]) -> dict[str, npt.NDArray[np.int64]]:
    """Return which of all columns are a covariate itself (`life`), its square (`bend`) or its indicator of a blank (`blank`)."""
    kinds = [
        kind for code in codes
        for kind in ["life"] * (len(code.columns) - code.curve - code.indicator) + ["bend"] * code.curve + ["blank"] * code.indicator
    ]  # fmt: skip
    return {part: np.flatnonzero(np.array(kinds, dtype=str) == part) for part in ("life", "bend", "blank")}


@dataclass(frozen=True)
class Bar:
    """A step: whether encoded lifestyle column `at` lies above `value`, as `share` of the training rows do."""

    at: int
    value: float
    share: float


class LevelCodes(NamedTuple):
    """A categorical covariate as a table: the row of each level, of a level unknown at fit and, last, of a blank."""

    rows: Mapping[str, int]
    table: Array

    @classmethod
    def of(cls, code: CovariateCode) -> LevelCodes:
        """Write out the columns that each value becomes."""
        k = len(code.levels)
        table = np.zeros((k + 2, len(code.columns)))
        table[: k + 1, :k] = np.eye(k + 1, k) - np.array(code.shares)
        table[k + 1, k:] = 1.0
        return cls({level: i for i, level in enumerate(code.levels)}, table)

    def encode(self, values: Objects) -> Array:
        """Return the n × columns numbers of raw values (float, text or None)."""
        blank = len(self.rows) + 1
        texts = (None if value is None else text_of(value) for value in values.tolist())
        rows = [blank if text is None else self.rows.get(text, blank - 1) for text in texts]
        return np.take(self.table, np.array(rows, dtype=np.int64), axis=0)


class NumericCodes(NamedTuple):
    """The numeric ones among some covariates, as arrays of k: worked out together, a fraction of the cost of one by one.

    `names` are in the order of their transforms, each a run of them. `places` says, per covariate of any kind, which of `width`
    columns it fills; numbers are held between the two bounds `held`, the training range as far as a transform can take it. The
    index arrays pick columns of the numeric ones: `own` for the number itself, `curved` and `flagged` for those with a square
    and with an indicator.
    """

    width: int
    places: tuple[slice, ...]
    names: tuple[str, ...]
    low: Array
    high: Array
    held: tuple[Array, Array]
    centre: Array
    scale: Array
    transforms: tuple[tuple[np.ufunc, slice], ...]
    own: npt.NDArray[np.int64]
    curved: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
    flagged: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]

    @classmethod
    def of(cls, codes: tuple[CovariateCode, ...]) -> NumericCodes:
        """Lay out the columns of covariates."""
        places = [slice(a, b) for a, b in pairwise(np.cumsum([0, *(len(code.columns) for code in codes)]).tolist())]
        numeric = [(code, at.start) for code, at in zip(codes, places, strict=True) if code.kind != "categorical"]
        numeric.sort(key=lambda one: one[0].transform)
        kinds = [code.transform for code, _ in numeric]
        curved = [(k, start + 1) for k, (code, start) in enumerate(numeric) if code.curve]
        flagged = [(k, start + 1 + code.curve) for k, (code, start) in enumerate(numeric) if code.indicator]
        low, high, centre, scale = (
            np.array([getattr(c, name) for c, _ in numeric]) for name in ("low", "high", "centre", "scale")
        )
        least = np.array([TRANSFORMS.get(kind, (None, -np.inf))[1] for kind in kinds])
        runs = [(kind, kinds.index(kind)) for kind in dict.fromkeys(kinds) if kind in TRANSFORMS]
        return cls(
            places[-1].stop if places else 0, tuple(places),
            tuple(code.name for code, _ in numeric), low, high, (np.maximum(low, least), np.maximum(high, least)), centre, scale,
            tuple((TRANSFORMS[kind][0], slice(at, at + kinds.count(kind))) for kind, at in runs),
            _whole([start for _, start in numeric]),
            (_whole([k for k, _ in curved]), _whole([at for _, at in curved])),
            (_whole([k for k, _ in flagged]), _whole([at for _, at in flagged])),
        )  # fmt: skip

    def fill(self, found: Array, raw: Array) -> Array:
        """Write the columns of n × k raw numbers (NaN: blank) into the n × width numbers; return them."""
        blank = np.isnan(raw)
        z = np.fmax(raw, self.held[0])  # a blank becomes the lowest, then 0
        np.minimum(z, self.held[1], out=z)
        for function, run in self.transforms:
            function(part := z[:, run], out=part)
        z -= self.centre
        z /= self.scale
        z[blank] = 0.0
        found[:, self.own] = z
        if len(self.curved[0]):
            square = np.take(z, self.curved[0], axis=1)
            found[:, self.curved[1]] = np.where(np.take(blank, self.curved[0], axis=1), 0.0, square * square - 1.0)
        if len(self.flagged[0]):
            found[:, self.flagged[1]] = np.take(blank, self.flagged[0], axis=1)
        return found

    def outside(self, raw: Array, slack: float) -> npt.NDArray[np.bool_]:
        """Return which of n rows have a number outside the training range by more than `slack` of its width."""
        room = slack * (self.high - self.low)
        return np.asarray(((raw < self.low - room) | (raw > self.high + room)).any(axis=1))


def text_of(value: Any) -> str:
    """Return a raw value as the text of a level."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _whole(numbers: list[int]) -> npt.NDArray[np.int64]:
    return np.array(numbers, dtype=np.int64)
