"""The data scientist's walk through the console command: train, look, promote, export, predict."""

import csv
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from models.bundle import Bundle
from models.log_reader import LogReader
from models.log_store import open_store
from models.manifest import verify_folder
from models.seal import verify_seal

CONTRACT = {
    "run_id", "model_name", "model_version", "metrics", "reference_rows", "increment", "gates", "timings", "warnings",
}  # fmt: skip


def _run_folder(trained):
    return trained.home / ".vagus" / "artifacts" / trained.found["run_id"] / "artifacts" / "run"


def test_the_json_is_the_contracts(trained):
    found = trained.found
    assert found.keys() >= CONTRACT
    for value in found["metrics"].values():
        assert value.keys() == {"estimate", "lower", "upper", "level"}
    for row in found["increment"]:
        assert row.keys() >= {"block", "metric", "estimate", "lower", "upper", "level", "verdict"}
        assert row["verdict"] in ("shown", "not shown")
    assert found["increment"][0]["block"] == "microbiome"
    assert {gate["status"] for gate in found["gates"].values()} <= {"pass", "fail", "not_applicable"}
    assert set(found["reference_rows"]) == {"mean", "baseline", "covariates", "raw_forest"}


def test_the_run_folder_is_whole_and_sealed(trained):
    folder = _run_folder(trained)
    verify_folder(folder)
    assert verify_seal(folder).status == "signed"
    assert {path.name for path in folder.iterdir()} >= {
        "run.json",
        "oof.tsv",
        "splits.tsv",
        "rows.tsv",
        "report.html",
        "bundle",
        "plots",
    }
    assert not re.search(
        r"(src|href)=.(https?:)?//", (folder / "report.html").read_text()
    )  # self-contained: nothing is fetched


def test_no_subject_id_is_in_the_record(trained):
    people = pd.read_csv(trained.cohort / "outcomes.tsv", sep="\t").subject_id
    text = "".join(path.read_text(errors="ignore") for path in _run_folder(trained).rglob("*") if path.is_file())
    assert not [who for who in people if who in text]


def test_metrics_can_be_recomputed_from_the_held_out_table(trained):
    oof = pd.read_csv(_run_folder(trained) / "oof.tsv", sep="\t")
    own = oof[oof.model == "chosen"]
    assert np.abs(own.y - own.prediction).mean() == pytest.approx(
        trained.found["metrics"]["mae"]["estimate"], abs=1e-12
    )
    inside = (own.y >= own.lower - 1e-9) & (own.y <= own.upper + 1e-9)
    assert inside.mean() == pytest.approx(trained.found["metrics"]["coverage"]["estimate"], abs=1e-12)


def test_two_trainings_give_the_same_bytes(trained, tmp_path, vagus):
    """Under the same secret: people have the same digests."""
    shutil.copytree(trained.home / ".vagus" / "keys", tmp_path / ".vagus" / "keys")
    (tmp_path / "run.toml").write_text("repeats = 1\nshuffles = 1\njobs = 2\n")
    vagus("train", trained.cohort, "--instrument", "PHQ-9", "--config", "run.toml", "--json", cwd=tmp_path)
    other = next((tmp_path / ".vagus" / "artifacts").glob("*/artifacts/run"))
    for name in ("oof.tsv", "splits.tsv", "rows.tsv", "bundle/arrays.npz", "bundle/model.json", "plots/models.svg"):
        assert (other / name).read_bytes() == (_run_folder(trained) / name).read_bytes(), name


def test_runs_are_listed_and_shown(trained, vagus):
    listed = json.loads(vagus("runs", "--json", cwd=trained.home).stdout)["runs"]
    assert [row["run_id"] for row in listed] == [trained.found["run_id"]]
    shown = json.loads(vagus("runs", "show", trained.found["run_id"][:8], "--json", cwd=trained.home).stdout)
    assert shown["metrics"] == trained.found["metrics"]


@pytest.fixture(scope="module")
def exported(cohort_folder, tmp_path_factory, vagus):
    """A baseline-only model: it passes every gate on these people."""
    home = tmp_path_factory.mktemp("floor")
    (home / "run.toml").write_text("repeats = 1\nshuffles = 0\njobs = 1\n")
    command = ("train", cohort_folder, "--instrument", "PHQ-9", "--config", "run.toml", "--model", "baseline", "--json")
    run = json.loads(vagus(*command, cwd=home).stdout)["run_id"]
    vagus("promote", run, cwd=home)
    vagus("export", "vagus-phq-9@champion", "--out", "bundle", cwd=home)
    return home


