"""Published effects as prior means: what they say, when they speak, and what they do to a model."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from features.instruments import find
from features.synthetic import World, simulate
from models.additive import AdditiveBlockRegressor
from models.catalog import CATALOG
from models.literature import GUT_BRAIN, kind_of, known_effects, published_arms
from training.problem import literature_for, pose
from training.selection import encode, fit_predict, known


@pytest.fixture(scope="module")
def small():
    """A trial of sixty people and two arms."""
    return pose(simulate(subjects=60, seed=3, world=World(arms=("placebo", "probiotic")))[0], "PHQ-9")


def test_every_effect_names_its_source_and_its_doubt():
    effects = [*GUT_BRAIN.slopes.values(), *(e for table in GUT_BRAIN.arms.values() for e in table.values())]
    assert all(effect.source and effect.sd > 0 for effect in effects)


@pytest.mark.parametrize(("arm", "kind"), [("Probiotic capsule", "probiotic"), ("prebiotic_fibre", "prebiotic"), ("synbiotic", ""),
                                           ("mediterranean_diet", "diet"), ("fermented_food", ""), ("placebo", "")])  # fmt: skip
def test_an_arm_is_known_by_its_name(arm, kind):
    assert kind_of(arm) == kind


def test_known_effects_by_hand(small):
    encoder, _ = encode(small)
    spread = float(small.design.baseline.std())
    found = known_effects(GUT_BRAIN, "PHQ-9", encoder.encoding_)
    assert found["base:baseline"] == pytest.approx((-0.38 * spread, 0.12 * spread))
    assert found["arm:probiotic"] == pytest.approx((-0.24 * spread / np.sqrt(0.75), 0.12 * spread))
    assert found["arm:any active arm"] == pytest.approx((0.0, 0.12 * spread))


def test_nothing_is_known_of_an_unsourced_instrument_or_an_active_comparator(small):
    encoder, _ = encode(small)
    assert known_effects(GUT_BRAIN, "HBI", encoder.encoding_) == {}
    assert known_effects(None, "PHQ-9", encoder.encoding_) == {}
    assert published_arms(GUT_BRAIN, "PHQ-9", ("citalopram", "probiotic"), "citalopram") == {}


def test_small_cohorts_use_it_large_ones_and_other_tasks_do_not(small):
    large = pose(simulate(subjects=400, seed=3)[0], "PHQ-9")
    assert literature_for(small, "auto") is GUT_BRAIN
    assert literature_for(small, "none") is None
    assert literature_for(large, "auto") is None
    assert literature_for(large, "gut-brain-1") is GUT_BRAIN
    assert literature_for(replace(small, instrument=find("HBI")), "auto") is None
    assert literature_for(pose(simulate(subjects=60, seed=3)[0], "PHQ-9", task="score"), "auto") is None


def test_the_weight_lies_between_what_is_published_and_what_is_seen():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"base:baseline": rng.normal(size=30)})
    x = X["base:baseline"].to_numpy()
    y = 2.0 * x + rng.normal(size=30)
    seen = float(np.polyfit(x, y, 1)[0])
    tight, vague = (
        AdditiveBlockRegressor(known={"base:baseline": (-1.0, sd)}).fit(X, y).weights_[0] for sd in (0.1, 3.0)
    )
    assert -1.0 < tight < vague < seen


def test_a_prior_mean_is_a_shift_of_the_outcome_and_back():
    rng = np.random.default_rng(1)
    X = pd.DataFrame(rng.normal(size=(80, 6)), columns=["base:baseline", *(f"life:{i}" for i in range(5))])
    x = X["life:2"].to_numpy() - X["life:2"].mean()
    rest = rng.normal(size=80) - X["base:baseline"].to_numpy()
    rest = rest - x * (x @ rest) / (x @ x)  # so that y and y - 2x have one sd, the unit of all priors
    told = AdditiveBlockRegressor(known={"life:2": (2.0, 1.0)}).fit(X, rest + x)
    shifted = AdditiveBlockRegressor().fit(X, rest - x)
    assert told.predict(X) == pytest.approx(shifted.predict(X) + 2.0 * x, abs=1e-6)


def test_it_helps_where_people_are_few():
    gains = []
    for seed in range(4):
        world = World(microbiome=0.8, moderation=0.4, lifestyle=0.8, noise=2.9, arms=("placebo", "probiotic"))
        problem = pose(simulate(subjects=60, seed=seed, world=world)[0], "PHQ-9")
        fresh, truth = simulate(subjects=1500, seed=seed, world=world, population=1)
        design = fresh.design("PHQ-9")
        mean = np.array(truth["expected_change"]).reshape(-1, 2)[
            np.arange(1500), (design.arm == "probiotic").astype(int)
        ]
        encoder, Z = encode(problem)
        told = known(replace(problem, literature=GUT_BRAIN), encoder)
        error = [
            np.mean(
                (fit_predict(CATALOG["additive"], {}, Z, problem.y, encoder.encode(design), seed=0, known=k)[0] - mean)
                ** 2
            )
            for k in (None, told)
        ]
        gains.append(1 - error[1] / error[0])
    assert np.mean(gains) > 0.05


def test_without_literature_and_with_none_known_the_model_is_the_same(small):
    _, Z = encode(small)
    plain, none = (AdditiveBlockRegressor(known=k).fit(Z, small.y) for k in (None, {}))
    assert np.array_equal(plain.weights_, none.weights_)
