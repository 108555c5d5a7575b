"""The learned encoding of people into numbers: plain arrays, applied the same way in training and in serving.

`features.blocks.FeatureEncoder` learns an Encoding from training rows; a bundle stores it. `Encoding.blocks` is the
only code that turns a Design into model columns. Every operation works within one row, so a row alone and the same
row in a table give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial

import numpy as np
import numpy.typing as npt

from features.counts import Array, row_sums, summed_columns
from features.covariates import Bar, CovariateCode, NumericCodes
from features.derived import KINDS, DerivedBlock
from features.design import Design, Objects

POOLED = 0.25  # prior correlation of two active arms' effects (accuracy recipe: "pool the arms")
MICROBIOME = ("abundant", "rare", "family", *KINDS)


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
    `derived` are the blocks that a run switched on; `bars`, the steps in lifestyle that a larger cohort learns.
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
    bars: tuple[Bar, ...] = ()

    def names(self) -> dict[str, list[str]]:
        """Return block -> column names, in the order of `blocks`."""
        genera = [label.split("|")[-1] for label in self.genera]
        active = [arm for arm in self.arms if arm != self.comparator]
        life = [column for code in self.covariates for column in code.columns]
        names = {
            "base": ["baseline"],
            "curve": ["baseline^2"],
            "arm": (["any active arm", *active] if active else []),
            "life": life,
            "step": [f"{life[bar.at]} above {bar.value:.3g}" for bar in self.bars],
            "abundant": [genera[i] for i in self.abundant],
            "rare": [genera[i] for i in self.rare],
            "family": list(self.families),
            "study": list(self.studies) if len(self.studies) > 1 else [],
            **{block.kind: list(block.columns) for block in self.derived},
        }
        return {block: columns for block, columns in names.items() if columns}

    def blocks(
        self, design: Design, site: SiteReference | None = None, only: Collection[str] | None = None
    ) -> dict[str, Array]:
        """Return block -> n × columns numbers, those of `only` where given; blocks without columns are left out."""
        z = (design.baseline - self.baseline_centre) / self.baseline_scale
        z = np.where(np.isnan(z), 0.0, z)
        genus, family = self.log_ratios(design)
        genus, family = self._centred(design, genus, family, site)
        life = self._life_columns(design)
        parts: dict[str, Callable[[], Array]] = {
            "base": lambda: z[:, None],
            "curve": lambda: (np.square(np.clip(z, -3.0, 3.0)) - 1.0)[:, None],
            "arm": lambda: self._arm_columns(design.arm),
            "life": lambda: life,
            "step": lambda: self._steps(life),
            "abundant": lambda: genus[:, self.abundant],
            "rare": lambda: genus[:, self.rare],
            "family": lambda: family,
            "study": lambda: self._study_columns(design.study),
            **{block.kind: partial(block.encode, design) for block in self.derived},
        }
        found = {block: part() for block, part in parts.items() if only is None or block in only}
        return {block: np.ascontiguousarray(part) for block, part in found.items() if part.shape[1]}

    def log_ratios(self, design: Design) -> tuple[Array, Array]:
        """Return the n × genera and n × families centred log-ratios; rows without stool are NaN.

        CLR (Aitchison 1982) with a pseudo-count, its centre taken over the anchor genera: sparse genera move the
        geometric mean with sequencing depth, widely present ones do not.
        """
        amount = self.aligned(design)
        log_genus = np.log(amount + self.pseudo)
        log_family = np.log(summed_columns(amount, self.family_of, len(self.families)) + self.pseudo)
        anchor = np.ascontiguousarray(log_genus[:, self.anchor])
        centre = (anchor.sum(axis=1) / max(anchor.shape[1], 1))[:, None]
        gap = np.where(design.stool, 0.0, np.nan)[:, None]
        return log_genus - centre + gap, log_family - centre + gap

    def aligned(self, design: Design) -> Array:
        """Return the n × genera amounts in the vocabulary's order: absent is zero, unseen is dropped.

        Counts stay counts; other units become shares of the row's total, unseen taxa included.
        """
        at = _places(design.genera, self.genera)
        amount = summed_columns(design.abundance[:, at >= 0], at[at >= 0], len(self.genera))
        if self.unit == "counts":
            return amount
        total = row_sums(design.abundance)[:, None]
        return np.asarray(amount / np.where(total > 0, total, 1.0))

    def unseen_share(self, design: Design) -> Array:
        """Return, per row, the share of abundance in taxa outside the vocabulary, 0 to 1."""
        known = (_places(design.genera, self.genera) >= 0).astype(float)
        total = row_sums(design.abundance)
        return np.asarray(1.0 - row_sums(design.abundance * known) / np.where(total > 0, total, 1.0)) * (total > 0)

    def _life_columns(self, design: Design) -> Array:
        """Every covariate's columns, in the order of `covariates`; the numeric ones are worked out together."""
        n = len(design)
        raw = [design.covariates.get(code.name) for code in self.covariates]
        found = np.empty((n, self._numeric.width))
        for code, values, columns in zip(self.covariates, raw, self._numeric.places, strict=True):
            if code.kind == "categorical":
                found[:, columns] = code.encode(_none(n) if values is None else values)
        numbers = [column for code, column in zip(self.covariates, raw, strict=True) if code.kind != "categorical"]
        if numbers:
            self._numeric.fill(found, numbers)
        return found

    def outside_range(self, design: Design, slack: float) -> npt.NDArray[np.bool_]:
        """Return which rows have a numeric covariate outside the training people's range by more than `slack` of its width."""
        numbers = [design.covariates.get(code.name) for code in self.covariates if code.kind != "categorical"]
        return self._numeric.outside(numbers, len(design), slack)

    def _steps(self, life: Array) -> Array:
        """Return a centred and scaled 0/1 column per bar."""
        value, share = (np.array([getattr(bar, name) for bar in self.bars]) for name in ("value", "share"))
        above = life[:, [bar.at for bar in self.bars]] > value
        return np.asarray((above - share) / np.sqrt(share * (1.0 - share)))

    @cached_property
    def _numeric(self) -> NumericCodes:
        return NumericCodes.of(self.covariates)

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


@lru_cache(maxsize=16)
def _places(genera: tuple[str, ...], vocabulary: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """Return the place of each genus in the vocabulary, -1 where it has none; found once for the several who ask in turn."""
    position = _position(vocabulary)
    return np.array([position.get(label.rpartition("|")[2], -1) for label in genera], dtype=np.int64)


@lru_cache(maxsize=16)
def _position(vocabulary: tuple[str, ...]) -> dict[str, int]:
    return {label.split("|")[-1]: i for i, label in enumerate(vocabulary)}


def _none(n: int) -> Objects:
    return np.full(n, None, dtype=object)
