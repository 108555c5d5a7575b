"""The learned encoding of people into numbers: plain arrays, applied the same way in training and in serving.

`features.blocks.FeatureEncoder` learns an Encoding from training rows; a bundle stores it. `Encoding.blocks` is the
only code that turns a Design into model columns. Every operation works within one row, so a row alone and the same
row in a table give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt

from features.counts import Array, row_sums, summed_columns
from features.covariates import Bar, CovariateCode, LevelCodes, NumericCodes, parts_of
from features.derived import KINDS, DerivedBlock
from features.design import Design, Objects
from features.taxa import known_taxa

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
    `derived` are the blocks that a run switched on; `bars`, the steps in lifestyle that a larger cohort learns; `apart`, whether squares of
    lifestyle and indicators of its blanks are blocks of their own, as they are since decision 0006: before, they were in `life`.
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
    apart: bool = False

    def names(self) -> dict[str, list[str]]:
        """Return block -> column names, in the order of `blocks`."""
        genera = [label.split("|")[-1] for label in self.genera]
        active = [arm for arm in self.arms if arm != self.comparator]
        life = self.life_names
        names = {
            "base": ["baseline"],
            "curve": ["baseline^2"],
            "arm": (["any active arm", *active] if active else []),
            **{block: [life[i] for i in at] for block, at in self._life.items()},
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
        z = _zero_for_nan((design.baseline - self.baseline_centre) / self.baseline_scale)
        taxa = self._centred(design, self._ratios(design), site)
        life = self.life_columns(design)
        parts: dict[str, Callable[[], Array]] = {
            "base": lambda: z[:, None],
            "curve": lambda: (np.square(np.clip(z, -3.0, 3.0)) - 1.0)[:, None],
            "arm": lambda: self._arm_columns(design.arm),
            **{block: partial(np.take, life, at, axis=1) for block, at in self._life.items()},
            "step": lambda: self._steps(life),
            "abundant": lambda: np.take(taxa, self.abundant, axis=1),
            "rare": lambda: np.take(taxa, self.rare, axis=1),
            "family": lambda: taxa[:, len(self.genera) :],
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
        ratios = self._ratios(design)
        return ratios[:, : len(self.genera)], ratios[:, len(self.genera) :]

    def _ratios(self, design: Design) -> Array:
        """Genera and families side by side: half the steps, of which each costs a single row as much as its work."""
        amount = self.aligned(design)
        families = summed_columns(amount, self.family_of, len(self.families))
        logs = np.concatenate([amount, families], axis=1)
        np.log(np.add(logs, self.pseudo, out=logs), out=logs)
        anchor = np.take(logs, self._anchors, axis=1)
        logs -= (np.add.reduce(anchor, axis=1) / max(anchor.shape[1], 1))[:, None]
        if not np.logical_and.reduce(design.stool):
            logs[~design.stool] = np.nan
        return logs

    def aligned(self, design: Design) -> Array:
        """Return the n × genera amounts in the vocabulary's order: absent is zero, unseen is dropped.

        Counts stay counts; other units become shares of the row's total, unseen taxa included.
        """
        known = known_taxa(design.genera, self.genera)
        amount = summed_columns(np.take(design.abundance, known.columns, axis=1), known.places, len(self.genera))
        if self.unit == "counts":
            return amount
        total = design.total[:, None]
        return np.asarray(amount / np.where(total > 0, total, 1.0))

    def unseen_share(self, design: Design) -> Array:
        """Return, per row, the share of abundance in taxa outside the vocabulary, 0 to 1."""
        known = row_sums(np.take(design.abundance, known_taxa(design.genera, self.genera).columns, axis=1))
        there = design.total > 0
        return np.asarray(1.0 - known / np.where(there, design.total, 1.0)) * there

    @property
    def life_names(self) -> list[str]:
        """Return the names of `life_columns`."""
        return [column for code in self.covariates for column in code.columns]

    @cached_property
    def _life(self) -> dict[str, npt.NDArray[np.int64]]:
        return parts_of(self.covariates) if self.apart else {"life": np.arange(len(self.life_names))}

    def life_columns(self, design: Design) -> Array:
        """Return every covariate's columns, in the order of `covariates`; the numeric ones are worked out together."""
        n = len(design)
        found = np.empty((n, self._numeric.width))
        for name, columns, codes in self._levels:
            values = design.covariates.get(name)
            found[:, columns] = codes.encode(np.full(n, None) if values is None else values)
        return self._numeric.fill(found, design.numbers(self._numeric.names)) if self._numeric.names else found

    def outside_range(self, design: Design, slack: float) -> npt.NDArray[np.bool_]:
        """Return which rows have a numeric covariate outside the training people's range by more than `slack` of its width."""
        return self._numeric.outside(design.numbers(self._numeric.names), slack)

    def _steps(self, life: Array) -> Array:
        """Return a centred and scaled 0/1 column per bar."""
        value, share = (np.array([getattr(bar, name) for bar in self.bars]) for name in ("value", "share"))
        above = life[:, [bar.at for bar in self.bars]] > value
        return np.asarray((above - share) / np.sqrt(share * (1.0 - share)))

    @cached_property
    def _numeric(self) -> NumericCodes:
        return NumericCodes.of(self.covariates)

    def _centred(self, design: Design, ratios: Array, site: SiteReference | None) -> Array:
        rows = [self._rows.get(study, len(self.studies)) for study in design.study.tolist()]
        centres = self._centres
        if site is not None:
            centres = np.concatenate([centres[:-1], np.concatenate([site.genus_centre, site.family_centre])[None]])
        ratios -= centres[rows[0]] if len(set(rows)) == 1 else np.take(centres, np.array(rows, dtype=np.int64), axis=0)
        ratios /= self._scales
        return _zero_for_nan(ratios)

    @cached_property
    def _levels(self) -> list[tuple[str, slice, LevelCodes]]:
        codes = zip(self.covariates, self._numeric.places, strict=True)
        return [(code.name, at, LevelCodes.of(code)) for code, at in codes if code.kind == "categorical"]

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.studies)}

    @cached_property
    def _anchors(self) -> npt.NDArray[np.int64]:
        return np.flatnonzero(self.anchor)

    @cached_property
    def _centres(self) -> Array:
        return np.concatenate([self.genus_centres, self.family_centres], axis=1)

    @cached_property
    def _scales(self) -> Array:
        return np.concatenate([self.genus_scale, self.family_scale])

    @cached_property
    def _arms(self) -> tuple[dict[str, int], Array]:
        """The columns of each arm, one row for each active one and a last one for all others."""
        active = [arm for arm in self.arms if arm != self.comparator]
        own = np.eye(len(active) + 1, len(active))
        columns = np.concatenate(
            [np.sqrt(POOLED) * own.sum(axis=1, keepdims=True), np.sqrt(1.0 - POOLED) * own], axis=1
        )
        return {arm: i for i, arm in enumerate(active)}, columns

    def _arm_columns(self, arms: Objects) -> Array:
        rows, columns = self._arms
        if not rows:
            return np.zeros((len(arms), 0))
        at = np.array([rows.get(arm, len(rows)) for arm in arms.tolist()], dtype=np.int64)
        return np.take(columns, at, axis=0)

    def _study_columns(self, studies: Objects) -> Array:
        if len(self.studies) < 2:
            return np.zeros((len(studies), 0))
        own = [[float(given == study) for study in self.studies] for given in studies]
        return np.array(own).reshape(len(studies), len(self.studies))


def _zero_for_nan(numbers: Array) -> Array:
    """Write 0 where nothing is known, the average of training, into numbers of one's own; return them."""
    numbers[np.isnan(numbers)] = 0.0
    return numbers
