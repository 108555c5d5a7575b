"""May this person be answered? Limits learned from the training people, and the reason codes of a refusal.

A rule that protects people is a small named module: thresholds on top, one table of checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from features.counts import row_sums
from features.derived import functions_of
from features.design import Design
from features.encoding import Encoding
from features.taxa import genus_of
from features.taxa_report import LEAST_NAMED

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

UNSEEN_TAXA_REFUSE = 0.5  # share of abundance outside the training vocabulary from which no answer is given
UNSEEN_TAXA_WIDEN = 0.2
FAR = 2.5  # times the distance within which 99 % of the training people lie, from which no answer is given
RANGE_SLACK = 0.25  # share of a covariate's training range that a value may lie outside of it
RANGE_FACTOR = 1.25  # a stated allowance, as nothing was measured out there

REASONS = {
    "missing_baseline": "no baseline score",
    "baseline_outside_training": "baseline score outside the range of the training people",
    "arm_not_trained": "the intervention is not an arm of training",
    "unmapped_taxa": "more than half of the sample is in taxa the model does not know",
    "few_named_taxa": "less than a tenth of the sample is in taxa with a named genus",
    "many_unseen_taxa": "a fifth or more of the sample is in taxa the model does not know (interval widened)",
    "no_stool_sample": "no stool sample (interval widened)",
    "no_functions": "no table of gene families, which the model reads (their average of training is used, interval widened)",
    "new_study": "a study or site that training never saw, centred on its own samples (interval of a new study)",
    "unseen_study": "a study or site that training never saw, without a site reference (interval widened)",
    "protocol_mismatch": "the sample was taken or sequenced by a protocol that training never saw",
    "unlike_training": "far from all training people in its blocks of features",
    "unusual_profile": "further from the training people than 99 % of them (interval widened by that much)",
    "covariate_outside_training": "a lifestyle value well outside the range of the training people (interval widened)",
    "no_interval_for_group": "too few training people in this person's group for an interval of its own (no interval)",
}


@dataclass(frozen=True, eq=False)
class Limits:
    """What the training people were like: range of baseline, whether the model needs stool, and what lacking it costs.

    `no_stool` multiplies the predictive sd of rows without a sample or with many unknown taxa. `protocols` are those of the
    training samples, none where nobody said.
    """

    baseline_low: float
    baseline_high: float
    needs_stool: bool
    no_stool: float = 1.0
    protocols: tuple[str, ...] = ()

    def judge(
        self, design: Design, encoding: Encoding, centred: bool, new_study: float, unlike: Array
    ) -> tuple[Flags, tuple[tuple[str, ...], ...], Array]:
        """Return which rows may be answered, reason codes per row, and the factor on the predictive sd.

        `unlike` is each row's `models.likeness.Likeness.distance`.
        """
        unseen = encoding.unseen_share(design) if self.needs_stool else np.zeros(len(design))
        new_site = np.array([study not in encoding.studies for study in design.study], dtype=bool)
        refused = {
            "missing_baseline": np.isnan(design.baseline),
            "baseline_outside_training": (design.baseline < self.baseline_low) | (design.baseline > self.baseline_high),
            "arm_not_trained": np.array([arm not in encoding.arms for arm in design.arm], dtype=bool),
            "unmapped_taxa": unseen > UNSEEN_TAXA_REFUSE,
            "few_named_taxa": _few_named(design) & self.needs_stool,
            "protocol_mismatch": self._other_protocol(design),
            "unlike_training": unlike > FAR,
        }  # fmt: skip
        widened: dict[str, tuple[Flags, float | Array]] = {
            "many_unseen_taxa": ((unseen > UNSEEN_TAXA_WIDEN) & (unseen <= UNSEEN_TAXA_REFUSE), self.no_stool),
            "no_stool_sample": (~design.stool & self.needs_stool, self.no_stool),
            "no_functions": (_without_functions(design, encoding), self.no_stool),
            "unusual_profile": ((unlike > 1.0) & (unlike <= FAR), unlike),
            "covariate_outside_training": (encoding.outside_range(design, RANGE_SLACK), RANGE_FACTOR),
            "unseen_study": (new_site & (not centred), new_study),
            "new_study": (new_site & centred, new_study),
        }
        return _summed_up(refused, widened)

    def _other_protocol(self, design: Design) -> Flags:
        """Rows whose sample names a protocol that none of the training samples had; a sample that names none is let through."""
        if design.protocol is None or not self.protocols or not self.needs_stool:
            return np.zeros(len(design), dtype=bool)
        return np.array([own is not None and str(own) not in self.protocols for own in design.protocol], dtype=bool)


def with_reason(reasons: tuple[tuple[str, ...], ...], code: str, hit: Flags) -> tuple[tuple[str, ...], ...]:
    """Return the reasons with a code added to the rows it holds for."""
    return tuple((*own, code) if holds else own for own, holds in zip(reasons, hit, strict=True))


def _summed_up(
    refused: Mapping[str, Flags], widened: Mapping[str, tuple[Flags, float | Array]]
) -> tuple[Flags, tuple[tuple[str, ...], ...], Array]:
    """Return what `judge` does; most rows have no reason at all, so what holds for nobody is passed over."""
    hits = np.array([*refused.values(), *(hit for hit, _ in widened.values())])
    somebody = np.asarray(hits.any(axis=1)).tolist()
    factors = [*([None] * len(refused)), *(factor for _, factor in widened.values())]
    answered, factor = np.ones(hits.shape[1], dtype=bool), np.ones(hits.shape[1])
    reasons: list[tuple[str, ...]] = [()] * hits.shape[1]
    for k, code in enumerate([*refused, *widened]):
        if not somebody[k]:
            continue
        if (own := factors[k]) is None:
            answered &= ~hits[k]
        else:
            factor = np.where(hits[k], np.maximum(factor, own), factor)
        for i in np.flatnonzero(hits[k]).tolist():
            reasons[i] = (*reasons[i], code)
    return answered, tuple(reasons), factor


def _few_named(design: Design) -> Flags:
    """Rows with a sample of which less than LEAST_NAMED is in taxa with a named genus."""
    named = np.array(list(map(_is_named, design.genera)), dtype=float)
    return np.asarray(design.stool & (row_sums(design.abundance * named) < LEAST_NAMED * design.total))


@lru_cache(maxsize=200_000)
def _is_named(label: str) -> bool:
    return not genus_of(label).startswith("unclassified ")


def _without_functions(design: Design, encoding: Encoding) -> Flags:
    """Rows whose gene families were not measured, where the encoding has modules of them."""
    if not functions_of(encoding.derived):
        return np.zeros(len(design), dtype=bool)
    if design.functions is None:
        return np.ones(len(design), dtype=bool)
    return np.asarray(np.isnan(design.functions.sum(axis=1)))
