"""The BentoML service: one service, no inner services, and the door before all of its routes.

BentoML runs the workers, the lifecycle and the probes; `serving.door` answers the routes without BentoML's
readers of bodies, hence without any that could unpickle. `bentoml.SyncHTTPClient` works against it.
"""

from __future__ import annotations

import gc
import os
import tempfile
from functools import lru_cache
from typing import Any

import bentoml

from serving import swap
from serving.access import OPEN_DOOR
from serving.answering import answer_comparison, answer_patients
from serving.desk import Desk
from serving.door import Door
from serving.schemas import CompareRequest, PredictRequest, convert
from serving.settings import Settings
from serving.streams import Receive, Scope, Send

SETTINGS = Settings.from_environ(os.environ)

#: BentoML's own counters name every path that was asked for, whoever asked: ours name the routes we know.
QUIET: dict[str, Any] = {"logging": {"access": {"enabled": False}}, "metrics": {"enabled": False}}


@lru_cache(maxsize=1)
def desk() -> Desk:
    """Return this worker's desk; the first call verifies and loads every bundle."""
    opened = Desk.open(SETTINGS)
    opened.metrics = bentoml.metrics.generate_latest
    swap.mark(opened)
    return opened


@lru_cache(maxsize=1)
def _requests_total() -> Any:
    return bentoml.metrics.Counter("vagus_requests_total", "Requests answered", ["route", "status"])


def observe(route: str, status: int) -> None:
    """Count one answered request by route of the table and status; nothing a client chose becomes a label."""
    _requests_total().labels(route=route, status=str(status)).inc()


TRAFFIC = {"timeout": 60}


class Vagus:
    """Predict symptom change under an intervention; `POST /predict` and `POST /compare`."""

    def __init__(self) -> None:
        """Load the bundles before the worker reports ready."""
        self.desk = desk()

    @bentoml.api(route="/predict")  # type: ignore[untyped-decorator]
    def predict(self, patients: list[dict[str, Any]], site_reference: str | None = None) -> dict[str, Any]:
        """Predict for patients; over HTTP the door answers this route."""
        body = {"patients": patients, "site_reference": site_reference}
        return answer_patients(self.desk, OPEN_DOOR, convert(body, PredictRequest), "/predict")

    @bentoml.api(route="/compare")  # type: ignore[untyped-decorator]
    def compare(self, patient: dict[str, Any], interventions: list[str]) -> dict[str, Any]:
        """List interventions for one patient; over HTTP the door answers this route."""
        body = {"patient": patient, "interventions": interventions}
        return answer_comparison(self.desk, OPEN_DOOR, convert(body, CompareRequest))


VagusService: Any = bentoml.service(name="vagus", workers=SETTINGS.workers, traffic=TRAFFIC, **QUIET)(Vagus)
VagusService.add_asgi_middleware(Door, desk=desk, observe=observe)


@lru_cache(maxsize=1)
def _bentoml_app() -> Any:
    return VagusService.to_asgi(is_main=True)


async def framework(scope: Scope, receive: Receive, send: Send) -> None:
    """BentoML's own application, made when first asked: of one process it answers the schema alone, and takes 16 MB."""
    await _bentoml_app()(scope, receive, send)


def run(settings: Settings) -> int:
    """Serve until stopped: one worker in this process, several under BentoML's supervisor."""
    if settings.workers > 1:
        with VagusService.serve_http(host=settings.host, port=settings.port):
            return 0
    import uvicorn

    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="vagus-metrics-"))
    config = uvicorn.Config(
        # The door stands before BentoML's tracing and timeouts too: they cost more than a prediction.
        Door(framework, desk, observe),
        host=settings.host,
        port=settings.port,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=20,
    )
    desk()
    # What was imported and loaded stays: the collector need not look at it again.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # a batch makes tens of thousands of objects that live as long as it
    gc.enable()
    uvicorn.Server(config).run()
    return 0
