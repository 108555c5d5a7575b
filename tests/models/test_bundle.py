"""The bundle against the trained pipeline, row against batch, and every altered byte."""

import json
from dataclasses import replace

import numpy as np
import pytest

from features.covariates import Bar
from features.errors import VerificationFailed
from features.synthetic import World, simulate
from models.bundle import Bundle
from models.catalog import CATALOG, columns_of
from models.export import to_core
from models.forest import ForestCore
from models.intervals import quantile
from models.seal import create_key, load_key, sign_folder
from training.assess import LEVEL
from training.config import RunConfig
from training.finalfit import fit_final
from training.problem import pose
from training.protocol import evaluate, outer_splits
from training.selection import encode, fit_entry

LOUD = World(microbiome=2.5, moderation=2.0, noise=2.0)


@pytest.fixture(scope="module")
def problem():
    return pose(simulate(subjects=200, seed=11, world=LOUD)[0], "PHQ-9")


@pytest.fixture(scope="module")
def evaluation(problem):
    return evaluate(problem, outer_splits(problem, repeats=1, seed=0), seed=0, candidates=("additive",), jobs=1)


@pytest.fixture(scope="module")
def final(problem, evaluation):
    return fit_final(
        problem,
        evaluation,
        RunConfig(model="additive"),
        widen=(1.2, 1.0),
        manifest={"name": "m", "run_id": "r", "kind": "bundle"},
    )


@pytest.mark.parametrize("entry", ["mean", "baseline", "covariates", "additive", "elastic_net"])
def test_linear_cores_equal_the_trained_model(problem, entry):
    encoder, Z = encode(problem)
    columns = columns_of(list(Z.columns), CATALOG[entry])
    model = fit_entry(CATALOG[entry], CATALOG[entry].grid[0], Z[columns], problem.y, seed=0)
    core = to_core(model, columns)
    parts = encoder.encoding_.blocks(problem.design)
    served = core.intercept + sum(core.points(parts).values())
    expected = model.predict(Z[columns] if entry in ("covariates", "additive") else Z[columns].to_numpy())
    assert served == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_predictive_sd_equals_the_trained_one(problem, final):
    _, Z = encode(problem, final.encoder)
    _, sd = final.model.predict(Z[columns_of(list(Z.columns), CATALOG["additive"])], return_std=True)
    assert final.bundle.core.sd(final.bundle.encoding.blocks(problem.design)) == pytest.approx(sd, rel=1e-9)


def test_an_interval_is_as_wide_as_the_residuals_of_one_model_not_of_their_mean(problem):
    """Several draws of the outer folds: the mean of what they predict is nearer than what is served, one model."""
    thrice = evaluate(problem, outer_splits(problem, repeats=3, seed=0), seed=0, candidates=("additive",), jobs=1)
    served = fit_final(problem, thrice, RunConfig(model="additive"), widen=(1.0, 1.0), manifest={}).bundle.calibration
    scores = (problem.y - thrice.predictions["additive"]) / thrice.sds["additive"]
    assert served.quantile == pytest.approx(np.mean([quantile(own, LEVEL) for own in scores]))
    assert served.grid[-1] - served.grid[0] == pytest.approx(np.ptp(scores, axis=1).mean())
    assert served.quantile > quantile(scores.mean(axis=0), LEVEL)


@pytest.mark.parametrize("entry", ["random_forest", "xgboost"])
def test_every_tree_ends_in_the_same_leaf(problem, entry):
    encoder, Z = encode(problem)
    columns = columns_of(list(Z.columns), CATALOG[entry])
    model = fit_entry(CATALOG[entry], CATALOG[entry].grid[-1], Z[columns], problem.y, seed=0)
    core = to_core(model, columns)
    assert isinstance(core, ForestCore)
    fresh = pose(simulate(subjects=150, seed=11, world=LOUD, population=1)[0], "PHQ-9")
    _, W = encode(fresh, encoder)
    X = W[columns].to_numpy()
    as_float32 = X.astype(np.float32).astype(float)
    assert np.array_equal(core.leaves(as_float32) - core.roots, model.apply(X))
    change = core.moments(encoder.encoding_.blocks(fresh.design)).change
    assert change == pytest.approx(model.predict(X), rel=1e-6, abs=1e-6)


