"""A replay runs the recorded code elsewhere and says whether the same came out."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from features.digest import sha256
from features.errors import InvalidInput
from models.ledger import DEFAULT_FOLDER, open_ledger, prepare_ledger
from training.audit import reproduce
from training.audit.runs import read_run
from training.audit.withdraw import barred, withdraw
from training.keyring import secret_id, subject_name, subject_secret

ROOT = Path(__file__).resolve().parents[3]


def write(simulation, folder, **record):
    return simulation.write(folder, record={"code_digest": "sha256:c", **record})


def test_unknown_code_is_said(simulation, tmp_path):
    run = read_run(write(simulation, tmp_path / "a"))
    with pytest.raises(InvalidInput, match="not in this repository"), reproduce.recorded_code(run):
        pass


def test_code_that_was_never_committed_is_located_at_code(simulation, tmp_path):
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    if len(head) != 40:
        pytest.skip("the tests do not run in a git checkout")
    folder = write(simulation, tmp_path / "a", code_commit=head)
    assert reproduce.reproduce(read_run(folder), tmp_path).verdict == "differs at code"


def named(simulation, tmp_path, content):
    """A run whose settings name a file of modules."""
    files = {"modules": {"name": "modules.txt", "digest": sha256(content)}}
    return read_run(write(simulation, tmp_path / "run", files=files))


def test_a_file_the_settings_name_is_found_beside_the_cohort_or_where_it_is_said(simulation, tmp_path):
    run = named(simulation, tmp_path, b"own")
    for place, given in (
        (tmp_path / "cohort", ()),
        (tmp_path, ()),
        (tmp_path / "x", (tmp_path / "x" / "renamed.txt",)),
    ):
        scratch, cohort = tmp_path / "scratch", tmp_path / "cohort"
        for folder in (scratch, cohort, place):
            folder.mkdir(exist_ok=True)
        (place / (given[0].name if given else "modules.txt")).write_bytes(b"own")
        reproduce._bring(run, (*given, cohort, cohort.parent), scratch)
        assert (scratch / "modules.txt").read_bytes() == b"own"
        for path in (*given, place / "modules.txt", scratch / "modules.txt"):
            path.unlink(missing_ok=True)


def test_another_file_of_that_name_is_refused_with_the_remedy(simulation, tmp_path):
    run = named(simulation, tmp_path, b"own")
    with pytest.raises(InvalidInput, match="is not here") as absent:
        reproduce._bring(run, (tmp_path,), tmp_path / "scratch")
    assert absent.value.problems[0].remedy.endswith("--file FILE")
    (tmp_path / "modules.txt").write_bytes(b"edited")
    with pytest.raises(InvalidInput, match="is another file now"):
        reproduce._bring(run, (tmp_path,), tmp_path / "scratch")


def test_who_withdrew_before_the_run_is_left_out_of_its_replay_and_no_one_else(simulation, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    secret = subject_secret()
    simulation.subject[0] = subject_name("later", secret)
    run = read_run(write(simulation, tmp_path / "run", subject_key_id=secret_id(secret)))
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "outcomes.tsv").write_text("subject_id\tx\nbefore\t1\nlater\t1\nstays\t1\n")
    reproduce.leave_out(run, tmp_path / "c", tmp_path / "none" / "log")
    assert not (tmp_path / "none").exists()
    log = open_ledger(prepare_ledger())
    for who in ("before", "later"):
        withdraw(who, [], log, DEFAULT_FOLDER, people=secret, actor="officer")
    log.close()
    reproduce.leave_out(run, tmp_path / "c", tmp_path / "scratch" / "log")
    assert barred({"before", "later", "stays"}, tmp_path / "scratch" / "log") == {"before"}
    elsewhere = read_run(write(simulation, tmp_path / "other", subject_key_id="another"))
    reproduce.leave_out(elsewhere, tmp_path / "c", tmp_path / "none" / "log")
    assert not (tmp_path / "none").exists()


def test_a_record_cannot_pass_options_to_git(simulation, tmp_path):
    run = read_run(write(simulation, tmp_path / "a", code_commit="--output=" + "a" * 31))
    with pytest.raises(InvalidInput, match="not in this repository"), reproduce.recorded_code(run):
        pass


@pytest.fixture
def vagus(tmp_path):
    """The command run from a copy of the code, which nobody edits between training and replay."""
    code = tmp_path / "code"
    skip = shutil.ignore_patterns("__pycache__")
    for room in ("features", "models", "training", "requirements"):
        shutil.copytree(ROOT / room, code / room, ignore=skip)
    shutil.copy(ROOT / "vagus.py", code)

    def run(*arguments):
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(code), "PYTHONSAFEPATH": "1"}
        command = [sys.executable, "-m", "vagus", *map(str, arguments)]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900, check=False
        )

    return run


@pytest.mark.slow
def test_a_real_run_replays_bit_for_bit_and_a_changed_cell_is_found(vagus, tmp_path):
    vagus("cohort", "simulate", "--out", "cohort", "--subjects", 40, "--seed", 3)
    (tmp_path / "quick.toml").write_text("repeats = 1\nfolds = 2\nshuffles = 0\n")
    trained = vagus("train", "cohort", "--instrument", "PHQ-9", "--config", "quick.toml", "--json")
    assert trained.returncode == 0, trained.stderr
    run = json.loads(trained.stdout)["run_id"]
    replayed = vagus("audit", "reproduce", run, "--data", "cohort", "--json")
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert json.loads(replayed.stdout)["verdict"] == "identical"
    outcomes = (tmp_path / "cohort" / "outcomes.tsv").read_text().splitlines()
    cells = outcomes[7].split("\t")
    place = outcomes[0].split("\t").index("followup_score")
    cells[place] = repr(float(cells[place]) + (1 if float(cells[place]) < 20 else -1))
    cells[place + 1] = ""  # the change is then computed
    outcomes[7] = "\t".join(cells)
    (tmp_path / "cohort" / "outcomes.tsv").write_text("\n".join(outcomes) + "\n")
    changed = vagus("audit", "reproduce", run, "--data", "cohort", "--json")
    assert changed.returncode == 4
    assert json.loads(changed.stdout)["verdict"] == "differs at data"
