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
        n, low, high, stool = len(design), self.baseline_low, self.baseline_high, self.needs_stool
        unseen: list[float] = encoding.unseen_share(design).tolist() if stool else [0.0] * n
        far: list[float] = unlike.tolist()
        baseline: list[float] = design.baseline.tolist()
        new_site = [study not in encoding.studies for study in design.study.tolist()]
        # Lists, not arrays: a single row is judged in a fraction of the time, and a table in hardly more.
        refused: dict[str, list[bool]] = {
            "missing_baseline": [own != own for own in baseline],  # noqa: PLR0124 - NaN differs from itself
            "baseline_outside_training": [own < low or own > high for own in baseline],
            "arm_not_trained": [arm not in encoding.arms for arm in design.arm.tolist()],
            "unmapped_taxa": [share > UNSEEN_TAXA_REFUSE for share in unseen],
            "few_named_taxa": _few_named(design) if stool else [],
            "protocol_mismatch": self._other_protocol(design),
            "unlike_training": [own > FAR for own in far],
        }
        widened: dict[str, tuple[list[bool], float | list[float]]] = {
            "many_unseen_taxa": ([UNSEEN_TAXA_WIDEN < share <= UNSEEN_TAXA_REFUSE for share in unseen], self.no_stool),
            "no_stool_sample": ([not own for own in design.stool.tolist()] if stool else [], self.no_stool),
            "no_functions": (_without_functions(design, encoding), self.no_stool),
            "unusual_profile": ([1.0 < own <= FAR for own in far], far),
            "covariate_outside_training": (encoding.outside_range(design, RANGE_SLACK).tolist(), RANGE_FACTOR),
            ("new_study" if centred else "unseen_study"): (new_site, new_study),
        }
        return _summed_up(n, refused, widened)

    def _other_protocol(self, design: Design) -> list[bool]:
        """Rows whose sample names a protocol that none of the training samples had; a sample that names none is let through."""
        if design.protocol is None or not self.protocols or not self.needs_stool:
            return []
        return [own is not None and str(own) not in self.protocols for own in design.protocol.tolist()]


def with_reason(reasons: tuple[tuple[str, ...], ...], code: str, hit: Flags) -> tuple[tuple[str, ...], ...]:
    """Return the reasons with a code added to the rows it holds for."""
    return tuple((*own, code) if holds else own for own, holds in zip(reasons, hit, strict=True))


def _summed_up(
    n: int, refused: Mapping[str, list[bool]], widened: Mapping[str, tuple[list[bool], float | list[float]]]
) -> tuple[Flags, tuple[tuple[str, ...], ...], Array]:
    """Return what `judge` does of n rows; a check that holds for nobody may be an empty list."""
    answered, factor = [True] * n, [1.0] * n
    reasons: list[tuple[str, ...]] = [()] * n
    for code, hits in refused.items():
        for i in _where(hits):
            answered[i], reasons[i] = False, (*reasons[i], code)
    for code, (hits, wider) in widened.items():
        for i in _where(hits):
            factor[i] = max(factor[i], wider[i] if isinstance(wider, list) else wider)
            reasons[i] = (*reasons[i], code)
    return np.array(answered, dtype=bool), tuple(reasons), np.array(factor)


def _where(hits: list[bool]) -> list[int]:
    return [i for i, hit in enumerate(hits) if hit] if True in hits else []


def _few_named(design: Design) -> list[bool]:
    """Rows with a sample of which less than LEAST_NAMED is in taxa with a named genus."""
    named = list(map(_is_named, design.genera))
    if design.genera and all(named):
        return []
    few = row_sums(design.abundance * np.array(named, dtype=float)) < LEAST_NAMED * design.total
    return list((design.stool & few).tolist())


@lru_cache(maxsize=200_000)
def _is_named(label: str) -> bool:
    return not genus_of(label).startswith("unclassified ")


def _without_functions(design: Design, encoding: Encoding) -> list[bool]:
    """Rows whose gene families were not measured, where the encoding has modules of them."""
    if not encoding.derived or not functions_of(encoding.derived):
        return []
    if design.functions is None:
        return [True] * len(design)
    return list(np.isnan(design.functions.sum(axis=1)).tolist())
