"""The auditor's door: exit codes, one JSON object, one page; errors in words."""

import json
import re

import pytest

from models.ledger import open_ledger, prepare_ledger
from models.log import open_log
from models.manifest import folder_digest, write_manifest
from models.record import Event, create_secret
from models.seal import create_key, load_key, sign_folder
from training.audit.model_signing import sign_model
from vagus import main


def say(capsys, *arguments):
    code = main(["audit", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_compare_prints_a_verdict_and_writes_one_self_contained_page(simulation, tmp_path, capsys):
    first, second = simulation.write(tmp_path / "a", noise=4.0), simulation.write(tmp_path / "b", noise=1.0)
    code, out, err = say(capsys, "compare", first, second, "--html", tmp_path / "page.html")
    assert (code, err) == (0, "")
    assert "The second run against the first: better" in out
    page = (tmp_path / "page.html").read_text()
    assert page.count("<svg") == 4
    assert not re.search(r"<script|src=|href=\"http|@import", page)
    assert "<strong>better</strong>" in page


def test_compare_json_is_one_object(simulation, tmp_path, capsys):
    code, out, _ = say(capsys, "compare", simulation.write(tmp_path / "a"), simulation.write(tmp_path / "b"), "--json")
    assert code == 0
    assert json.loads(out)["verdict"] == "cannot tell"


def test_compare_refuses_with_exit_3_and_still_shows_what_differs(simulation, tmp_path, capsys):
    first, second = simulation.write(tmp_path / "a"), simulation.write(tmp_path / "b", refold=True)
    page = tmp_path / "page.html"
    code, out, err = say(capsys, "compare", first, second, "--json", "--html", page)
    assert code == 3
    assert json.loads(out)["verdict"] == "not comparable"
    assert "--common" in err
    assert "not comparable" in page.read_text()


def test_a_spoiled_run_ends_in_exit_4(simulation, tmp_path, capsys):
    first = simulation.write(tmp_path / "a")
    (first / "splits.tsv").unlink()
    code, out, err = say(capsys, "compare", first, first)
    assert (code, out) == (4, "")
    assert "splits.tsv: missing" in err


def test_a_folder_that_is_no_run_is_bad_input(tmp_path, capsys):
    code, _, err = say(capsys, "compare", tmp_path, tmp_path)
    assert code == 2
    assert "run.json" in err


@pytest.fixture
def log(tmp_path):
    key = load_key(create_key(tmp_path / "keys", "log"))
    log = open_log(tmp_path / "log.sqlite", key=key, secret=create_secret(tmp_path / "keys" / "secret"))
    yield log
    log.close()


def test_verify_knows_receipts_folders_and_logs(simulation, log, tmp_path, capsys):
    key = tmp_path / "keys" / "log.pub"
    receipt = tmp_path / "receipt.json"
    receipt.write_bytes(log.append([Event("prediction", "clinic", {"model_digest": "sha256:0"}, "p", {}, {"x": 1})])[0])
    folder = simulation.write(tmp_path / "a")
    for path, what in ((receipt, "receipt"), (tmp_path / "log.sqlite", "log")):
        code, out, err = say(capsys, "verify", path, "--json", "--trust", key)
        assert (code, err) == (0, "")
        assert (json.loads(out)["what"], json.loads(out)["status"]) == (what, "trusted")
    assert json.loads(say(capsys, "verify", folder, "--json")[1])["status"] == "unsigned"
    sign_folder(folder, load_key(tmp_path / "keys" / "log.key"))
    assert "trusted" in say(capsys, "verify", folder, "--trust", key)[1]
    code, out, _ = say(capsys, "verify", tmp_path / "log.sqlite", "--json", "--receipt", receipt)
    assert json.loads(out)["known_checkpoints"] == 1


def test_verify_fails_with_exit_4_and_says_what(simulation, log, tmp_path, capsys):
    receipt = tmp_path / "receipt.json"
    content = log.append([Event("load", "service", {})])[0]
    receipt.write_bytes(content.replace(b"service", b"servicf"))
    assert say(capsys, "verify", receipt)[0] == 4
    receipt.write_text(json.dumps(json.loads(content), indent=2))
    assert say(capsys, "verify", receipt)[0] == 4
    assert say(capsys, "verify", receipt, "--reformatted")[0] == 0
    receipt.write_bytes(content)
    code, _, err = say(capsys, "verify", receipt, "--trust", "ed25519:" + "00" * 32)
    assert code == 4
    assert "not trusted" in err
    assert say(capsys, "verify", tmp_path / "absent")[0] == 2
    assert say(capsys, "verify", tmp_path / "keys")[0] == 4


def test_trace_leads_from_an_answer_to_its_run(simulation, tmp_path, capsys, monkeypatch):
    folder = simulation.write(tmp_path / "run")
    (folder / "bundle").mkdir()
    (folder / "bundle" / "model.json").write_text("{}")
    digest = folder_digest(write_manifest(folder / "bundle", {"kind": "bundle"}))
    write_manifest(folder, {"kind": "run"})
    monkeypatch.chdir(tmp_path)
    assert say(capsys, "trace", "x")[0] == 2
    log = open_ledger(prepare_ledger())
    event = Event("prediction", "clinic", {"model_digest": digest, "run_id": str(folder)}, "p", {}, {})
    log.append([event])
    log.close()
    code, out, err = say(capsys, "trace", event.id)
    assert (code, err) == (0, "")
    assert json.loads(out)["bundle"]["digest"] == digest
    assert say(capsys, "trace", "unheard-of", "--log", ".vagus/log/log.sqlite")[0] == 2


def test_checklist_prints_findings_and_writes_a_page(simulation, tmp_path, capsys):
    run = simulation.write(tmp_path / "run")
    code, out, err = say(capsys, "checklist", run, "--profile", "probast-ai", "--html", tmp_path / "list.html")
    assert (code, err) == (0, "")
    assert "PB-12          PASS" in out
    assert "PB-12" in (tmp_path / "list.html").read_text()
    code, out, _ = say(capsys, "checklist", run, "--profile", "ml-test-score", "--json")
    assert json.loads(out)["score"]["final"] >= 0
    assert say(capsys, "checklist", run, "--profile", "unknown")[0] == 2


def test_verify_judges_openssf_model_signatures(simulation, tmp_path, capsys):
    key = load_key(create_key(tmp_path / "keys", "team"))
    folder = simulation.write(tmp_path / "run")
    (tmp_path / "model.sig").write_bytes(sign_model(folder, key))
    given = ("verify", tmp_path / "model.sig", "--trust", tmp_path / "keys" / "team.pub", "--covers", folder, "--json")
    code, out, err = say(capsys, *given)
    assert (code, err, json.loads(out)["status"]) == (0, "", "trusted")
    assert "form only" in say(capsys, "verify", tmp_path / "model.sig")[1]
    (folder / "oof.tsv").write_text("")
    code, _, err = say(capsys, *given)
    assert (code, "oof.tsv: not the file that was signed" in err) == (4, True)
