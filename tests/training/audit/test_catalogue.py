"""The list of runs is what the run folders say, however often they change."""

import json
import shutil

import pytest

from features.errors import InvalidInput
from training.audit.catalogue import INDEX_NAME, folder_of, list_runs, refresh, store_folder


@pytest.fixture
def store(simulate, tmp_path):
    for name, instrument in (("r1", "PHQ-9"), ("r2", "GAD-7"), ("r3", "PHQ-9")):
        run = tmp_path / "artifacts" / name / "artifacts" / "run"
        record = {"run_id": name, "instrument": instrument, "metrics": {"mae": {"estimate": 3.5}}}
        simulate(people=20).write(run, record=record)
    return tmp_path


def test_runs_are_listed_and_filtered(store):
    assert {row["run_id"] for row in list_runs(store)} == {"r1", "r2", "r3"}
    assert {row["run_id"] for row in list_runs(store, where={"instrument": "PHQ-9"})} == {"r1", "r3"}
    assert [row["run_id"] for row in list_runs(store, text="gad-7")] == ["r2"]
    assert list_runs(store)[0]["mae"] == 3.5


def test_the_index_follows_the_folders(store):
    refresh(store)
    shutil.rmtree(store / "artifacts" / "r2")
    path = store / "artifacts" / "r1" / "artifacts" / "run" / "run.json"
    record = json.loads(path.read_text())
    record["model_name"] = "renamed"
    path.write_text(json.dumps(record))
    rows = {row["run_id"]: row for row in refresh(store)}
    assert set(rows) == {"r1", "r3"}
    assert rows["r1"]["model_name"] == "renamed"


@pytest.mark.parametrize("content", ["", "[]", "not json", '{"format_version": 99}'])
def test_a_spoiled_index_is_written_anew(store, content):
    (store / INDEX_NAME).write_text(content)
    assert len(refresh(store)) == 3
    assert len(json.loads((store / INDEX_NAME).read_text())["runs"]) == 3


def test_unfinished_runs_are_left_out(store):
    (store / "artifacts" / "r4" / "artifacts").mkdir(parents=True)
    (store / "artifacts" / "r3" / "artifacts" / "run" / "run.json").write_text("{")
    assert len(refresh(store)) == 2


def test_a_run_is_found_by_its_id_only(store):
    assert folder_of(store, "r1").name == "run"
    for name in ("../r1", "r9", ""):
        with pytest.raises(InvalidInput, match="no such run"):
            folder_of(store, name)


def test_the_store_folder_of_an_address(tmp_path):
    assert store_folder(f"sqlite:///{tmp_path}/mlflow.db") == tmp_path
    with pytest.raises(InvalidInput, match="vagus runs"):
        store_folder("http://127.0.0.1:5000")
    assert refresh(tmp_path) == []
