"""What a fold's additive model goes by: the validation keeps what fitting it anew on those people would find."""

import numpy as np
import pytest
from scipy.stats import pearsonr

from features.synthetic import World, simulate
from models.catalog import CATALOG, columns_of
from models.contributions import feature_points
from models.export import to_core
from training.problem import pose
from training.protocol import evaluate, leave_one_study_out, outer_splits
from training.selection import encode, fit_entry, known
from training.splits import by_study


@pytest.fixture(scope="module")
def problem():
    return pose(simulate(subjects=200, seed=7, studies=3, world=World(microbiome=3.0))[0], "PHQ-9")


def _anew(problem, train):
    """Core, encoding and points per taxon (of any design) of the additive model fitted on some rows."""
    part = problem.take(train)
    encoder, Z = encode(part)
    columns = columns_of(list(Z.columns), CATALOG["additive"])
    model = fit_entry(CATALOG["additive"], {}, Z[columns], part.y, seed=0, known=known(part, encoder))
    core, encoding = to_core(model, columns), encoder.encoding_

    def points(design):
        labels, found = feature_points(core, encoding.blocks(design), encoding.names())
        own = np.array([label.removesuffix(" × arm") for _, label in labels])
        taxa = [name for block in ("abundant", "rare", "family") for name in encoding.names().get(block, [])]
        return {name: found[:, own == name].sum(axis=1) for name in taxa}

    spread = {name: own.std() for name, own in points(part.design).items()}
    strongest = sorted(spread, key=lambda name: -spread[name])[:10]
    return core, encoding, points, {name for name in strongest if spread[name] > 0}


def test_the_taxa_of_a_fold_are_the_ten_strongest_of_its_additive_model(problem):
    splits = outer_splits(problem, repeats=1, seed=0, folds=3)
    found = evaluate(problem, splits, seed=0, candidates=("additive",), jobs=1).taxa
    expected = [_anew(problem, train)[3] for _, train, _ in splits[0].parts()]
    assert all(len(names) == 10 for names in found)
    assert sorted(map(sorted, found)) == sorted(map(sorted, expected))


def test_a_left_out_study_bears_out_what_goes_with_its_unexplained_rest(problem):
    found, expected = leave_one_study_out(problem, seed=0, jobs=1).taxa, []
    for _, train, held_out in by_study(problem.design.study).parts():
        core, encoding, points, chosen = _anew(problem, train)
        there = problem.take(held_out)
        own = points(there.design)
        left = there.y - core.moments(encoding.blocks(there.design)).change
        alone = {name: pearsonr(own[name], left + own[name], alternative="greater").pvalue for name in chosen}
        expected.append({name for name, p in alone.items() if p < 0.05})
    assert sorted(map(sorted, found)) == sorted(map(sorted, expected))
    assert any(found)


def test_a_small_study_bears_nothing_out():
    cohort = simulate(subjects=45, seed=7, studies=3, world=World(microbiome=3.0))[0]
    assert leave_one_study_out(pose(cohort, "PHQ-9"), seed=0, jobs=1).taxa == ((), (), ())


def test_a_search_without_the_additive_model_names_no_taxa(problem):
    splits = outer_splits(problem, repeats=1, seed=0, folds=2)
    assert evaluate(problem, splits, seed=0, candidates=("elastic_net",), jobs=1).taxa == ((), ())