def test_trees_on_the_residual_are_served_as_they_were_trained(problem, final, tmp_path):
    encoder, Z = encode(problem)
    entry = CATALOG["residual_trees"]
    columns = columns_of(list(Z.columns), entry)
    model = fit_entry(entry, entry.grid[-1], Z[columns], problem.y, seed=0)
    bundle = replace(final.bundle, encoding=encoder.encoding_, core=to_core(model, columns))
    bundle.save(tmp_path / "b")
    read, fresh = (
        Bundle.load(tmp_path / "b"),
        pose(simulate(subjects=150, seed=11, world=LOUD, population=1)[0], "PHQ-9"),
    )
    _, W = encode(fresh, encoder)
    mean, sd = model.predict(W[columns], return_std=True)
    served = read.core.moments(read.encoding.blocks(fresh.design))
    assert np.ptp(mean - model.additive_.predict(W[columns])) > 0.1  # the trees do say something
    assert served.change == pytest.approx(mean, abs=1e-6)
    assert served.sd == pytest.approx(sd, rel=1e-9)
    assert served.change.tobytes() == bundle.core.moments(bundle.encoding.blocks(fresh.design)).change.tobytes()


def test_a_row_alone_equals_the_row_in_a_batch_bit_for_bit(final):
    design = pose(simulate(subjects=120, seed=11, world=LOUD, population=2)[0], "PHQ-9").design
    batch = final.bundle.predict(design)
    for i in range(len(design)):
        alone = final.bundle.predict(design.take(np.array([i])))
        for name in ("change", "lower", "upper", "p_response", "p_remission", "floor_change"):
            assert getattr(alone, name).tobytes() == getattr(batch, name)[i : i + 1].tobytes()


def test_taxa_of_other_people_in_the_table_change_no_bit(final):
    cohort = simulate(subjects=30, seed=11, world=LOUD, population=3)[0]
    design = cohort.design("PHQ-9")
    own = design.abundance[4] > 0
    narrow = design.take(np.array([4]))
    narrow = type(design)(
        **{
            **vars(narrow),
            "genera": tuple(g for g, has in zip(design.genera, own, strict=True) if has),
            "abundance": narrow.abundance[:, own],
        }
    )
    assert final.bundle.predict(narrow).change.tobytes() == final.bundle.predict(design).change[4:5].tobytes()


def test_contributions_sum_to_the_prediction(final, problem):
    found = final.bundle.predict(problem.design)
    assert sum(found.contributions.values()) == pytest.approx(found.change, abs=1e-9)
    assert {"origin", "baseline", "microbiome", "range"} <= set(found.contributions)


def test_saved_and_loaded_it_answers_the_same(final, problem, tmp_path):
    saved = final.bundle.save(tmp_path / "b")
    loaded = Bundle.load(tmp_path / "b")
    assert loaded.digest == saved.digest
    assert loaded.predict(problem.design).upper.tobytes() == final.bundle.predict(problem.design).upper.tobytes()


def test_steps_in_lifestyle_are_saved_and_loaded(final, problem, tmp_path):
    encoding = replace(final.bundle.encoding, bars=(Bar(0, 0.1, 0.4), Bar(2, -0.5, 0.7)))
    replace(final.bundle, encoding=encoding).save(tmp_path / "b")
    loaded = Bundle.load(tmp_path / "b").encoding
    assert loaded.bars == encoding.bars
    assert np.array_equal(loaded.blocks(problem.design)["step"], encoding.blocks(problem.design)["step"])


