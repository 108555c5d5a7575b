"""From one answer back to its model, run and rows, or a refusal to pretend."""

import pytest

from features.errors import InvalidInput, VerificationFailed
from models.ledger import open_ledger, prepare_ledger
from models.manifest import folder_digest, write_manifest
from models.record import Event
from training.audit.lineage import prove_entry, trace
from training.audit.runs import read_run


@pytest.fixture
def log(tmp_path):
    log = open_ledger(prepare_ledger(tmp_path / "log"))
    yield log
    log.close()


@pytest.fixture
def run(simulation, tmp_path):
    folder = simulation.write(
        tmp_path / "run", record={"consent_versions": ["v2"], "gates": {"no_leak": {"status": "pass"}}}
    )
    (folder / "bundle").mkdir()
    (folder / "bundle" / "model.json").write_text("{}")
    write_manifest(folder / "bundle", {"kind": "bundle"})
    write_manifest(folder, {"kind": "run"})
    return read_run(folder)


def answer(log, digest):
    log.append([Event("load", "service", {})])
    event = Event("prediction", "clinic-a", {"model_digest": digest, "run_id": "run"}, "p", {"x": 1}, {"change": -2})
    log.append([event, Event("load", "service", {})])
    return event.id


def test_lineage_names_bundle_run_rows_thresholds_and_consent(log, run):
    digest = folder_digest(write_manifest(run.folder / "bundle", {"kind": "bundle"}))
    found = trace(prove_entry(answer(log, digest), log.reader), run)
    assert found["prediction"]["place"] == 1
    assert found["bundle"]["digest"] == digest
    assert found["run"]["data_digest"] == "sha256:d"
    assert found["training_rows"] == {"rows": 120, "people": 120, "digests": found["training_rows"]["digests"]}
    assert found["consent_versions"] == ["v2"]
    assert found["thresholds"]["gates"] == {"no_leak": {"status": "pass"}}
    assert found["preprocessing"]["digest"].startswith("sha256:")


def test_an_answer_of_another_model_is_not_traced_to_this_run(log, run):
    with pytest.raises(VerificationFailed, match="not the one this run left"):
        trace(prove_entry(answer(log, "sha256:other"), log.reader), run)


def test_an_unknown_prediction_is_bad_input(log):
    log.append([Event("load", "service", {})])
    with pytest.raises(InvalidInput, match="no event of this id"):
        prove_entry("unheard-of", log.reader)
