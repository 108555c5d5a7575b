"""`[features]` of a run configuration: own rows in the increment table, served by the bundle, off by default."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from features.blocks import FeatureEncoder
from features.derived import planned
from features.errors import InvalidInput
from features.gut_brain import read_modules
from features.synthetic import World, simulate
from models.applicability import Limits
from models.bundle import Bundle
from models.seal import create_key, load_key, sign_folder
from training.config import RunConfig, read_config
from training.finalfit import fit_final
from training.predict_job import read_people
from training.problem import pose
from training.protocol import INCREMENTS, evaluate, increment_pairs, outer_splits
from training.report import stating_modules

ON = {"diversity": True, "producers": True}


@pytest.fixture(scope="module")
def plain():
    return pose(simulate(subjects=120, seed=11, world=World(microbiome=2.5))[0], "PHQ-9")


@pytest.fixture(scope="module")
def problem(plain):
    return replace(plain, derived=planned(ON))


@pytest.fixture(scope="module")
def evaluation(problem):
    return evaluate(
        problem, outer_splits(problem, repeats=1, seed=0), seed=0, candidates=("additive", "elastic_net"), jobs=1
    )


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


def _bundle(problem, evaluation, folder, model="additive"):
    config = RunConfig(model=model)
    fields = {"name": "m", "run_id": "r", "kind": "bundle"}
    final = fit_final(problem, evaluation, config, widen=(1.2, 1.2), manifest=fields)
    saved = final.bundle.save(folder)
    sign_folder(folder, load_key(create_key(folder.parent / "keys", "tester")))
    return saved


def test_the_bundle_serves_the_blocks_bit_for_bit(problem, evaluation, tmp_path):
    saved = _bundle(problem, evaluation, tmp_path / "bundle", "elastic_net")
    loaded = Bundle.load(tmp_path / "bundle")
    assert {block.kind for block in loaded.encoding.derived} == {"diversity", "producers"}
    design = pose(simulate(subjects=60, seed=11, population=2)[0], "PHQ-9").design
    batch = loaded.predict(design)
    assert np.array_equal(batch.change, saved.predict(design).change)
    for i in range(len(design)):
        assert loaded.predict(design.take(np.array([i]))).change[0] == batch.change[i]
    stored = json.loads((tmp_path / "bundle" / "model.json").read_text())
    assert [block["kind"] for block in stored["encoding"]["derived"]] == ["diversity", "producers"]


def test_blocks_that_the_model_left_out_do_not_travel(problem, evaluation, tmp_path):
    saved = _bundle(problem, evaluation, tmp_path / "bundle")
    read = {segment.block for segment in saved.core.segments}
    assert {block.kind for block in saved.encoding.derived} == read & {"diversity", "producers"}


def test_a_person_without_gene_families_is_told_when_the_model_reads_them(plain):
    modules = read_modules(b"M1\tone\nK00001\n///\n")
    encoder = FeatureEncoder(derived=planned({"modules": "x"}, modules)).fit(plain.design.frame())
    limits = Limits(0.0, 27.0, True, 1.5)
    one, other = plain.design.take(np.array([0, 1])), plain.design.take(np.array([0, 1]))
    measured = replace(one, function_names=("K00001",), functions=np.array([[0.2], [np.nan]]))
    _, reasons, factor = limits.judge(measured, encoder.encoding_, True, 1.0, np.zeros(2))
    assert ["no_functions" in codes for codes in reasons] == [False, True]
    assert factor.tolist() == [1.0, 1.5]
    _, reasons, _ = limits.judge(other, encoder.encoding_, True, 1.0, np.zeros(2))
    assert all("no_functions" in codes for codes in reasons)
    _, reasons, _ = limits.judge(other, FeatureEncoder().fit(plain.design.frame()).encoding_, True, 1.0, np.zeros(2))
    assert not any("no_functions" in codes for codes in reasons)


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


MODULES = b"M1\tone\nK00001\n///\nM2\ttwo\nK00002\n///\n"


def test_a_cohort_without_gene_families_is_read_and_its_people_are_told(cohort_folder, plain, tmp_path):
    """The same limits as over HTTP: the rows carry the reason, the command is not refused."""
    blocks = planned({"modules": "x"}, read_modules(MODULES))
    bundle = SimpleNamespace(encoding=SimpleNamespace(derived=blocks), instrument="PHQ-9")
    people = read_people(cohort_folder, bundle, frozenset())
    assert people.functions is None
    encoder = FeatureEncoder(derived=blocks).fit(plain.design.frame())
    design = people.design("PHQ-9")
    _, reasons, _ = Limits(0.0, 27.0, True, 1.5).judge(design, encoder.encoding_, True, 1.0, np.zeros(len(design)))
    assert all("no_functions" in codes for codes in reasons)
    whole = tmp_path / "with"
    shutil.copytree(cohort_folder, whole)
    ids = [line.split("\t")[0] for line in (whole / "samples.tsv").read_text().splitlines()[1:]]
    rows = "".join(f"{name}\t3\t1\n" for name in ids)
    (whole / "functions.tsv").write_text("sample_id\tK00001\tK00003\n" + rows)
    assert read_people(whole, bundle, frozenset()).functions.data.tolist() == [0.75] * len(ids)


def test_the_card_says_whether_the_bundle_holds_definitions_of_modules():
    card = {"words": ["a"], "task": "change"}
    (block,) = planned({"modules": "x"}, read_modules(MODULES))
    said = stating_modules(card, [*planned(ON), block])
    assert (said["task"], said["words"][0], len(said["words"])) == ("change", "a", 2)
    assert "2 modules" in said["words"][1]
    assert block.digest in said["words"][1]
    assert "licence" in said["words"][1]
    assert stating_modules(card, planned(ON))["words"] == ["a"]
