"""Batch prediction: a cohort folder through the very bundle that is served, to a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from features.blocks import site_reference
from features.cohort import Cohort
from features.counts import Array
from features.design import Design
from features.encoding import SiteReference
from features.instruments import find
from models.bundle import Bundle
from models.contributions import of_people
from models.prediction import Predictions

TOP = 10  # features listed per person
COLUMNS = (
    "subject_id", "sample_id", "instrument", "baseline_time", "arm", "baseline_score", "change", "change_lower", "change_upper",
    "follow_up", "p_response", "p_remission", "floor_change", "answered", "reason", "model_digest",
)  # fmt: skip


def predict_table(
    cohort: Cohort, bundle: Bundle, sites: Mapping[str, SiteReference], *, every_arm: bool, force: bool
) -> Iterator[list[str]]:
    """Yield the rows of the prediction table (contract section 3), header first.

    A row that is not answered has blank numbers; `force` fills them for evaluation and keeps `answered` false.
    """
    design = _design(cohort, bundle)
    arms = bundle.arms if every_arm else (None,)
    answers = [(_given(design, arm), _by_study(bundle, _given(design, arm), sites)) for arm in arms]
    digest = bundle.digest
    yield list(COLUMNS)
    for i in range(len(design)):
        for given, found in answers:
            row, at = found[i]
            yield _row(given, i, bundle.instrument, row, at, digest, force)


def contribution_table(
    cohort: Cohort, bundle: Bundle, sites: Mapping[str, SiteReference], *, every_arm: bool, force: bool
) -> Iterator[list[str]]:
    """Yield, header first, what made up each predicted change: the TOP features and the sum of all others, in points.

    The rows of a person and arm sum to `change` of the prediction table. A row that is not answered has none, but with `force`.
    """
    design = _design(cohort, bundle)
    yield ["subject_id", "sample_id", "baseline_time", "arm", "rank", "block", "feature", "points"]
    for arm in bundle.arms if every_arm else (None,):
        given = _given(design, arm)
        for study in sorted(set(design.study.tolist())):
            rows, site = np.flatnonzero(design.study == study), sites.get(study)
            people, answered = given.take(rows), bundle.predict(given.take(rows), site).answered
            labels, points = of_people(bundle, people, site)
            for i in np.flatnonzero(answered | force):
                head = [
                    str(people.subject[i]),
                    people.sample[i] or "",
                    _text(people.baseline_time[i]),
                    str(people.arm[i]),
                ]
                yield from ([*head, *line] for line in _ranked(labels, points[i]))


def _ranked(labels: list[tuple[str, str]], points: Array) -> Iterator[list[str]]:
    """Origin first, the largest features, the sum of the rest, and last what the end of the scale took off."""
    order = 1 + np.argsort(-np.abs(points[1:-1]), kind="stable")
    shown, rest = order[:TOP], order[TOP:]
    lines = [(*labels[0], points[0]), *((*labels[j], points[j]) for j in shown)]
    lines += [("other", f"{len(rest)} other features", points[rest].sum()), (*labels[-1], points[-1])]
    return ([str(rank), block, feature, _text(value)] for rank, (block, feature, value) in enumerate(lines))


def site_references(cohort: Cohort, bundle: Bundle) -> dict[str, SiteReference]:
    """Return a reference for each study that training never saw and that has at least 20 samples in the table."""
    design = _design(cohort, bundle)
    found: dict[str, SiteReference] = {}
    for study in sorted(set(design.study.tolist()) - set(bundle.encoding.studies)):
        own = np.flatnonzero(design.study == study)
        _, first = np.unique(
            design.sample[own].astype(str), return_index=True
        )  # a sample with two outcome rows counts once
        reference = site_reference(bundle.encoding, design.take(own[np.sort(first)]), study)
        if reference is not None:
            found[study] = reference
    return found


def _design(cohort: Cohort, bundle: Bundle) -> Design:
    names = [name for name in cohort.instruments if find(name).name == bundle.instrument]
    return cohort.design(names[0] if names else bundle.instrument)


def _given(design: Design, arm: str | None) -> Design:
    return design if arm is None else design.with_arm(arm)


def _by_study(bundle: Bundle, design: Design, sites: Mapping[str, SiteReference]) -> list[tuple[Predictions, int]]:
    """Return, per row, the answers of its study and its place in them."""
    found: list[Any] = [None] * len(design)
    for study in sorted(set(design.study.tolist())):
        rows = np.flatnonzero(design.study == study)
        answers = bundle.predict(design.take(rows), sites.get(study))
        for k, i in enumerate(rows):
            found[i] = (answers, k)
    return found


def _row(design: Design, i: int, instrument: str, found: Predictions, at: int, digest: str, force: bool) -> list[str]:
    answered = bool(found.answered[at])
    change, baseline = found.change[at], design.baseline[i]
    numbers = [
        change,
        found.lower[at],
        found.upper[at],
        baseline + change,
        found.p_response[at],
        found.p_remission[at],
        found.floor_change[at],
    ]
    shown = [_text(value) if answered or force else "" for value in numbers]
    head = [
        design.subject[i],
        design.sample[i] or "",
        instrument,
        _text(design.baseline_time[i]),
        design.arm[i],
        _text(baseline),
    ]
    return [*map(str, head), *shown, "true" if answered else "false", ",".join(found.reasons[at]), digest]


def _text(value: float) -> str:
    return "" if np.isnan(value) else repr(float(value))
