"""The fitted scikit-learn step that learns an Encoding: everything that looks at two rows happens in its `fit`.

Vocabulary and prevalence tiers, families, centring within study, scales, covariate types and levels, arms: all are
learned from the training rows of a fold and then frozen.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from features.counts import Array
from features.covariates import Bar, CovariateCode, text_of
from features.derived import DerivedBlock
from features.design import Design
from features.encoding import Encoding, SiteReference
from features.lifestyle import FIELDS

ABUNDANT = 0.6  # prevalence from which a genus is in the abundant tier (accuracy recipe 1c)
SHRINK = 5.0  # pseudo-samples by which a small study's centre is drawn to the overall centre
STEP_ROWS = 600  # training rows from which steps in lifestyle are offered to the model; fewer say too little
STEP_SHARES = (0.2, 0.4, 0.6, 0.8)  # of the training rows, below a bar
SITE_MINIMUM = 20  # samples an unseen site needs before it is centred on itself


class FeatureEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Encode the frame of `Design.frame` into numeric model columns named `block:column`.

    Parameters: `unit` of the abundance columns; `prevalence`, the least share of training samples (0 to 1) in which
    a genus must occur; `comparator`, the arm others are compared with ("" = none named); `microbiome`, False leaves
    all taxa out; `derived`, further blocks to learn. Fitted: `encoding_`.
    """

    def __init__(
        self, unit: str = "counts", prevalence: float = 0.05, comparator: str = "", microbiome: bool = True,
        derived: tuple[DerivedBlock, ...] = (),
    ) -> None:  # fmt: skip
        self.unit = unit
        self.prevalence = prevalence
        self.comparator = comparator
        self.microbiome = microbiome
        self.derived = derived

    def fit(self, X: pd.DataFrame, y: object = None) -> Self:
        """Learn the encoding from training rows; `y` is ignored."""
        design = Design.from_frame(X, self.unit)
        arms = tuple(sorted(set(design.arm.tolist())))
        centre, scale = _baseline_units(design)
        head: dict[str, Any] = {
            "covariates": tuple(
                code for name in sorted(design.covariates) if (code := learn_code(name, design.covariates[name]))
            ),
            "baseline_centre": centre,
            "baseline_scale": scale,
            "arms": arms,
            "comparator": self.comparator if self.comparator in arms else (arms[0] if len(arms) == 1 else ""),
            "unit": self.unit,
            "studies": tuple(sorted(set(design.study.tolist()))),
            "derived": tuple(block.learned(design) for block in self.derived if self.microbiome),
            "apart": True,
        }
        encoding = self._with_taxa(head, design)
        self.encoding_ = replace(encoding, bars=_bars(encoding, design))
        self.feature_names_ = [f"{block}:{name}" for block, names in self.encoding_.names().items() for name in names]
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the n × p frame of encoded columns."""
        check_is_fitted(self)
        return self.encode(Design.from_frame(X, self.unit))

    def encode(self, design: Design, site: SiteReference | None = None) -> pd.DataFrame:
        """Return the n × p frame of a design; `site` centres rows of an unseen study."""
        blocks = self.encoding_.blocks(design, site)
        return pd.DataFrame(np.concatenate(list(blocks.values()), axis=1), columns=self.feature_names_)

    def get_feature_names_out(self, input_features: object = None) -> npt.NDArray[np.object_]:
        """Return the `block:column` names."""
        check_is_fitted(self)
        return np.array(self.feature_names_, dtype=object)

    def _with_taxa(self, head: dict[str, Any], design: Design) -> Encoding:
        sampled = design.take(np.flatnonzero(design.stool))
        prevalence = (sampled.abundance > 0).mean(axis=0) if len(sampled) else np.zeros(len(design.genera))
        least = max(self.prevalence, 3 / max(len(sampled), 1)) if self.microbiome else np.inf
        kept = np.flatnonzero(prevalence >= least)
        if not len(kept):
            return Encoding(**head, **_NO_TAXA(len(head["studies"])))
        share = prevalence[kept]
        abundant = share >= min(ABUNDANT, float(np.sort(share)[-min(3, len(share))]))
        labels = tuple(design.genera[i] for i in kept)
        family_name = [label.split("|")[0] or label.split("|")[1] for label in labels]
        families = tuple(sorted(set(family_name)))
        draft = Encoding(
            **head, genera=labels, families=families,
            family_of=np.array([families.index(name) for name in family_name], dtype=np.int64), anchor=abundant,
            abundant=np.flatnonzero(abundant), rare=np.flatnonzero(~abundant), pseudo=_pseudo(sampled, self.unit),
            genus_centres=np.zeros((0, 0)), genus_scale=np.ones(len(labels)),
            family_centres=np.zeros((0, 0)), family_scale=np.ones(len(families)),
        )  # fmt: skip
        return _centre(draft, sampled)


def _bars(encoding: Encoding, design: Design) -> tuple[Bar, ...]:
    """Return steps at quantiles of each numeric lifestyle column of a larger cohort."""
    if len(design) < STEP_ROWS or not encoding.covariates:
        return ()
    numeric = {code.name for code in encoding.covariates if code.kind == "numeric"}
    life = encoding.life_columns(design)
    bars = []
    for at, name in enumerate(encoding.life_names):
        values = np.unique(np.quantile(life[:, at], STEP_SHARES)) if name in numeric else ()
        shares = [(value, float((life[:, at] > value).mean())) for value in values]
        bars += [Bar(at, float(value), share) for value, share in shares if 0.05 < share < 0.95]
    return tuple(bars)


def _NO_TAXA(studies: int) -> dict[str, Any]:  # noqa: N802  (a constant but for the number of studies)
    none = np.zeros(0, dtype=np.int64)
    return {
        "genera": (), "families": (), "family_of": none, "anchor": none.astype(bool), "abundant": none, "rare": none,
        "pseudo": 0.5, "genus_centres": np.zeros((studies + 1, 0)), "genus_scale": np.zeros(0),
        "family_centres": np.zeros((studies + 1, 0)), "family_scale": np.zeros(0),
    }  # fmt: skip


def site_reference(encoding: Encoding, design: Design, name: str) -> SiteReference | None:
    """Return the reference of an unseen site from its own samples, or None below 20 samples (`SITE_MINIMUM`)."""
    sampled = design.take(np.flatnonzero(design.stool))
    if len(sampled) < SITE_MINIMUM:
        return None
    genus, family = encoding.log_ratios(sampled)
    return SiteReference(
        name, len(sampled), _drawn(genus, encoding.genus_centres[-1]), _drawn(family, encoding.family_centres[-1])
    )


def _centre(draft: Encoding, sampled: Design) -> Encoding:
    """Fill in per-study centres (last row: overall) and within-study scales."""
    genus, family = draft.log_ratios(sampled)
    centres = []
    for table in (genus, family):
        overall = table.mean(axis=0)
        own = [_drawn(table[sampled.study == study], overall) for study in draft.studies]
        centres.append(np.vstack([*own, overall]))
    at = np.array([draft.studies.index(study) for study in sampled.study])
    scales = [_scales(table - centre[at]) for table, centre in zip((genus, family), centres, strict=True)]
    return replace(
        draft, genus_centres=centres[0], family_centres=centres[1], genus_scale=scales[0], family_scale=scales[1]
    )


def _drawn(table: Array, overall: Array) -> Array:
    return np.asarray((table.sum(axis=0) + SHRINK * overall) / (len(table) + SHRINK))


def severity(design: Design) -> Array:
    """Return the n baselines as an encoder fitted on these rows has them: in sds from their mean, 0 where not known."""
    centre, scale = _baseline_units(design)
    return np.nan_to_num((design.baseline - centre) / scale)


def _baseline_units(design: Design) -> tuple[float, float]:
    usable = design.baseline[~np.isnan(design.baseline)]
    return float(usable.mean()) if len(usable) else 0.0, _scale(usable)


def _scales(table: Array) -> Array:
    return np.asarray(np.maximum(table.std(axis=0), 0.1))


def _scale(values: Array) -> float:
    spread = float(values.std()) if len(values) else 0.0
    return spread if spread > 0 else 1.0


def _pseudo(sampled: Design, unit: str) -> float:
    """Half a read for counts; half the smallest share seen in training otherwise."""
    if unit == "counts":
        return 0.5
    share = sampled.abundance / np.maximum(sampled.abundance.sum(axis=1, keepdims=True), 1e-300)
    return float(share[share > 0].min() / 2.0)


def learn_code(name: str, column: npt.NDArray[np.object_]) -> CovariateCode | None:
    """Return how a raw column (float, text or None) is encoded, or None for a column that says nothing.

    Numeric where at least four in five cells that are not blank are numbers; a text in such a column (`<0.5`) counts as
    blank. A positive, strongly skewed column is logged.
    """
    present = [value for value in column if value is not None]
    numbers = np.array([value for value in present if isinstance(value, float)])
    if len(present) < 5:
        return None
    if len(numbers) >= 0.8 * len(present):
        return _numeric(name, numbers, len(column))
    return _categorical(name, [text_of(value) for value in present], len(column))


def _numeric(name: str, numbers: Array, n: int) -> CovariateCode | None:
    if np.ptp(numbers) == 0:
        return None
    declared = FIELDS[name].transform if name in FIELDS else ("log1p" if _skewed(numbers) else "identity")
    curve, transform = declared == "quadratic", "identity" if declared == "quadratic" else declared
    code = CovariateCode(name, "numeric", transform, float(numbers.min()), float(numbers.max()))
    raw = code.encode(np.array(numbers.tolist(), dtype=object))[:, 0]
    return CovariateCode(
        name, "numeric", transform, code.low, code.high, float(raw.mean()), _scale(raw), curve=curve,
        indicator=n - len(numbers) >= max(3, 0.05 * n),
    )  # fmt: skip


def _skewed(numbers: Array) -> bool:
    centred = numbers - numbers.mean()
    return bool(numbers.min() >= 0 and (centred**3).mean() > 2.0 * max((centred**2).mean(), 1e-300) ** 1.5)


def _categorical(name: str, texts: list[str], n: int) -> CovariateCode | None:
    counts = pd.Series(texts).value_counts()
    levels = tuple(sorted(str(level) for level in counts.index[counts >= max(3, 0.02 * n)]))
    if len(levels) < 2:
        return None
    shares = tuple(float(counts[level]) / len(texts) for level in levels)
    return CovariateCode(
        name, "categorical", levels=levels, shares=shares, indicator=n - len(texts) >= max(3, 0.05 * n)
    )
