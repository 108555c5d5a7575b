"""How unlike: a distance computed by hand, ordinary people let through, strange samples not."""

from dataclasses import replace

import numpy as np
import pytest

from features.blocks import FeatureEncoder, site_reference
from features.importers.clinic import PatientInput, design_of
from features.synthetic import World, simulate
from models.applicability import FAR, RANGE_FACTOR, Limits
from models.likeness import Likeness

ALL = {"base", "life", "bend", "blank", "abundant", "rare", "family"}


@pytest.fixture(scope="module")
def world():
    train = simulate(subjects=150, seed=5)[0].design("PHQ-9")
    fresh = simulate(subjects=800, seed=5, population=1)[0].design("PHQ-9")
    return train, fresh, FeatureEncoder().fit(train.frame()).encoding_


LIMITS = Limits(-5.0, 40.0, True)


def _judged(world, design, limits=LIMITS):
    train, _, encoding = world
    learned = Likeness.learn(encoding.blocks(train), ALL)
    return limits.judge(design, encoding, True, 1.0, learned.distance(encoding.blocks(design)))


def test_one_block_is_the_standard_score_over_the_ordinary_one():
    z = np.arange(-49.0, 51.0)[:, None]
    learned = Likeness.learn({"base": z}, {"base"})
    far = np.sort(np.abs(z[:, 0] - z.mean()))[99]  # conformal rank ceil(101 * 0.99) = 100 of 100
    given = np.array([[z.mean()], [z.mean() + far], [z.mean() - 3 * far]])
    assert learned.distance({"base": given}) == pytest.approx([0.0, 1.0, 3.0])


def test_two_correlated_blocks_are_whitened():
    rng = np.random.default_rng(0)
    base = rng.normal(size=(2000, 1))
    life = np.abs(3.0 + base + 0.3 * rng.normal(size=(2000, 1)))
    learned = Likeness.learn({"base": base, "life": life}, {"base", "life"})
    along, across = learned.distance({"base": np.array([[2.0], [2.0]]), "life": np.array([[5.0], [1.0]])})
    assert across > 4 * along


def test_nothing_to_score_is_none():
    assert Likeness.learn({"base": np.ones((5, 1))}, {"base"}) is None


def test_ordinary_people_are_answered_and_few_widened(world):
    answered, reasons, factor = _judged(world, world[1])
    assert answered.all()
    assert 0 < np.mean(["unusual_profile" in own for own in reasons]) < 0.06
    assert factor.mean() < 1.03


def test_a_sample_of_one_genus_is_declined_and_a_half_strange_one_widened(world):
    fresh = world[1]
    total = fresh.abundance.sum(axis=1)
    one = np.zeros_like(fresh.abundance)
    one[:, 3] = total
    answered, reasons, _ = _judged(world, replace(fresh, abundance=one))
    assert not answered.any()
    assert all("unlike_training" in own for own in reasons)
    thin = np.round(fresh.abundance / 50)
    answered, reasons, factor = _judged(world, replace(fresh, abundance=thin))
    widened = np.array(["unusual_profile" in own for own in reasons])
    assert widened.mean() > 0.5
    assert ((factor[widened] > 1) & (factor[widened] <= FAR)).all()


def test_a_person_without_stool_is_not_strange_for_it(world):
    fresh = world[1]
    nobody = replace(fresh, stool=np.zeros(len(fresh), dtype=bool), abundance=np.zeros_like(fresh.abundance))
    answered, reasons, _ = _judged(world, nobody)
    assert answered.all()
    assert np.mean(["unusual_profile" in own for own in reasons]) < 0.06


def test_a_covariate_far_outside_the_range_is_named_and_widens(world):
    train, fresh, _ = world
    ages = [value for value in train.covariates["age_years"] if value is not None]
    width = max(ages) - min(ages)
    column = np.full(len(fresh), None, dtype=object)
    column[:3] = [max(ages) + 0.2 * width, max(ages) + 0.3 * width, min(ages) - 0.3 * width]
    _, reasons, factor = _judged(world, replace(fresh, covariates={**fresh.covariates, "age_years": column}))
    assert ["covariate_outside_training" in reasons[i] for i in range(4)] == [False, True, True, False]
    assert (factor[1:3] >= RANGE_FACTOR).all()


def test_a_protocol_training_never_saw_is_declined(world):
    fresh = world[1].take(np.arange(3))
    told = replace(fresh, protocol=np.array(["kit A, V4", "kit B", None], dtype=object))
    answered, reasons, _ = _judged(world, told, Limits(-5.0, 40.0, True, protocols=("kit A, V4",)))
    assert answered.tolist() == [True, False, True]
    assert "protocol_mismatch" in reasons[1]
    assert _judged(world, told)[0].all()  # training said nothing of protocols


def test_a_protocol_comes_with_the_samples_table_and_with_a_request():
    cohort = simulate(subjects=5, seed=1)[0]
    names = np.array(["kit A"] * 4 + [None], dtype=object)
    told = replace(cohort, samples={**cohort.samples, "protocol": names})
    at = dict(zip(cohort.samples["sample_id"], names, strict=True))
    design = told.design("PHQ-9")
    assert design.protocol.tolist() == [at.get(sample) for sample in design.sample]
    assert cohort.design("PHQ-9").protocol is None
    asked = design_of([PatientInput("p", "placebo", 12.0, taxa={"g__Roseburia": 5.0}, protocol="kit B")])
    assert asked.protocol.tolist() == ["kit B"]


def test_a_site_that_measures_otherwise_is_widened_until_it_is_centred_on_itself():
    cohort = simulate(subjects=300, seed=5, studies=5, world=World(study_shift=1.5))[0].design("PHQ-9")
    new = cohort.study == sorted(set(cohort.study))[0]
    train, site = cohort.take(np.flatnonzero(~new)), cohort.take(np.flatnonzero(new))
    encoding = FeatureEncoder().fit(train.frame()).encoding_
    learned = Likeness.learn(encoding.blocks(train), ALL)
    blind, centred = (
        learned.distance(encoding.blocks(site, own)) for own in (None, site_reference(encoding, site, "x"))
    )
    assert (blind > 1).mean() > 0.8
    assert (centred > 1).mean() < 0.1
    assert blind.max() < FAR
