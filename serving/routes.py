"""Every route of the service as a table: method, path, who may use it, what it accepts, what it does.

A handler is a plain function of the desk and a call; it knows nothing of sockets.
"""

from __future__ import annotations

import asyncio
from functools import partial
from operator import itemgetter
from typing import Any

from serving import cds_hooks, fhir, inference, invocations, swap, website
from serving.access import ROLES
from serving.answering import Sent, answer_comparison, answer_patients, answer_soon
from serving.card import card
from serving.columnar import is_columnar, read_table, rows_of, sent_rows
from serving.desk import Desk
from serving.faults import RequestError
from serving.lab_file import LabFile, post_lab_file
from serving.openapi import openapi, page
from serving.outcomes import Outcomes, OutcomesRequest, baseline_drift
from serving.schemas import CompareRequest, PredictRequest, decode, decode_beside, decoder
from serving.scribe import FEW
from serving.wire import CSV, FHIR, HTML, JSON, LARGE, NDJSON, OPEN, PROMETHEUS, TSV, Call, Reply, Route, reply

_COMPARE = decoder(CompareRequest)
_OUTCOMES = decoder(OutcomesRequest)


async def post_predict(desk: Desk, call: Call) -> Reply:
    """Answer `POST /predict`."""
    large = len(call.body) >= LARGE
    request, sent = await asyncio.to_thread(_asked, desk, call) if large else _asked(desk, call)

    async def answer() -> Reply:
        if len(request.patients) > FEW:
            return await asyncio.to_thread(many)
        return reply(await answer_soon(desk, call.principal, request, "/predict", sent))

    def many() -> Reply:
        return reply(answer_patients(desk, call.principal, request, "/predict", sent))

    return await desk.repeats.once(call, answer)


def _asked(desk: Desk, call: Call) -> tuple[PredictRequest, Sent]:
    sent: Sent
    if is_columnar(call.body):
        table = read_table(call.body)
        _check_size(desk, len(table.rows))
        request, sent = rows_of(table), partial(sent_rows, table)
    else:
        request, plain = decode_beside(call.body, PredictRequest)
        sent = partial(itemgetter("patients"), plain)
        _check_size(desk, len(request.patients))
    return request, sent


def _check_size(desk: Desk, rows: int) -> None:
    if rows > desk.settings.row_limit:
        hint = f"Send at most {desk.settings.row_limit} patients at once"
        raise RequestError(413, "too_many_rows", "too many patients in one request", "patients", hint)


def post_compare(desk: Desk, call: Call) -> Reply:
    """Answer `POST /compare`."""
    return reply(answer_comparison(desk, call.principal, decode(call.body, _COMPARE)))


def get_card(desk: Desk, call: Call) -> Reply:
    """Answer `GET /card`: the model card of every bundle served."""
    return reply(card(desk.bundles))


def get_openapi(desk: Desk, call: Call) -> Reply:
    """Answer `GET /docs.json`: the OpenAPI description."""
    return reply(openapi(ROUTES, desk.bundles))


def get_docs(desk: Desk, call: Call) -> Reply:
    """Answer `GET /docs`: the same description for people."""
    return Reply(page(openapi(ROUTES, desk.bundles)).encode(), HTML)


def get_metrics(desk: Desk, call: Call) -> Reply:
    """Answer `GET /metrics`: counters in the Prometheus text format."""
    return Reply(desk.metrics(), PROMETHEUS)


def post_outcomes(desk: Desk, call: Call) -> Reply:
    """Answer `POST /outcomes`: scores seen at follow-up, kept in quarantine."""
    outcomes = decode(call.body, _OUTCOMES).outcomes
    return reply({"received": len(outcomes), "new": _store(desk).seen(call.principal.tenant, outcomes)})


def get_monitor(desk: Desk, call: Call) -> Reply:
    """Answer `GET /monitor`: volume, refusals, drift and calibration of the tenant that asks."""
    store, tenant = _store(desk), call.principal.tenant
    drift = baseline_drift(store.recent_baselines(tenant), desk.bundles.values())
    return reply({**store.summary(tenant), "weeks": store.weeks(tenant), "drift": drift, "shadow": store.duel(tenant)})


def _store(desk: Desk) -> Outcomes:
    if desk.outcomes is None:
        hint = "Start it with --state FOLDER"
        raise RequestError(404, "no_state", "the service keeps no outcomes", "", hint)
    return desk.outcomes


def post_stop(desk: Desk, call: Call) -> Reply:
    """Answer `POST /stop`: from now on nothing is said about a patient."""
    desk.switch.stop()
    _note(desk, call, stopped=True)
    return reply({"stopped": True})


def _note(desk: Desk, call: Call, *, stopped: bool) -> None:
    if desk.journal is not None:
        desk.journal.note("stop", call.principal.key_id, {"stopped": stopped})


def post_start(desk: Desk, call: Call) -> Reply:
    """Answer `POST /start`."""
    desk.switch.release()
    _note(desk, call, stopped=False)
    return reply({"stopped": False})


def post_reload(desk: Desk, call: Call) -> Reply:
    """Answer `POST /reload`: what lies at the bundles' places now is served from now on."""
    return reply({"models": swap.reload(desk, call.principal.key_id)})


