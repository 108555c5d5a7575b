"""The learned encoding of people into numbers: plain arrays, applied the same way in training and in serving.

`features.blocks.FeatureEncoder` learns an Encoding from training rows; a bundle stores it. `Encoding.blocks` is the
only code that turns a Design into model columns. Every operation works within one row, so a row alone and the same
row in a table give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from features.counts import Array, row_sums
from features.derived import KINDS, DerivedBlock
from features.design import Design, Objects

TRANSFORMS: Mapping[str, Callable[[Array], Array]] = {
    "identity": lambda x: x,
    "log1p": lambda x: np.log1p(np.maximum(x, 0.0)),
    "log": lambda x: np.log(np.maximum(x, 0.1)),
    "sqrt": lambda x: np.sqrt(np.maximum(x, 0.0)),
}
POOLED = 0.25  # prior correlation of two active arms' effects (accuracy recipe: "pool the arms")
MICROBIOME = ("abundant", "rare", "family", *KINDS)


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
            texts = [None if value is None else _text(value) for value in values]
            known = np.array([[float(text == level) for level in self.levels] for text in texts])
            known = known.reshape(len(values), len(self.levels)) - np.array(self.shares)
            blank = np.array([text is None for text in texts], dtype=bool)
            parts = [np.where(blank[:, None], 0.0, known)]
        else:
            raw = np.array([value if isinstance(value, float) else np.nan for value in values], dtype=float)
            blank = np.isnan(raw)
            raw = np.clip(np.where(blank, self.low, raw), self.low, self.high)
            z = np.where(blank, 0.0, (TRANSFORMS[self.transform](raw) - self.centre) / self.scale)
            parts = [z[:, None]] + [np.where(blank, 0.0, z * z - 1.0)[:, None]] * self.curve
        return np.concatenate([*parts, *[blank[:, None].astype(float)] * self.indicator], axis=1)


@dataclass(frozen=True, eq=False)
class SiteReference:
    """The centre of a site's log-ratios, from its own unlabelled samples: what an unseen study is centred on."""

    name: str
    samples: int
    genus_centre: Array
    family_centre: Array


