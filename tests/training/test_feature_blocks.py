"""`[features]` of a run configuration: own rows in the increment table, served by the bundle, off by default."""

import json
from dataclasses import replace

import numpy as np
import pytest

from features.derived import planned
from features.errors import InvalidInput
from features.synthetic import World, simulate
from models.bundle import Bundle
from models.seal import create_key, load_key, sign_folder
from training.config import RunConfig, read_config
from training.finalfit import fit_final
from training.problem import pose
from training.protocol import INCREMENTS, evaluate, increment_pairs, outer_splits

ON = {"diversity": True, "producers": True}


@pytest.fixture(scope="module")
def plain():
    return pose(simulate(subjects=120, seed=11, world=World(microbiome=2.5))[0], "PHQ-9")


@pytest.fixture(scope="module")
def problem(plain):
    return replace(plain, derived=planned(ON))


@pytest.fixture(scope="module")
def evaluation(problem):
    return evaluate(problem, outer_splits(problem, repeats=1, seed=0), seed=0, candidates=("additive",), jobs=1)


def test_each_block_is_a_row_of_its_own(problem, plain):
    assert increment_pairs(plain) == INCREMENTS
    blocks = [block for block, _, _ in increment_pairs(problem)]
    assert blocks == ["microbiome", "lifestyle", "arm", "diversity", "producers"]


def test_the_other_rows_are_those_of_a_run_without_the_blocks(plain, evaluation):
    before = evaluate(plain, outer_splits(plain, repeats=1, seed=0), seed=0, candidates=("additive",), jobs=1)
    assert np.array_equal(evaluation.predictions["no_derived"], before.predictions["additive"])
    assert np.array_equal(evaluation.predictions["covariates"], before.predictions["covariates"])
    assert not {"no_derived", "with_diversity"} & set(before.predictions)
    assert {"with_diversity", "with_producers"} <= set(evaluation.predictions)


def test_a_run_without_them_is_recorded_as_ever():
    assert "features" not in RunConfig().recorded()
    assert RunConfig(features=ON).recorded()["features"] == ON


def _bundle(problem, evaluation, folder):
    config = RunConfig(model="additive")
    fields = {"name": "m", "run_id": "r", "kind": "bundle"}
    final = fit_final(problem, evaluation, config, widen=(1.2, 1.2), manifest=fields)
    saved = final.bundle.save(folder)
    sign_folder(folder, load_key(create_key(folder.parent / "keys", "tester")))
    return saved


def test_the_bundle_serves_the_blocks_bit_for_bit(problem, evaluation, tmp_path):
    saved = _bundle(problem, evaluation, tmp_path / "bundle")
    loaded = Bundle.load(tmp_path / "bundle")
    assert {block.kind for block in loaded.encoding.derived} == {"diversity", "producers"}
    design = pose(simulate(subjects=60, seed=11, population=2)[0], "PHQ-9").design
    batch = loaded.predict(design)
    assert np.array_equal(batch.change, saved.predict(design).change)
    for i in range(len(design)):
        assert loaded.predict(design.take(np.array([i]))).change[0] == batch.change[i]
    stored = json.loads((tmp_path / "bundle" / "model.json").read_text())
    assert [block["kind"] for block in stored["encoding"]["derived"]] == ["diversity", "producers"]


def test_a_bundle_without_them_does_not_mention_them(plain, tmp_path):
    found = evaluate(plain, outer_splits(plain, repeats=1, seed=0), seed=0, candidates=("additive",), jobs=1)
    _bundle(plain, found, tmp_path / "bundle")
    assert "derived" not in (tmp_path / "bundle" / "model.json").read_text()


@pytest.mark.parametrize("text", ["[features]\ndiversity = 1\n", "[features]\nspirit = true\n", "features = 3\n",
                                  "[features]\nmodules = true\n"])  # fmt: skip
def test_a_wrong_table_is_refused(text, tmp_path):
    (tmp_path / "run.toml").write_text(text)
    with pytest.raises(InvalidInput, match="features"):
        read_config(tmp_path / "run.toml")


def test_a_file_of_modules_is_read_and_its_digest_kept(tmp_path):
    (tmp_path / "mine.txt").write_text("M1\tone\nK00001\n///\n")
    (tmp_path / "run.toml").write_text(f'[features]\nmodules = "{tmp_path / "mine.txt"}"\n')
    (block,) = read_config(tmp_path / "run.toml").derived()
    assert block.digest.startswith("sha256:")
    with pytest.raises(InvalidInput, match="modules_unreadable"):
        RunConfig(features={"modules": str(tmp_path / "none.txt")}).derived()
