"""A replay proves equality step by step; one planted change is named at its step."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from features.digest import canonical_json
from features.errors import InvalidInput
from models.manifest import write_manifest
from training.audit import reproduce
from training.audit.runs import read_run

ROOT = Path(__file__).resolve().parents[3]
RECORD = {
    "code_digest": "sha256:c",
    "versions": {"numpy": "2.4.6"},
    "gates": {"coverage": {"status": "pass", "reason": "refused only outside 0.86-0.94"}},
    "metrics": {"mae": {"estimate": 3.25}},
}


def in_record(change):
    def plant(folder):
        record = json.loads((folder / "run.json").read_text())
        change(record)
        (folder / "run.json").write_bytes(canonical_json(record))

    return plant


def in_table(name, line, old, new):
    def plant(folder):
        lines = (folder / name).read_text().splitlines()
        changed = lines[line].replace(old, new, 1)
        assert changed != lines[line]
        lines[line] = changed
        (folder / name).write_text("\n".join(lines) + "\n")

    return plant


def in_bundle(folder):
    (folder / "bundle" / "arrays.npz").write_bytes(b"other weights")
    write_manifest(folder / "bundle", {"kind": "bundle"})


def drop_row(folder):
    lines = (folder / "rows.tsv").read_text().splitlines()
    (folder / "rows.tsv").write_text("\n".join(lines[:-1]) + "\n")


PLANTED = {
    "a line of code": (in_record(lambda r: r.update(code_digest="sha256:x")), "code"),
    "a library version": (in_record(lambda r: r["versions"].update(numpy="2.4.5")), "library"),
    "the lock": (in_record(lambda r: r.update(lock_digest="sha256:x")), "library"),
    "the seed": (in_record(lambda r: r["config"].update(seed=1)), "settings"),
    "the data digest": (in_record(lambda r: r.update(data_digest="sha256:x")), "data"),
    "a row removed": (drop_row, "features"),
    "a value in a row": (in_table("rows.tsv", 5, "\t", "\t0"), "features"),
    "a person's fold": (in_table("splits.tsv", 3, "0\t", "1\t"), "split"),
    "a prediction": (in_table("oof.tsv", 9, "fibre", "placebo"), "predictions"),
    "a weight": (in_bundle, "model"),
    "a metric": (in_record(lambda r: r["metrics"]["mae"].update(estimate=3.2)), "figures"),
    "a threshold": (in_record(lambda r: r["gates"]["coverage"].update(reason="outside 0.80-0.99")), "thresholds"),
}


def write(simulation, folder):
    simulation.write(folder, record=RECORD)
    (folder / "bundle").mkdir()
    (folder / "bundle" / "arrays.npz").write_bytes(b"weights")
    write_manifest(folder / "bundle", {"kind": "bundle", "run_id": folder.name})
    write_manifest(folder, {"kind": "run"})
    return folder


def test_equal_folders_are_identical_whatever_run_id_and_time(simulation, tmp_path):
    first, second = (read_run(write(simulation, tmp_path / name)) for name in "ab")
    found = reproduce.judge(first, second)
    assert found.verdict == "identical"
    assert [step.status for step in found.steps] == ["equal"] * len(reproduce.STEPS)


@pytest.mark.parametrize("planted", PLANTED)
def test_one_planted_change_is_located_at_its_step(simulation, tmp_path, planted):
    change, step = PLANTED[planted]
    first, second = (write(simulation, tmp_path / name) for name in "ab")
    change(second)
    write_manifest(second, {"kind": "run"})
    found = reproduce.judge(read_run(first), read_run(second))
    assert found.verdict == f"differs at {step}"
    assert [item.name for item in found.steps if item.status == "differs"] == [step]


def nudge(folder, by):
    lines = (folder / "oof.tsv").read_text().splitlines()
    cells = lines[4].split("\t")
    cells[9] = repr(float(cells[9]) + by)
    lines[4] = "\t".join(cells)
    (folder / "oof.tsv").write_text("\n".join(lines) + "\n")
    write_manifest(folder, {"kind": "run"})
    return read_run(folder)


def test_the_bound_between_processors_is_declared_and_used_only_on_request(simulation, tmp_path):
    first = read_run(write(simulation, tmp_path / "a"))
    near = nudge(write(simulation, tmp_path / "b"), 1e-9)
    assert reproduce.judge(first, near).verdict == "differs at predictions"
    found = reproduce.judge(first, near, bound=reproduce.CPU_BOUND)
    assert found.verdict == "within bound"
    far = nudge(write(simulation, tmp_path / "c"), 1e-3)
    assert reproduce.judge(first, far, bound=reproduce.CPU_BOUND).verdict == "differs at predictions"


def test_the_first_differing_cell_is_named_without_its_value(simulation, tmp_path):
    first = read_run(write(simulation, tmp_path / "a"))
    found = reproduce.judge(first, nudge(write(simulation, tmp_path / "b"), 0.5))
    detail = next(step.detail for step in found.steps if step.status == "differs")
    assert detail.startswith("oof.tsv: line 5, column prediction is the first of 1 values that differ")


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
    folder = write(simulation, tmp_path / "a")
    in_record(lambda record: record.update(code_commit=head))(folder)
    write_manifest(folder, {"kind": "run"})
    assert reproduce.reproduce(read_run(folder), tmp_path).verdict == "differs at code"


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