def test_promoted_exported_and_predicted(exported, cohort_folder, vagus):
    assert Bundle.load(exported / "bundle").instrument == "PHQ-9"
    vagus("predict", cohort_folder, "--model", "bundle", "--out", "p.tsv", "--every-arm", cwd=exported)
    vagus("predict", cohort_folder, "--model", "vagus-phq-9@champion", "--out", "q.tsv", "--every-arm", cwd=exported)
    assert (exported / "p.tsv").read_bytes() == (exported / "q.tsv").read_bytes()
    rows = list(csv.DictReader((exported / "p.tsv").open(), delimiter="\t"))
    assert len(rows) == 80 * 5
    assert {row["answered"] for row in rows} == {"true"}
    for row in rows[:20]:
        assert float(row["change_lower"]) <= float(row["change"]) <= float(row["change_upper"])
        assert float(row["follow_up"]) == pytest.approx(float(row["baseline_score"]) + float(row["change"]))


def test_a_run_of_one_named_model_tries_no_challengers(exported, vagus):
    run = json.loads(vagus("runs", "--json", cwd=exported).stdout)["runs"][0]["run_id"]
    shown = json.loads(vagus("runs", "show", run, "--json", cwd=exported).stdout)
    # Its own row is among the references; the pre-specified model is there for the increments.
    assert set(shown["model_rows"]) == {"additive"}
    assert shown["search"]["offered"] == 1
    assert shown["chosen_per_fold"] == {"baseline": 5}
    assert shown["noise"] == []


def test_an_exported_bundle_can_carry_a_model_signature(exported, vagus):
    vagus("export", "vagus-phq-9@champion", "--out", "signed", "--model-signature", "signed.json", cwd=exported)
    verify = ("audit", "verify", "signed.json", "--covers", "signed", "--json", "--trust")
    found = json.loads(vagus(*verify, ".vagus/keys/local.pub", cwd=exported).stdout)
    assert (found["status"], set(found["files"]) >= {"manifest.json", "arrays.npz"}) == ("trusted", True)
    assert vagus(*verify, ".vagus/log/keys/log.pub", cwd=exported, check=False).returncode == 4
    (exported / "signed" / "more.txt").write_text("x")
    assert vagus(*verify, ".vagus/keys/local.pub", cwd=exported, check=False).returncode == 4


def test_a_second_promotion_can_be_rolled_back(exported, cohort_folder, vagus):
    command = (
        "train",
        cohort_folder,
        "--instrument",
        "PHQ-9",
        "--config",
        "run.toml",
        "--model",
        "baseline",
        "--seed",
        "1",
        "--json",
    )
    run = json.loads(vagus(*command, cwd=exported).stdout)["run_id"]
    assert "version 2" in vagus("promote", run, cwd=exported).stdout
    assert "version 1" in vagus("rollback", "vagus-phq-9", cwd=exported).stdout
    assert vagus("rollback", "nobody", cwd=exported, check=False).returncode == 2


def test_a_canary_is_promoted_withdrawn_and_made_champion_and_all_of_it_is_logged(exported, vagus):
    run = json.loads(vagus("runs", "--json", cwd=exported).stdout)["runs"][0]["run_id"]
    assert vagus("promote", run, "--canary", "1.5", cwd=exported, check=False).returncode == 2
    found = json.loads(vagus("promote", run, "--canary", "0.1", "--json", cwd=exported).stdout)
    assert (found["alias"], found["share"]) == ("canary", 0.1)
    assert "withdrawn" in vagus("rollback", "vagus-phq-9", "--alias", "canary", cwd=exported).stdout
    assert vagus("promote", "vagus-phq-9@canary", cwd=exported, check=False).returncode == 2
    vagus("promote", run, "--canary", "0.2", cwd=exported)
    found = json.loads(vagus("promote", "vagus-phq-9@canary", "--json", cwd=exported).stdout)
    assert (found["alias"], found["run_id"], found["was_canary"]) == ("champion", run, True)
    assert (
        vagus("rollback", "vagus-phq-9", "--alias", "canary", cwd=exported, check=False).returncode == 2
    )  # it is over
    reader = LogReader(open_store(exported / ".vagus" / "log" / "log.sqlite", create=False))
    moves = [
        (e["kind"], e["facts"]["alias"], e["facts"].get("share")) for _, e in reader.entries() if "alias" in e["facts"]
    ]
    assert moves[-4:] == [
        ("promotion", "canary", 0.1), ("rollback", "canary", None), ("promotion", "canary", 0.2), ("promotion", "champion", None),
    ]  # fmt: skip


