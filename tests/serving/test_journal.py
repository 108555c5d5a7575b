"""What is answered is logged first: receipts hold outside Vagus, values are nowhere, no log means no answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models.ledger import open_ledger, prepare_ledger
from serving.access import Access, Principal
from serving.answering import answer_patients
from serving.budget import Budget
from serving.desk import Desk
from serving.faults import RequestError
from serving.journal import Journal
from serving.schemas import PredictRequest, convert
from serving.scribe import Answer
from serving.settings import Settings
from serving.switch import Switch

ROOT = Path(__file__).resolve().parents[2]
WHO = Principal("k1", "", "clinic", "north")


@pytest.fixture
def desk(bundles, tmp_path):
    prepare_ledger(tmp_path / "log")
    journal = Journal.open(tmp_path / "log")
    return Desk(Settings(), bundles, Access([]), Budget(0, 0), Switch(None), journal=journal)


def ask(desk, *patients):
    request = convert({"patients": list(patients)}, PredictRequest)
    return answer_patients(desk, WHO, request, "/predict", lambda: patients)["predictions"]


def entries(desk):
    return [entry for _, entry in desk.journal.log.reader.entries()]


def test_answers_and_refusals_are_logged_with_the_model_that_gave_them(desk, patient):
    ask(desk, patient, {**patient, "flags": ["pregnancy"]})
    logged = entries(desk)
    assert [(entry["kind"], entry["facts"]["answered"]) for entry in logged] == [
        ("prediction", True),
        ("refusal", False),
    ]
    assert logged[0]["actor"] == "k1"
    assert logged[0]["facts"]["model_digest"] == "sha256:" + "0" * 64
    assert logged[0]["facts"]["instrument"] == "PHQ-9"


def test_no_value_of_a_patient_is_in_the_log(desk, patient, tmp_path):
    canary = {**patient, "id": "CANARY-id", "lifestyle": {"age_years": 77.125}}
    canary["microbiome"] = {"unit": "counts", "taxa": {"g__CANARYtaxon": 4321}}
    ask(desk, canary)
    stored = b"".join(path.read_bytes() for path in (tmp_path / "log").iterdir() if path.is_file())
    for value in (b"CANARY", b"77.125", b"4321", b"fermented_food"):
        assert value not in stored


def verify(path, *options):
    command = [sys.executable, str(ROOT / "training" / "audit" / "verify_receipt.py"), str(path), *options]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]}
    ).returncode


def test_a_receipt_is_judged_by_the_verifier_that_knows_nothing_of_vagus(desk, patient, tmp_path):
    for _ in range(3):
        (told,) = ask(desk, patient)
    receipt = bytes(told.pop("receipt"))
    assert json.loads(receipt)["answer"] == told
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_bytes(receipt)
    bad.write_bytes(receipt.replace(b'"change":-10', b'"change":-11'))
    assert (verify(good), verify(bad)) == (0, 4)
    sent = tmp_path / "sent.json"
    sent.write_text(json.dumps(patient))
    assert verify(good, "--input", str(sent)) == 0
    sent.write_text(json.dumps({**patient, "weeks": 7}))
    assert verify(good, "--input", str(sent)) == 4


def test_where_the_log_cannot_be_written_nothing_is_answered(desk, patient):
    desk.journal.log.close()
    with pytest.raises(RequestError) as caught:
        ask(desk, patient)
    assert (caught.value.status, caught.value.code) == (503, "log_unavailable")


def test_one_bad_answer_among_those_written_together_harms_no_other(desk, patient):
    good, again = (_answer("a" * 32, patient), _answer("a" * 32, patient))
    other = _answer("b" * 32, patient)
    errors = desk.journal.predictions([(one, desk.journal.prepare(one)) for one in (good, again, other)])
    assert [type(error).__name__ for error in errors] == ["NoneType", "Refused", "NoneType"]
    assert [entry["id"] for entry in entries(desk)] == ["a" * 32, "b" * 32]
    assert "receipt" in other.told[0]
    assert "receipt" not in again.told[0]


def _answer(name, patient):
    return Answer(WHO, [patient], [{"id": "p", "prediction_id": name, "answered": True}], {"route": "/predict"})


def test_every_answer_of_two_busy_workers_is_in_the_log_once(bundle_folder, start, person, tmp_path):
    running = start(bundle_folder, "--no-auth", "--workers", "2", "--log", str(tmp_path / "log")).wait()
    import httpx

    def one(i):
        reply = httpx.post(running.url + "/predict", json={"patients": [person(i)]}, timeout=60)
        return reply.json()["predictions"][0]["prediction_id"]

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(one, range(40)))
    running.stop()
    logged = [
        entry["id"] for _, entry in open_ledger(tmp_path / "log").reader.entries() if entry["kind"] == "prediction"
    ]
    assert sorted(logged) == sorted(told)
