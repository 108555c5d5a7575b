"""The service as it runs: real requests to a real process that serves a real bundle on loopback."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import bentoml
import httpx
import numpy as np
import pytest

from features.blocks import site_reference
from models.bundle import Bundle
from models.sites import save_sites

ROOT = Path(__file__).resolve().parents[2]
ANSWERED = ("change", "floor_change")


@pytest.fixture(scope="module")
def expected(cohort, bundle_folder):
    return Bundle.load(bundle_folder).predict(cohort.design("PHQ-9"))


@pytest.fixture
def client(server):
    with server.client() as client:
        yield client


def test_a_single_prediction_is_the_row_of_the_batch_bit_for_bit(client, person, expected):
    everyone = client.post("/predict", json={"patients": [person(i) for i in range(40)]}).json()["predictions"]
    for i in range(40):
        alone = client.post("/predict", json={"patients": [person(i)]}).json()["predictions"][0]
        for reply in (alone, everyone[i]):
            assert reply["answered"] is True
            assert reply["change"] == expected.change[i]
            assert reply["floor_change"] == expected.floor_change[i]
            assert reply["interval"] == {"level": 0.9, "lower": expected.lower[i], "upper": expected.upper[i]}
            assert reply["response_probability"] == expected.p_response[i]
            assert reply["contributions"] == {k: part[i] for k, part in expected.contributions.items()}


def test_a_columnar_batch_has_the_same_bits(client, person, expected):
    people = [person(i) for i in range(40)]
    taxa = sorted({name for p in people for name in p["microbiome"]["taxa"]})
    life = sorted(people[0]["lifestyle"])
    heads = ["id", "intervention", "weeks", "baseline.instrument", "baseline.score", "microbiome.unit"]
    rows = [
        [p["id"], p["intervention"], p["weeks"], "PHQ-9", p["baseline"]["score"], "counts",
         *(p["lifestyle"][name] for name in life), *(p["microbiome"]["taxa"].get(name) for name in taxa)]
        for p in people
    ]  # fmt: skip
    columns = [*heads, *(f"lifestyle.{n}" for n in life), *(f"microbiome.taxa.{n}" for n in taxa)]
    replies = client.post("/predict", json={"columns": columns, "rows": rows}).json()["predictions"]
    np.testing.assert_array_equal([reply["change"] for reply in replies], expected.change[:40])


def test_the_parts_sum_to_the_prediction(client, person):
    reply = client.post("/predict", json={"patients": [person(3)]}).json()["predictions"][0]
    assert sum(reply["contributions"].values()) == pytest.approx(reply["change"], abs=1e-9)
    assert reply["follow_up"] == pytest.approx(person(3)["baseline"]["score"] + reply["change"])


def test_bentomls_own_client_asks(server, person, expected):
    with bentoml.SyncHTTPClient(server.url, token=server.key) as client:
        reply = client.predict(patients=[person(5)])
    assert reply["predictions"][0]["change"] == expected.change[5]


def test_readiness_card_and_description(client, bundle_folder):
    assert client.get("/livez").status_code == 200
    card = client.get("/card").json()
    assert card["models"][0]["digest"] == Bundle.load(bundle_folder).digest
    assert client.get("/docs").headers["content-type"].startswith("text/html")


def test_the_counters_name_routes_and_nothing_a_client_chose(client, person):
    client.post("/predict", json={"patients": [person(0)]})
    client.get("/CANARY")
    text = client.get("/metrics").text
    assert 'vagus_requests_total{route="/predict",status="200"}' in text
    assert 'vagus_requests_total{route="other",status="404"}' in text
    assert "CANARY" not in text


def test_without_the_key_nothing_is_answered(server, person):
    reply = httpx.post(server.url + "/predict", json={"patients": [person(0)]})
    assert reply.status_code == 401


@pytest.mark.parametrize("path", ["/predict", "/compare", "/card", "/livez", "/metrics", "/schema.json", "/nowhere"])
def test_a_pickle_is_refused_by_the_running_service(client, path):
    for method in ("GET", "POST"):
        kind = {"Content-Type": "application/vnd.bentoml+pickle"}
        reply = client.request(method, path, headers=kind, content=b"\x80\x04K\x01.")
        assert reply.status_code == 415


CANARY = "Zq7canary"


def with_canary(patient):
    """One broken request per input field, each with the canary where a value belongs (or as a key)."""
    yield {**patient, CANARY: CANARY}
    for field in (
        "intervention",
        "weeks",
        "baseline",
        "microbiome",
        "lifestyle",
        "antibiotics_days_ago",
        "flags",
    ):
        yield {**patient, field: CANARY}
    yield {**patient, "flags": [CANARY]}
    for field in ("instrument", "score", "items", "days_ago", "scale", CANARY):
        yield {**patient, "baseline": {**patient["baseline"], "instrument": "WHO-5", field: CANARY}}
        yield {**patient, "baseline": {**patient["baseline"], field: CANARY}}
    for field in ("unit", "taxa", "sample_age_days", CANARY):
        yield {**patient, "microbiome": {**patient["microbiome"], field: CANARY}}
    yield {**patient, "microbiome": {"unit": "counts", "taxa": {CANARY: CANARY}}}
    yield {**patient, "microbiome": {"unit": "counts", "taxa": {CANARY: 0}}}
    for field in (*patient["lifestyle"], CANARY):
        yield {**patient, "lifestyle": {field: CANARY}}
    yield {**patient, "id": CANARY * 50}


def test_no_input_is_repeated_in_an_error_a_log_or_a_counter(server, client, person):
    refused = 0
    for broken in with_canary(person(0)):
        reply = client.post("/predict", json={"patients": [broken]})
        if reply.status_code == 200:
            continue  # a scale is no fault where the instrument has one only
        refused += 1
        assert reply.status_code == 422
        assert CANARY not in reply.text
    assert refused > 30
    body = f'{{"patients": "{CANARY}'.encode()
    headers = {"Content-Type": "application/json", "X-Request-Id": CANARY, "User-Agent": CANARY}
    assert CANARY not in client.post(f"/predict?{CANARY}={CANARY}", content=body, headers=headers).text
    assert CANARY not in client.get(f"/{CANARY}").text
    assert CANARY not in httpx.get(server.url + "/card", headers={"Authorization": f"Bearer {CANARY}"}).text
    good = client.post("/predict", json={"patients": [{**person(0), "id": CANARY}]})
    assert good.json()["predictions"][0]["id"] == CANARY
    written = server.out.read_text() + server.err.read_text() + client.get("/metrics").text
    assert CANARY not in written


def test_an_altered_bundle_is_not_served(bundle_folder, tmp_path, start):
    altered = tmp_path / "altered"
    shutil.copytree(bundle_folder, altered)
    arrays = altered / "arrays.npz"
    content = bytearray(arrays.read_bytes())
    content[len(content) // 2] ^= 1
    arrays.write_bytes(content)
    running = start(altered)
    assert running.process.wait(timeout=60) == 4
    error = running.err.read_text()
    assert "arrays.npz" in error
    assert "listening" not in error


def test_the_open_door_is_for_loopback_only(bundle_folder, start):
    running = start(bundle_folder, "--no-auth", "--host", "0.0.0.0")
    assert running.process.wait(timeout=60) == 2
    assert "loopback" in running.err.read_text()


def test_two_workers_behind_an_open_door(bundle_folder, start, person, expected):
    running = start(bundle_folder, "--no-auth", "--workers", "2").wait()
    for _ in range(6):
        reply = httpx.post(running.url + "/predict", json={"patients": [person(2)]}).json()
        assert reply["predictions"][0]["change"] == expected.change[2]
    assert httpx.post(running.url + "/stop", json={}).json() == {"stopped": True}
    time.sleep(0.7)
    replies = [httpx.post(running.url + "/predict", json={"patients": [person(2)]}) for _ in range(6)]
    assert {reply.status_code for reply in replies} == {503}
    assert running.stop() in (0, -15)
    with pytest.raises(httpx.TransportError):
        httpx.get(running.url + "/livez", timeout=2)


def test_serving_never_loads_the_training_stack(bundle_folder, person):
    code = """
