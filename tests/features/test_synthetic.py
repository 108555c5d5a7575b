"""The simulated worlds: their stated truth is the mean of what happens, and each does what its setting says."""

import numpy as np
import pytest

from features.lifestyle import FIELDS
from features.simulated_lifestyle import lifestyle
from features.simulated_taxa import SimulatedTaxa
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
    "two genera against two, arms unlike": World(side=2, alike=0.0, arm_effects=1.3),
    "the severe gain more": World(personal=1.5, sicker=1.0),
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


def test_the_severe_gain_more_where_a_world_says_so():
    def gap(sicker):
        cohort, truth = simulate(subjects=2000, seed=5, world=World(personal=1.5, sicker=sicker, alike=0.0))
        means = np.array(truth["expected_change"]).reshape(2000, -1)
        return np.corrcoef(cohort.design("PHQ-9").baseline, (means[:, 1:] - means[:, :1]).mean(axis=1))[0, 1]

    assert gap(2.0) < gap(0.0) - 0.3


def test_a_log_ratio_has_as_many_genera_on_either_side_as_the_world_says():
    for side in (1, 3):
        taxa = SimulatedTaxa.draw(
            np.random.default_rng(0),
            [f"f__{j % 9};g__{j}" for j in range(90)],
            arms=2,
            truth="linear",
            side=side,
            alike=0.0,
        )
        assert sorted(set(taxa.general[taxa.general != 0].round(12))) == pytest.approx([-1 / side, 1 / side])
        assert (taxa.special != 0).sum(axis=0).tolist() == [2 * side] * 3


def test_studies_measure_and_do_differently_and_the_truth_knows_neither():
    def drawn(**own):
        return simulate(subjects=1500, seed=5, studies=3, world=World(**own))

    (alike, truth), (apart, same) = drawn(study_shift=0.0), drawn(study_shift=2.0, study_level=6.0)
    assert truth == same
    designs = [cohort.design("PHQ-9") for cohort in (alike, apart)]
    shares = [design.abundance / design.abundance.sum(axis=1, keepdims=True) for design in designs]
    ratio = []  # of the most common genera: in the study that sees most of it to the one that sees least
    for table in shares:
        means = np.array([table[designs[0].study == f"study_{s}"].mean(axis=0) for s in range(3)])
        common = means.mean(axis=0) > 0.02
        ratio.append((means[:, common].max(axis=0) / means[:, common].min(axis=0)).max())
    assert ratio[0] < 1.5
    assert ratio[1] > 5.0
    levels = [[d.change[d.study == f"study_{s}"].mean() for s in range(3)] for d in designs]
    assert np.ptp(levels[0]) < 1.0
    assert np.ptp(levels[1]) > 2.0


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_lifestyle_is_plausible_however_many_people_there_are(shift):
    columns, _ = lifestyle(np.random.default_rng(0), 500_000, shift, "linear")
    # One in 100,000 would be above: cohorts of thousands were refused for that.
    assert columns["fibre_g_day"].max() == 100.0
    for name, column in columns.items():
        assert FIELDS[name].low <= column.min(), name
        assert column.max() <= FIELDS[name].high, name
