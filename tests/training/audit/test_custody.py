"""The keeper's door: every act does what it says, on real folders."""

import json

import pytest

from features.errors import Refused
from models.ledger import note
from models.receipt import verify_receipt
from models.record import read_secret
from models.seal import read_public_key
from training.audit.custody import main
from training.keyring import secret_id, subject_name, subject_secret

PLAN = """
model_name = "vagus-phq-9"
planned_change = "none"
holdout_digest = "sha256:s"
[thresholds.mae]
at_most = 4.0
"""


@pytest.fixture
def do(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def do(*arguments):
        assert main([*map(str, arguments), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return do


def test_keys_are_created_backed_up_and_restored(do, tmp_path):
    made = do("keys", "create", "team")
    assert read_public_key(tmp_path / ".vagus" / "keys" / "team.pub") == made["public_key"]
    secret = subject_secret()
    assert do("keys", "backup", "--out", "safe")["copied"] == ["subjects.secret", "team.key", "team.pub"]
    do("keys", "restore", "safe", "--keys", "other")
    assert read_public_key(tmp_path / "other" / "team.pub") == made["public_key"]
    assert read_secret(tmp_path / "other" / "subjects.secret") == secret


def test_the_key_of_the_log_rotates(do):
    before = verify_receipt(note("config", "ann", {}))[0]["public_key"]
    after = do("keys", "rotate-log")["public_key"]
    assert verify_receipt(note("config", "ann", {}))[0]["public_key"] == after != before


def test_a_plan_is_sealed_then_evaluated_then_checked(do, simulation, tmp_path):
    (tmp_path / "plan.toml").write_text(PLAN)
    run = simulation.write(tmp_path / "run", record={"metrics": {"mae": {"estimate": 3.0}}})
    assert do("plan", "seal", "plan.toml")["place"] == 0
    verify_receipt((tmp_path / "plan.receipt.json").read_bytes())
    assert do("plan", "evaluated", run)["place"] == 1
    assert do("plan", "check", "plan.toml", run)["passed"][0].startswith("plan at place 0")
    (tmp_path / "late.toml").write_text(PLAN.replace("none", "something"))
    do("plan", "seal", "late.toml")
    with pytest.raises(Refused, match="plan at place 2 of the log, evaluation at place 1"):
        main(["plan", "check", "late.toml", str(run)])


def test_a_withdrawal_lists_uses_and_never_the_name(do, simulation, tmp_path, capsys):
    secret = subject_secret()
    ann = simulation.subject[3] = subject_name("ann-4711", secret)
    record = {"run_id": "r1", "subject_key_id": secret_id(secret)}
    simulation.write(tmp_path / ".vagus" / "artifacts" / "r1" / "artifacts" / "run", record=record)
    later = simulation.write(tmp_path / "later", drop={ann}, record={**record, "run_id": "r2"})
    found = do("withdraw", "ann-4711", "--erase", "--tracking-uri", f"sqlite:///{tmp_path}/.vagus/mlflow.db")
    assert found["runs"] == ["r1"]
    assert found["erased_entries"] == 1  # the withdrawal itself
    assert "ann-4711" not in json.dumps(found)
    assert do("withdraw", "ann-4711", "--absent-from", later)["proved"].startswith("none of the 119 training rows")


def test_the_log_is_backed_up_restored_and_purged(do, tmp_path):
    note("config", "ann", {})
    assert do("log", "backup", "--out", "copy")["entries"] == 1
    assert do("log", "restore", "copy")["entries"] == 1
    assert do("log", "purge") == {"emptied": 0}