def test_the_same_model_makes_the_same_bytes(final, tmp_path):
    final.bundle.save(tmp_path / "a")
    final.bundle.save(tmp_path / "b")
    for name in ("arrays.npz", "model.json", "manifest.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("name", ["arrays.npz", "model.json", "manifest.json"])
def test_a_flipped_bit_is_refused(final, tmp_path, name):
    final.bundle.save(tmp_path / "b")
    sign_folder(tmp_path / "b", load_key(create_key(tmp_path / "keys", "tester")))
    assert Bundle.load(tmp_path / "b").instrument == "PHQ-9"
    path = tmp_path / "b" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(VerificationFailed):
        Bundle.load(tmp_path / "b")


def test_no_training_person_is_in_the_bundle(final, problem, tmp_path):
    final.bundle.save(tmp_path / "b")
    text = b"".join(path.read_bytes() for path in (tmp_path / "b").iterdir())
    assert not [who for who in problem.subjects if str(who).encode() in text]
    arrays = np.load(tmp_path / "b" / "arrays.npz")
    assert len(problem.y) not in {size for name in arrays.files for size in arrays[name].shape}


def test_a_person_without_stool_is_answered_with_a_wider_interval(final, problem):
    whole = final.bundle.predict(problem.design)
    nothing = np.zeros_like(problem.design.abundance)
    bare = replace(problem.design, stool=np.zeros(len(problem.design), dtype=bool), abundance=nothing)
    without = final.bundle.predict(bare)
    assert without.answered.all()
    assert all("no_stool_sample" in reasons for reasons in without.reasons)
    assert (without.upper - without.lower).mean() > 1.05 * (whole.upper - whole.lower).mean()


def test_an_unknown_arm_is_not_answered(final, problem):
    found = final.bundle.predict(problem.design.with_arm("homeopathy"))
    assert not found.answered.any()
    assert found.reasons[0] == ("arm_not_trained",)


def test_probabilities_follow_the_instruments_rules(final, problem):
    found = final.bundle.predict(problem.design)
    certain = found.upper <= -problem.design.baseline / 2  # the whole interval is a response (PHQ-9: half the score)
    assert ((found.p_response >= 0) & (found.p_response <= 1)).all()
    assert (found.p_response[certain] >= 0.9).all()
    assert np.corrcoef(found.p_response, found.change)[0, 1] < -0.3


def test_manifest_is_plain_json_with_what_a_service_needs(final, tmp_path):
    manifest = json.loads((final.bundle.save(tmp_path / "b") and (tmp_path / "b" / "manifest.json")).read_text())
    assert manifest["instrument"] == "PHQ-9"
    assert manifest["lag"] == {"low": 8.0, "high": 8.0}
    assert manifest["covariates"]["sex"] == {"kind": "categorical", "levels": ["female", "male"]}


def test_intervals_by_group_are_carried_in_the_bundle(problem, evaluation, tmp_path):
    config = RunConfig(model="additive", intervals={"by": "arm"})
    made = fit_final(problem, evaluation, config, widen=(1.2, 1.0), manifest={"name": "m", "run_id": "r"}).bundle
    made = made.save(tmp_path / "b")
    sign_folder(tmp_path / "b", load_key(create_key(tmp_path / "keys", "tester")))
    read, design = Bundle.load(tmp_path / "b"), problem.design
    found = read.predict(design)
    counts = {arm: int((design.arm == arm).sum()) for arm in made.arms}
    assert set(made.calibration.groups) == {arm for arm, n in counts.items() if n >= 40}
    assert 0 < len(made.calibration.groups) < len(counts)
    for i in range(len(design)):
        lacks = counts[design.arm[i]] < 40
        assert np.isnan(found.lower[i]) == np.isnan(found.upper[i]) == lacks
        assert ("no_interval_for_group" in found.reasons[i]) == lacks
        assert found.answered[i]
    alone = read.predict(design.take(np.array([3])))
    assert alone.lower.tobytes() == found.lower[3:4].tobytes()


def test_a_bundle_with_one_quantile_says_nothing_of_groups(final, tmp_path):
    final.bundle.save(tmp_path / "b")
    state = json.loads((tmp_path / "b" / "model.json").read_bytes())
    assert not {"by", "groups", "cuts", "quantiles"} & set(state["calibration"])


def test_trees_without_covers_are_written_as_they_always_were(problem, evaluation, tmp_path):
    _, Z = encode(problem)
    columns = columns_of(list(Z.columns), CATALOG["xgboost"])
    model = fit_entry(CATALOG["xgboost"], CATALOG["xgboost"].grid[0], Z[columns], problem.y, seed=0)
    final = fit_final(problem, evaluation, RunConfig(model="additive"), widen=(1.2, 1.0), manifest={"name": "m"})
    made = replace(final.bundle, core=to_core(model, columns))
    past = replace(made, core=replace(made.core, cover=None))
    for name, bundle in (("now", made), ("past", past)):
        bundle.save(tmp_path / name)
    state = json.loads((tmp_path / "past" / "model.json").read_bytes())
    assert set(state["core"]) == {"columns", "intercept", "strict", "rmse"}
    whole, bare = (set(np.load(tmp_path / name / "arrays.npz").files) for name in ("now", "past"))
    assert whole - bare == {"core.cover"}
    now, then = (Bundle.load(tmp_path / name).predict(problem.design) for name in ("now", "past"))
    assert then.change.tobytes() == now.change.tobytes()
    assert list(then.contributions) == ["origin", "trees", "range"]
    assert {"baseline", "arm", "lifestyle", "microbiome"} < set(now.contributions)