def test_people_to_predict_for_have_a_blank_follow_up(exported, cohort_folder, tmp_path, vagus):
    import shutil

    folder = tmp_path / "new"
    shutil.copytree(cohort_folder, folder)
    table = pd.read_csv(folder / "outcomes.tsv", sep="\t")
    table[["followup_time", "followup_score", "change"]] = np.nan
    table.loc[0, "baseline_score"] = np.nan
    table.to_csv(folder / "outcomes.tsv", sep="\t", index=False)
    vagus("predict", folder, "--model", exported / "bundle", "--out", "p.tsv", cwd=tmp_path)
    rows = list(csv.DictReader((tmp_path / "p.tsv").open(), delimiter="\t"))
    assert (rows[0]["answered"], rows[0]["reason"], rows[0]["change"]) == ("false", "missing_baseline", "")
    assert rows[1]["answered"] == "true"


def test_a_run_with_a_failing_gate_is_not_promoted(tmp_path, vagus):
    vagus("cohort", "simulate", "--out", "c", "--subjects", "40", "--seed", "2", "--null", cwd=tmp_path)
    table = pd.read_csv(tmp_path / "c" / "outcomes.tsv", sep="\t")
    rng = np.random.default_rng(0)
    table["followup_score"] = rng.integers(0, 28, len(table))  # an outcome nothing predicts
    table["baseline_score"] = 14
    table["change"] = table.followup_score - 14
    table.to_csv(tmp_path / "c" / "outcomes.tsv", sep="\t", index=False)
    (tmp_path / "run.toml").write_text("repeats = 1\nshuffles = 0\njobs = 1\n")
    done = vagus("train", "c", "--instrument", "PHQ-9", "--config", "run.toml", "--json", cwd=tmp_path)
    found = json.loads(done.stdout)
    assert found["gates"]["better_than_mean"]["status"] == "fail"
    refused = vagus("promote", found["run_id"], cwd=tmp_path, check=False)
    assert refused.returncode == 3
    assert "better_than_mean" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("train", "nowhere", "--instrument", "PHQ-9"), 2, "missing_folder"),
        (("train", "{cohort}", "--instrument", "GAD-7"), 2, "Choose one of: PHQ-9"),
        (("train", "{cohort}", "--instrument", "PHQ-9", "--model", "oracle"), 2, "unknown_model"),
        (("promote", "nothing"), 2, "unknown_run"),
        (("export", "a@b", "--out", "x"), 2, "unknown_alias"),
        (("predict", "{cohort}", "--model", "nothing", "--out", "x"), 2, "unknown_run"),
        (("train", "{cohort}"), 2, "--instrument"),
    ],
)
def test_bad_usage_is_one_line_and_an_exit_code(arguments, code, words, cohort_folder, tmp_path, vagus):
    done = vagus(*(a.format(cohort=cohort_folder) for a in arguments), cwd=tmp_path, check=False)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_the_log_tells_what_was_done(exported, vagus):
    vagus("audit", "verify", ".vagus/log/log.sqlite", cwd=exported)
    stored = (exported / ".vagus" / "log" / "log.sqlite").read_bytes()
    assert all(kind in stored for kind in (b'"evaluation"', b'"promotion"', b'"export"'))


def test_a_withdrawn_person_is_left_out_of_the_next_training(cohort_folder, tmp_path, vagus):
    who = pd.read_csv(cohort_folder / "outcomes.tsv", sep="\t").subject_id[0]
    vagus("withdraw", who, cwd=tmp_path)
    (tmp_path / "run.toml").write_text("repeats = 1\nshuffles = 0\njobs = 1\n")
    command = ("train", cohort_folder, "--instrument", "PHQ-9", "--config", "run.toml", "--model", "baseline", "--json")
    assert json.loads(vagus(*command, cwd=tmp_path).stdout)["subjects"] == 79
