"""The door: refusals in one shape on every route, keys and roles, limits, nothing of BentoML left open."""

from __future__ import annotations

import asyncio
import json
import time

import httpx
import pytest

from serving.access import ROLES, Access, Principal, digest_of
from serving.budget import Budget
from serving.desk import Desk
from serving.door import Door
from serving.routes import ROUTES
from serving.settings import Settings
from serving.switch import Switch

KEYS = {role: f"key of {role}" for role in ROLES}
HOLDERS = [Principal(role, digest_of(key), role) for role, key in KEYS.items()]


async def bento(scope, receive, send):
    """Stands for BentoML: it answers anything that reaches it."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"bento"})


@pytest.fixture
def desk(bundles, tmp_path):
    holders = [*HOLDERS, Principal("old", digest_of("old key"), "operator", expires=time.time() - 1)]
    return Desk(Settings(body_limit=5000, row_limit=3), bundles, Access(holders), Budget(0, 0), Switch(tmp_path))


@pytest.fixture
def ask(desk):
    seen = []
    door = Door(bento, lambda: desk, lambda route, status: seen.append((route, status)))

    def send(method, path, role="operator", **options):
        async def act():
            transport = httpx.ASGITransport(app=door)
            async with httpx.AsyncClient(transport=transport, base_url="http://door") as client:
                return await client.request(method, path, headers=headers, **options)

        headers = {"Authorization": f"Bearer {KEYS[role]}"} if role else {}
        headers |= options.pop("headers", {})
        return asyncio.run(act())

    send.seen = seen
    return send


def concrete(path):
    return path.replace("{name}", "toy").replace("{version}", "3").replace("{language}", "en")


def code(reply):
    """Every error has the one shape, but for the protocols that fix their own; return its code."""
    body = reply.json()
    if reply.url.path.startswith("/v2"):
        assert list(body) == ["error"]
        return body["error"].rsplit("[", 1)[1].removesuffix("]")
    if reply.url.path.startswith("/fhir"):
        assert body["resourceType"] == "OperationOutcome"
        return body["issue"][0]["details"]["text"]
    assert list(body) == ["error"]
    assert list(body["error"]) == ["code", "message", "field", "hint"]
    assert all(isinstance(value, str) for value in body["error"].values())
    return body["error"]["code"]


def test_a_prediction_passes_the_door(ask, patient):
    reply = ask("POST", "/predict", json={"patients": [patient]})
    assert reply.status_code == 200
    assert reply.json()["predictions"][0]["change"] == -10.0
    assert ask.seen == [("/predict", 200)]


KINDS = [
    "application/vnd.bentoml+pickle", "application/x-pickle", "application/octet-stream",
    "text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded",
    "application/json; charset=utf-16", "application/json; version=2",
]  # fmt: skip
EVERYWHERE = [(r.method, r.path) for r in ROUTES] + [
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/schema.json"),
]


@pytest.mark.parametrize(("method", "path"), EVERYWHERE)
@pytest.mark.parametrize("kind", KINDS)
def test_another_media_type_is_415_on_every_route(ask, method, path, kind):
    reply = ask(method, path, headers={"Content-Type": kind}, content=b"\x80\x04.")
    assert (reply.status_code, code(reply)) == (415, "media_type")


def test_a_body_of_no_stated_kind_and_a_compressed_one_are_415(ask):
    assert ask("POST", "/predict", content=b"{}").status_code == 415
    gzip = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert code(ask("POST", "/predict", headers=gzip, content=b"{}")) == "encoding"


@pytest.mark.parametrize(
    ("method", "path", "status", "expected"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("POST", "/predict/submit", 404, "not_found"),
        ("GET", "/static_content/swagger-ui.css", 404, "not_found"),
        ("GET", "/", 404, "not_found"),
        ("GET", "/predict", 405, "method_not_allowed"),
        ("POST", "/livez", 404, "not_found"),
        ("DELETE", "/predict", 405, "method_not_allowed"),
    ],
)
def test_what_is_no_route_of_ours_is_refused(ask, method, path, status, expected):
    reply = ask(method, path)
    assert (reply.status_code, code(reply)) == (status, expected)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_a_role_may_do_exactly_what_its_row_says(ask, route, role):
    body = {"json": {}} if route.method == "POST" else {}
    allowed = ask(route.method, concrete(route.path), role=role, **body).status_code not in (401, 403)
    assert allowed == (role in ALLOWED[route.path])
    assert (ask(route.method, concrete(route.path), role=None, **body).status_code == 401) == (route.path not in OPEN)


OPEN = {
    "/ui",
    "/ui/page.js",
    "/ui/monitor.js",
    "/ui/labfile.js",
    "/ui/cohort.js",
    "/ui/receipt.js",
    "/ui/page.css",
    "/ui/texts/{language}",
    "/fhir/metadata",
    "/cds-services",
    "/v2/health/live",
    "/v2/health/ready",
    "/ping",
    "/health",
    "/version",
}
ALLOWED = {path: set(ROLES) for path in OPEN} | {
    "/predict": {"clinic", "data_scientist", "operator"},
    "/compare": {"clinic", "data_scientist", "operator"},
    "/card": set(ROLES),
    "/docs": set(ROLES),
    "/docs.json": set(ROLES),
    "/metrics": {"data_scientist", "auditor", "operator"},
    "/stop": {"operator"},
    "/outcomes": {"clinic", "data_scientist", "operator"},
    "/monitor": set(ROLES),
    "/reload": {"operator"},
    "/lab-file": {"clinic", "data_scientist", "operator"},
    "/start": {"operator"},
    "/cds-services/gut-response": {"clinic", "data_scientist", "operator"},
    "/cds-services/gut-response/feedback": {"clinic", "data_scientist", "operator"},
    "/fhir/$predict-response": {"clinic", "data_scientist", "operator"},
    "/invocations": {"clinic", "data_scientist", "operator"},
    "/v2": set(ROLES),
    "/v2/models/{name}": set(ROLES),
    "/v2/models/{name}/ready": set(ROLES),
    "/v2/models/{name}/infer": {"clinic", "data_scientist", "operator"},
    "/v2/models/{name}/versions/{version}": set(ROLES),
    "/v2/models/{name}/versions/{version}/ready": set(ROLES),
    "/v2/models/{name}/versions/{version}/infer": {"clinic", "data_scientist", "operator"},
}


CLOSED = [route.path for route in ROUTES if route.path not in OPEN] + ["/schema.json"]


@pytest.mark.parametrize("path", CLOSED)
@pytest.mark.parametrize(
    "header", [{}, {"Authorization": "Bearer CANARY"}, {"Authorization": "Basic CANARY"},
               {"Authorization": f"Basic {KEYS['operator']}"}, {"Authorization": "Bearer old key"}],
)  # fmt: skip
def test_without_a_valid_key_nothing_is_told(ask, path, header):
    method = next((route.method for route in ROUTES if route.path == path), "GET")
    body = {"json": {}} if method == "POST" else {}
    reply = ask(method, concrete(path), role=None, headers=header, **body)
    assert (reply.status_code, code(reply)) == (401, "unauthorised")
    assert reply.headers["www-authenticate"] == "Bearer"
    assert "CANARY" not in reply.text


def test_the_probes_need_no_key(ask):
    for path in ("/livez", "/readyz", "/healthz"):
        assert ask("GET", path, role=None).text == "\n"


def test_too_much_at_once_is_413(ask, patient):
    small = {**patient, "microbiome": None, "lifestyle": {}}
    assert code(ask("POST", "/predict", json={"patients": [small] * 4})) == "too_many_rows"
    assert code(ask("POST", "/predict", json={"patients": [patient] * 100})) == "too_large"


def test_a_stopped_service_answers_no_patient(ask, desk, patient):
    assert ask("POST", "/stop", json={}).json() == {"stopped": True}
    reply = ask("POST", "/predict", json={"patients": [patient]})
    assert (reply.status_code, code(reply)) == (503, "stopped")
    assert ask("GET", "/card").status_code == 200
    ask("POST", "/start", json={})
    assert ask("POST", "/predict", json={"patients": [patient]}).status_code == 200


def test_the_stop_switch_reaches_the_other_workers(tmp_path):
    here, there = Switch(tmp_path), Switch(tmp_path)
    there.LOOK_AGAIN = 0.0
    here.stop()
    assert there.stopped
    assert Switch(tmp_path).stopped  # a worker that starts later
    here.release()
    assert not there.stopped


def test_the_same_question_with_the_same_key_has_the_same_bytes(ask, patient):
    body, key = {"patients": [patient]}, {"Idempotency-Key": "visit-7"}
    first = ask("POST", "/predict", json=body, headers=key)
    assert ask("POST", "/predict", json=body, headers=key).content == first.content
    assert ask("POST", "/predict", json=body).content != first.content
    assert ask("POST", "/predict", json=body, headers=key, role="clinic").content != first.content
    other = ask("POST", "/predict", json={"patients": [{**patient, "id": "q"}]}, headers=key)
    assert (other.status_code, code(other)) == (409, "idempotency_conflict")


def test_an_empty_budget_is_429_and_says_when_to_come_back(ask, desk):
    desk.budget = Budget(rate=0.1, burst=2)
    assert [ask("GET", "/card").status_code for _ in range(3)] == [200, 200, 429]
    reply = ask("GET", "/card")
    assert code(reply) == "too_many"
    assert int(reply.headers["retry-after"]) in range(1, 11)


def lines_of(reply):
    assert reply.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in reply.text.splitlines()]


def test_lines_are_answered_in_order_with_progress_and_wrong_ones_in_place(ask, patient):
    people = [json.dumps({**patient, "id": f"p{i}"}) for i in range(300)]
    people[17] = "CANARY"
    people[256] = json.dumps({**patient, "weeks": "CANARY"})
    body = "\n".join([*people[:100], "", *people[100:]])
    reply = ask("POST", "/predict", content=body, headers={"Content-Type": "application/x-ndjson"})
    lines = lines_of(reply)
    assert [line["progress"]["lines"] for line in lines if "progress" in line] == [256, 300]
    assert lines[-1] == {"end": {"lines": 300}}
    answers = [line for line in lines if "line" in line]
    assert [line["line"] for line in answers] == list(range(1, 301))
    assert answers[17]["error"]["code"] == "malformed_json"
    assert (answers[256]["error"]["code"], answers[256]["error"]["field"]) == ("wrong_type", "weeks")
    assert [line["id"] for line in answers if "id" in line] == [f"p{i}" for i in range(300) if i not in (17, 256)]
    assert {line["change"] for line in answers if "id" in line} == {-10.0}
    assert "CANARY" not in reply.text


def test_lines_need_a_key_and_only_where_they_are_taken(ask, patient):
    lines = {"Content-Type": "application/x-ndjson"}
    assert ask("POST", "/predict", role=None, content=b"{}", headers=lines).status_code == 401
    assert ask("POST", "/compare", content=b"{}", headers=lines).status_code == 415
    endless = ask("POST", "/predict", content=b"[" * 2_000_000, headers=lines)
    assert lines_of(endless)[-1]["error"]["code"] == "line_too_long"


def test_a_fault_of_ours_tells_nothing_of_the_patient(ask, desk, patient, caplog):
    def broken(design, site=None):
        raise ValueError("CANARY")

    desk.bundles["PHQ-9"].predict = broken
    reply = ask("POST", "/predict", json={"patients": [patient]})
    assert (reply.status_code, code(reply)) == (500, "internal")
    assert "ValueError" in caplog.text
    assert "CANARY" not in reply.text + caplog.text


def test_every_reply_forbids_sniffing_caching_and_framing(ask):
    for reply in (ask("GET", "/card"), ask("GET", "/nowhere")):
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in reply.headers["content-security-policy"]


def test_the_description_names_every_route_and_no_other(ask):
    paths = ask("GET", "/docs.json").json()["paths"]
    assert {(m.upper(), path) for path, operations in paths.items() for m in operations} == {
        (route.method, route.path) for route in ROUTES
    }
    page = ask("GET", "/docs").text
    assert "/predict" in page
    assert "http://" not in page
    assert "https://" not in page


def test_the_card_says_what_was_trained_and_whom_it_is_not_for(ask):
    card = ask("GET", "/card").json()
    model = card["models"][0]
    assert (model["instrument"], model["arms"][0], model["compare"]["answered"]) == ("PHQ-9", "placebo", True)
    assert {"code": "pregnancy", "hazard": "H6"} in card["intended_use"]["refusals"]
    assert "not a medical device" in card["notice"]