@dataclass(frozen=True, eq=False)
class Encoding:
    """All that was learned from the training rows: vocabulary, tiers, centres, scales, levels, arms, studies.

    `abundant` and `rare` index `genera`; `anchor` marks genera whose mean log is the CLR's reference;
    `genus_centres` and `family_centres` have one row per study in `studies`, the last row being the overall mean.
    `derived` are the blocks that a run switched on.
    """

    genera: tuple[str, ...]
    families: tuple[str, ...]
    family_of: npt.NDArray[np.int64]
    anchor: npt.NDArray[np.bool_]
    abundant: npt.NDArray[np.int64]
    rare: npt.NDArray[np.int64]
    pseudo: float
    studies: tuple[str, ...]
    genus_centres: Array
    genus_scale: Array
    family_centres: Array
    family_scale: Array
    covariates: tuple[CovariateCode, ...]
    baseline_centre: float
    baseline_scale: float
    arms: tuple[str, ...]
    comparator: str
    unit: str
    derived: tuple[DerivedBlock, ...] = ()

    def names(self) -> dict[str, list[str]]:
        """Return block -> column names, in the order of `blocks`."""
        genera = [label.split("|")[-1] for label in self.genera]
        active = [arm for arm in self.arms if arm != self.comparator]
        names = {
            "base": ["baseline"],
            "curve": ["baseline^2"],
            "arm": (["any active arm", *active] if active else []),
            "life": [column for code in self.covariates for column in code.columns],
            "abundant": [genera[i] for i in self.abundant],
            "rare": [genera[i] for i in self.rare],
            "family": list(self.families),
            "study": list(self.studies) if len(self.studies) > 1 else [],
            **{block.kind: list(block.columns) for block in self.derived},
        }
        return {block: columns for block, columns in names.items() if columns}

    def blocks(self, design: Design, site: SiteReference | None = None) -> dict[str, Array]:
        """Return block -> n × columns numbers; blocks without columns are left out."""
        z = (design.baseline - self.baseline_centre) / self.baseline_scale
        z = np.where(np.isnan(z), 0.0, z)
        bent = np.clip(z, -3.0, 3.0)
        genus, family = self.log_ratios(design)
        genus, family = self._centred(design, genus, family, site)
        life = [code.encode(design.covariates.get(code.name, _none(len(design)))) for code in self.covariates]
        parts = {
            "base": z[:, None],
            "curve": (bent * bent - 1.0)[:, None],
            "arm": self._arm_columns(design.arm),
            "life": np.concatenate(life, axis=1) if life else np.zeros((len(design), 0)),
            "abundant": genus[:, self.abundant],
            "rare": genus[:, self.rare],
            "family": family,
            "study": self._study_columns(design.study),
            **{block.kind: block.encode(design) for block in self.derived},
        }
        return {block: np.ascontiguousarray(part) for block, part in parts.items() if part.shape[1]}

    def log_ratios(self, design: Design) -> tuple[Array, Array]:
        """Return the n × genera and n × families centred log-ratios; rows without stool are NaN.

        CLR (Aitchison 1982) with a pseudo-count, its centre taken over the anchor genera: sparse genera move the
        geometric mean with sequencing depth, widely present ones do not.
        """
        amount = self.aligned(design)
        log_genus = np.log(amount + self.pseudo)
        log_family = np.log(_gathered(amount, self.family_of, len(self.families)) + self.pseudo)
        anchor = np.ascontiguousarray(log_genus[:, self.anchor])
        centre = (anchor.sum(axis=1) / max(anchor.shape[1], 1))[:, None]
        gap = np.where(design.stool, 0.0, np.nan)[:, None]
        return log_genus - centre + gap, log_family - centre + gap

    def aligned(self, design: Design) -> Array:
        """Return the n × genera amounts in the vocabulary's order: absent is zero, unseen is dropped.

        Counts stay counts; other units become shares of the row's total, unseen taxa included.
        """
        position = [self._position.get(label.split("|")[-1], -1) for label in design.genera]
        at = np.array(position, dtype=np.int64)
        amount = _gathered(design.abundance[:, at >= 0], at[at >= 0], len(self.genera))
        if self.unit == "counts":
            return amount
        total = row_sums(design.abundance)[:, None]
        return np.asarray(amount / np.where(total > 0, total, 1.0))

    def unseen_share(self, design: Design) -> Array:
        """Return, per row, the share of abundance in taxa outside the vocabulary, 0 to 1."""
        known = np.array([label.split("|")[-1] in self._position for label in design.genera], dtype=float)
        total = row_sums(design.abundance)
        return np.asarray(1.0 - row_sums(design.abundance * known) / np.where(total > 0, total, 1.0)) * (total > 0)

    @cached_property
    def _position(self) -> dict[str, int]:
        return {label.split("|")[-1]: i for i, label in enumerate(self.genera)}

    def _centred(self, design: Design, genus: Array, family: Array, site: SiteReference | None) -> tuple[Array, Array]:
        at = {name: i for i, name in enumerate(self.studies)}
        row = np.array([at.get(study, len(self.studies)) for study in design.study], dtype=np.int64)
        genus_centre, family_centre = self.genus_centres[row], self.family_centres[row]
        if site is not None:
            new = (row == len(self.studies))[:, None]
            genus_centre = np.where(new, site.genus_centre, genus_centre)
            family_centre = np.where(new, site.family_centre, family_centre)
        genus, family = (genus - genus_centre) / self.genus_scale, (family - family_centre) / self.family_scale
        return np.where(np.isnan(genus), 0.0, genus), np.where(np.isnan(family), 0.0, family)

    def _arm_columns(self, arms: Objects) -> Array:
        active = [arm for arm in self.arms if arm != self.comparator]
        if not active:
            return np.zeros((len(arms), 0))
        own = np.array([[float(given == arm) for arm in active] for given in arms]).reshape(len(arms), len(active))
        return np.concatenate([np.sqrt(POOLED) * own.sum(axis=1, keepdims=True), np.sqrt(1.0 - POOLED) * own], axis=1)

    def _study_columns(self, studies: Objects) -> Array:
        if len(self.studies) < 2:
            return np.zeros((len(studies), 0))
        own = [[float(given == study) for study in self.studies] for given in studies]
        return np.array(own).reshape(len(studies), len(self.studies))


def _gathered(amount: Array, at: npt.NDArray[np.int64], width: int) -> Array:
    """Return the n × width sums of the columns that share a position `at`, added from left to right in every row."""
    cell = np.arange(len(amount))[:, None] * width + at
    # bincount adds in storage order, hence the same bits for a row alone and in a table.
    sums = np.bincount(cell.ravel(), weights=np.ascontiguousarray(amount).ravel(), minlength=len(amount) * width)
    return np.asarray(sums, dtype=float).reshape(len(amount), width)


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _none(n: int) -> Objects:
    return np.full(n, None, dtype=object)
