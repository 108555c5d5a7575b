"""A withdrawal finds every use of a person, names nobody, and bars the next training."""

import pytest

from features.errors import Refused
from models.ledger import open_ledger, prepare_ledger
from models.receipt import verify_receipt
from models.record import Event
from training.audit.runs import read_run
from training.audit.withdraw import BARRED, barred, prove_absence, recorded_runs, withdraw
from training.keyring import secret_id, subject_name

SECRET = bytes(range(32))


@pytest.fixture
def ledger(tmp_path):
    return prepare_ledger(tmp_path / "log")


@pytest.fixture
def log(ledger):
    log = open_ledger(ledger)
    yield log
    log.close()


@pytest.fixture
def runs(simulation, tmp_path):
    """Two runs on other data: person `ann` is in the first only."""
    simulation.subject[4] = subject_name("ann", SECRET)
    record = {"subject_key_id": secret_id(SECRET)}
    first = simulation.write(tmp_path / "a", record=record)
    second = simulation.write(tmp_path / "b", record=record, drop={simulation.subject[4]})
    return [read_run(first), read_run(second)]


def test_every_use_is_found_and_named_by_id_only(runs, log, ledger):
    events = [
        Event("prediction", "c", {"model_digest": "sha256:0"}, name, {}, {}) for name in ("north/ann", "bob", "ann")
    ]
    log.append(events)
    found = withdraw("ann", runs, log, ledger, people=SECRET, actor="officer", known_as=["north/ann"])
    assert found.runs == ("a",)
    assert set(found.predictions) == {events[0].id, events[2].id}
    entry = verify_receipt(found.receipt)[0]["entry"]
    assert (entry["kind"], entry["facts"]) == ("withdrawal", {})
    for file in ledger.glob("*"):
        assert not file.is_file() or b"ann" not in file.read_bytes()


def test_who_withdrew_is_barred_from_the_next_training(runs, log, ledger):
    assert barred(["ann", "bob"], ledger) == set()
    withdraw("ann", runs, log, ledger, people=SECRET, actor="officer")
    assert barred(["ann", "bob"], ledger) == {"ann"}
    assert "ann" not in (ledger / BARRED).read_text()


def test_absence_is_proved_from_the_rows_of_the_run(runs):
    assert prove_absence("ann", runs[1], SECRET).startswith("none of the 119 training rows of run b")
    with pytest.raises(Refused, match="run a was trained on this person"):
        prove_absence("ann", runs[0], SECRET)


def test_of_a_run_made_under_another_secret_nothing_is_claimed(runs, simulation, tmp_path, log, ledger):
    foreign = read_run(simulation.write(tmp_path / "c", record={"subject_key_id": secret_id(bytes(31) + b"1")}))
    found = withdraw("ann", [*runs, foreign], log, ledger, people=SECRET, actor="officer")
    assert (found.runs, found.unknown) == (("a",), ("c",))
    with pytest.raises(Refused, match="run c names people under another secret"):
        prove_absence("ann", foreign, SECRET)


def test_the_runs_of_a_store_are_all_looked_at(simulation, tmp_path):
    for name in ("r1", "r2"):
        simulation.write(tmp_path / "artifacts" / name / "artifacts" / "run", record={"run_id": name})
    assert {run.name for run in recorded_runs(tmp_path)} == {"r1", "r2"}
