"""The local page does what the commands do, and answers nobody else."""

import http.client
import json
import re
import threading
from urllib.parse import urlencode

import pytest

from models.ledger import open_ledger, prepare_ledger
from models.record import Event
from training.audit.ui import AuditServer


@pytest.fixture
def server(simulation, tmp_path):
    for name, noise in (("r1", 4.0), ("r2", 1.0)):
        simulation.write(tmp_path / "artifacts" / name / "artifacts" / "run", noise=noise, record={"run_id": name})
    server = AuditServer(tmp_path, 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(10)


def ask(server, path, form=None, host=None):
    port = server.server_address[1]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Host": host or f"127.0.0.1:{port}", "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST" if form is not None else "GET", path, None if form is None else urlencode(form), headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


def test_runs_are_listed_and_filtered(server):
    answer, text = ask(server, "/")
    assert answer.status == 200
    assert re.findall(r"<code>(r\d)</code>", text) in (["r1", "r2"], ["r2", "r1"])
    assert "<code>" not in ask(server, "/?text=nothing-like-this")[1]
    assert "default-src 'none'" in answer.getheader("Content-Security-Policy")


def test_two_runs_are_compared(server):
    answer, text = ask(server, "/compare?first=r1&second=r2")
    assert (answer.status, "<strong>better</strong>" in text) == (200, True)
    assert text.count("<svg") == 4


def test_a_checklist_is_judged(server):
    answer, text = ask(server, "/checklist?run=r1&profile=tripod-ai")
    assert answer.status == 200
    assert "CANNOT-BE-JUDGED" in text


def test_a_receipt_is_verified_and_a_spoiled_one_is_not(server, tmp_path):
    log = open_ledger(prepare_ledger(tmp_path / "log"))
    receipt = log.append([Event("prediction", "clinic", {"model_digest": "sha256:0"}, "p", {}, {"change": -2})])[
        0
    ].decode()
    key = log.public_key
    log.close()
    answer, text = ask(server, "/verify", {"receipt": receipt, "key": key})
    assert (answer.status, "signed by the key you trust" in text) == (200, True)
    pretty = json.dumps(json.loads(receipt), indent=2)
    assert ask(server, "/verify", {"receipt": pretty, "key": key})[0].status == 200
    assert ask(server, "/verify", {"receipt": "{"})[0].status == 422
    answer, text = ask(server, "/verify", {"receipt": receipt.replace("-2", "-3")})
    assert (answer.status, "the answer is not the one that was logged" in text) == (422, True)


def test_what_is_typed_in_is_escaped(server):
    assert "<b>x</b>" not in ask(server, "/?text=%3Cb%3Ex%3C/b%3E")[1]


@pytest.mark.parametrize("path", ["/compare?first=r1&second=../r2", "/compare", "/checklist?run=r1&profile=x"])
def test_bad_requests_are_told_in_words(server, path):
    answer, text = ask(server, path)
    assert answer.status == 422
    assert 'class="note"' in text
    assert "Traceback" not in text


def test_other_names_and_pages_are_refused(server):
    assert ask(server, "/", host="evil.example")[0].status == 403
    assert ask(server, "/secrets")[0].status == 404
    assert ask(server, "/verify")[0].status == 404
    assert server.server_address[0] == "127.0.0.1"
