"""Whose sample says too little: decided by the share of it that has a genus."""

from dataclasses import replace

import numpy as np
import pytest

from features.blocks import FeatureEncoder
from features.synthetic import simulate
from models.applicability import Limits


@pytest.fixture(scope="module")
def design():
    return simulate(subjects=30, seed=2)[0].design("PHQ-9")


def judged(design, named, needs_stool=True):
    """Judge the people after their samples were made of one unnamed taxon but for the share `named`."""
    whole = design.abundance.sum(axis=1, keepdims=True)
    rest = np.round(whole * (1 - named) / named)
    sample = replace(
        design, genera=(*design.genera, "Lachnospiraceae|unclassified Lachnospiraceae"),
        abundance=np.concatenate([design.abundance, rest], axis=1),
    )  # fmt: skip
    encoding = FeatureEncoder().fit(sample.frame()).encoding_
    return Limits(-5.0, 40.0, needs_stool).judge(sample, encoding, True, 1.0, np.zeros(len(sample)))


@pytest.mark.parametrize(("named", "declined"), [(0.5, False), (0.11, False), (0.09, True)])
def test_a_sample_with_less_than_a_tenth_in_named_genera_is_declined(design, named, declined):
    answered, reasons, _ = judged(design, named)
    assert set(answered[design.stool]) == {not declined}
    assert {"few_named_taxa" in own for own in np.array(reasons, dtype=object)[design.stool]} == {declined}


def test_people_without_a_sample_and_models_that_read_none_are_not_concerned(design):
    assert judged(design, 0.05, needs_stool=False)[0].all()
    bare = replace(design, stool=np.zeros(len(design), dtype=bool), abundance=np.zeros_like(design.abundance))
    encoding = FeatureEncoder().fit(design.frame()).encoding_
    answered, reasons, _ = Limits(-5.0, 40.0, True).judge(bare, encoding, True, 1.0, np.zeros(len(bare)))
    assert answered.all()
    assert not any("few_named_taxa" in own for own in reasons)