BATCHES = (JSON, NDJSON)
#: Clients of this protocol state no media type for JSON.
_INFER: dict[str, Any] = {"accepts": (JSON, ""), "body": inference.InferRequest, "clinical": True}
KEEPERS = ("operator",)
ASKERS = ("clinic", "data_scientist", "operator")
WATCHERS = ("data_scientist", "auditor", "operator")

_INFERENCE = (
    Route("GET", "/v2", ROLES, inference.server_metadata, "Open Inference Protocol: the server"),
    Route("GET", "/v2/health/live", OPEN, inference.live, "Open Inference Protocol: alive"),
    Route("GET", "/v2/health/ready", OPEN, inference.ready, "Open Inference Protocol: ready"),
    *(
        Route(method, f"/v2/models/{{name}}{part}{act}", roles, handler, f"Open Inference Protocol: {words}", **more)
        for part in ("", "/versions/{version}")
        for method, act, roles, handler, words, more in (
            ("GET", "", ROLES, inference.model_metadata, "a model", {}),
            ("GET", "/ready", ROLES, inference.model_ready, "whether a model is ready", {}),
            ("POST", "/infer", ASKERS, inference.infer, "predict", _INFER),
        )
    ),
    Route("GET", "/ping", OPEN, invocations.ping, "MLflow scoring protocol: alive", gives="text/plain"),
    Route("GET", "/health", OPEN, invocations.ping, "MLflow scoring protocol: alive", gives="text/plain"),
    Route("GET", "/version", OPEN, invocations.version, "MLflow scoring protocol: version", gives="text/plain"),
    Route("POST", "/invocations", ASKERS, invocations.invocations, "MLflow scoring protocol: predict", accepts=(JSON, CSV),
          body=invocations.Invocation, clinical=True),
)  # fmt: skip
_FHIR = (
    Route("GET", "/fhir/metadata", OPEN, fhir.metadata, "FHIR: the CapabilityStatement", accepts=(FHIR, JSON), gives=FHIR),
    Route("POST", "/fhir/$predict-response", ASKERS, fhir.predict_response, "FHIR: a Bundle in, a RiskAssessment out",
          accepts=(FHIR, JSON), clinical=True, gives=FHIR, query=("intervention", "weeks")),
)  # fmt: skip
_CDS = (
    Route("GET", "/cds-services", OPEN, cds_hooks.discovery, "CDS Hooks: discovery"),
    Route(
        "POST", f"/cds-services/{cds_hooks.SERVICE}", ASKERS, cds_hooks.patient_view, "CDS Hooks: cards", clinical=True
    ),
    Route("POST", f"/cds-services/{cds_hooks.SERVICE}/feedback", ASKERS, cds_hooks.feedback, "CDS Hooks: feedback"),
)
_PAGE = (
    Route("GET", "/ui", OPEN, website.page, "The page of a clinic", gives=HTML),
    Route("GET", "/ui/page.js", OPEN, website.script, "Its script", gives="text/javascript"),
    Route("GET", "/ui/monitor.js", OPEN, website.monitor, "Its monitoring tab", gives="text/javascript"),
    Route("GET", "/ui/labfile.js", OPEN, website.lab_file, "Its reading of laboratory files", gives="text/javascript"),
    Route("GET", "/ui/cohort.js", OPEN, website.cohort, "Its table of many people", gives="text/javascript"),
    Route("GET", "/ui/receipt.js", OPEN, website.receipt, "Its check of receipts", gives="text/javascript"),
    Route("GET", "/ui/page.css", OPEN, website.style, "Its style", gives="text/css"),
    Route("GET", "/ui/texts/{language}", OPEN, website.texts, "Its texts"),
)
_PATIENTS = "Predict each patient's change under one intervention"
_SEVERAL = "List several interventions for one patient, unranked"
ROUTES: tuple[Route, ...] = (
    Route("POST", "/predict", ASKERS, post_predict, _PATIENTS, accepts=BATCHES, body=PredictRequest, clinical=True),
    Route("POST", "/compare", ASKERS, post_compare, _SEVERAL, body=CompareRequest, clinical=True),
    Route("POST", "/outcomes", ASKERS, post_outcomes, "Send the scores seen at follow-up", body=OutcomesRequest),
    Route(
        "POST",
        "/lab-file",
        ASKERS,
        post_lab_file,
        "Read the taxa of a laboratory's file",
        accepts=(JSON, TSV, CSV),
        body=LabFile,
    ),
    Route("GET", "/monitor", ROLES, get_monitor, "Volume, refusals, drift and calibration of your own predictions"),
    Route("GET", "/card", ROLES, get_card, "The model card"),
    Route("GET", "/docs", ROLES, get_docs, "This description, for people", gives=HTML),
    Route("GET", "/docs.json", ROLES, get_openapi, "This description, for machines"),
    Route("GET", "/metrics", WATCHERS, get_metrics, "Counters in the Prometheus text format", gives=PROMETHEUS),
    Route("POST", "/stop", KEEPERS, post_stop, "Stop answering about patients, in every worker"),
    Route("POST", "/reload", KEEPERS, post_reload, "Serve what lies at the bundles' places now"),
    Route("POST", "/start", KEEPERS, post_start, "Answer about patients again"),
    *_INFERENCE,
    *_FHIR,
    *_CDS,
    *_PAGE,
)