import json, sys
import serving.service
from dataclasses import replace
from pathlib import Path
from serving.desk import load_bundles
from serving.predict import predict
from serving.schemas import PredictRequest, decode, decoder
bundles = load_bundles((Path(sys.argv[1]),))
reply = predict(bundles, decode(sys.stdin.buffer.read(), decoder(PredictRequest)))
assert reply["predictions"][0]["answered"]
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""
    command = [sys.executable, "-c", code, str(bundle_folder)]
    body = json.dumps({"patients": [person(0)]})
    done = subprocess.run(command, cwd=ROOT, input=body, capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert {"bentoml", "numpy", "serving"} <= loaded
    assert not {"pandas", "sklearn", "xgboost", "mlflow", "scipy", "training", "joblib"} & loaded


def test_a_worker_of_one_process_leaves_bentoml_until_its_schema_is_asked_for():
    code = "import sys, serving.listen, serving.__main__; print('bentoml' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_named_site_reference_gives_the_row_of_the_batch(bundle_folder, cohort, start, person, tmp_path):
    bundle = Bundle.load(bundle_folder)
    design = cohort.design("PHQ-9")
    away = replace(design, study=np.full(len(design), "clinic-9", dtype=object))
    reference = site_reference(bundle.encoding, away, "clinic-9")
    save_sites(tmp_path / "sites.json", {"clinic-9": reference})
    expected = bundle.predict(away, reference)
    assert expected.upper[7] < bundle.predict(away).upper[7]  # an unseen site widens the interval
    running = start(bundle_folder, "--no-auth", "--site-reference", str(tmp_path / "sites.json")).wait()
    body = {"patients": [person(7)], "site_reference": "clinic-9"}
    reply = httpx.post(running.url + "/predict", json=body).json()["predictions"][0]
    assert (reply["change"], reply["interval"]["upper"]) == (expected.change[7], expected.upper[7])
