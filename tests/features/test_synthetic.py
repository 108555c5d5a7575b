"""The simulated worlds: their stated truth is the mean of what happens, and each does what its setting says."""

import numpy as np
import pytest

from features.synthetic import World, simulate

WORLDS = {
    "plain": World(),
    "thresholds": World(truth="threshold", lifestyle=2.0),
    "in pairs": World(truth="together", lifestyle=2.0),
    "confounded": World(confounded=0.5),
    "shifted": World(shift=1.0),
    "families": World(truth="family"),
    "shared taxa": World(truth="shared"),
    "noisier where more severe": World(uneven=0.2),
    "lifestyle decides whom an arm helps": World(personal=2.0),
}


def _people(world, population=0, subjects=3000, seed=5):
    cohort, truth = simulate(subjects=subjects, seed=seed, world=world, population=population)
    design = cohort.design("PHQ-9")
    means = np.array(truth["expected_change"]).reshape(subjects, -1)
    return design, means[np.arange(subjects), [world.arms.index(arm) for arm in design.arm]]


@pytest.mark.parametrize("name", WORLDS)
def test_the_truth_is_the_mean_of_what_happens(name):
    design, expected = _people(WORLDS[name], population=1)
    slope, intercept = np.polyfit(expected, design.change, 1)
    assert slope == pytest.approx(1.0, abs=0.08)
    assert design.change.mean() == pytest.approx(expected.mean(), abs=0.25)
    assert abs(intercept) < 0.6


def test_confounding_sends_the_severe_to_the_end_of_the_list():
    world = WORLDS["confounded"]
    design, _ = _people(world)
    mean = [design.baseline[design.arm == arm].mean() for arm in world.arms]
    assert mean == sorted(mean)
    randomised, _ = _people(WORLDS["plain"])
    spread = [randomised.baseline[randomised.arm == arm].mean() for arm in world.arms]
    assert np.ptp(spread) < 0.6 < np.ptp(mean)


def test_a_shift_moves_other_populations_only():
    world = WORLDS["shifted"]
    trained, served = _people(world)[0], _people(world, population=1)[0]
    age = [np.mean([a for a in d.covariates["age_years"] if a is not None]) for d in (trained, served)]
    assert age[1] - age[0] == pytest.approx(10, abs=1.5)
    assert served.baseline.mean() - trained.baseline.mean() == pytest.approx(2.0, abs=0.4)
    assert np.median(served.abundance.sum(axis=1)) < 0.6 * np.median(trained.abundance.sum(axis=1))
    plain = _people(WORLDS["plain"])[0]
    assert np.array_equal(plain.abundance, trained.abundance)
    assert np.array_equal(plain.change, trained.change)


def test_the_severe_are_noisier_have_more_gaps_and_are_lost_more_often():
    plain, untidy = _people(World())[0], simulate(subjects=3000, seed=5, world=World(uneven=0.5, lost=0.2))[0]
    came = np.isin(plain.subject, untidy.outcomes["subject_id"])
    assert came.mean() == pytest.approx(0.8, abs=0.03)
    assert plain.baseline[~came].mean() > plain.baseline[came].mean() + 1
    gaps = np.array([value is None for value in untidy.lifestyle["sleep_h"]])
    assert plain.baseline[gaps].mean() > plain.baseline[~gaps].mean() + 0.5
    whole = simulate(subjects=3000, seed=5, world=World(uneven=0.5))[0].design("PHQ-9")
    severe = whole.baseline > np.median(whole.baseline)
    assert whole.change[severe].std() > 1.15 * whole.change[~severe].std()
