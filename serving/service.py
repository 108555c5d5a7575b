"""The BentoML service: one service, no inner services, and the door before all of its routes.

BentoML runs the workers, the lifecycle and the probes; `serving.door` answers the routes without BentoML's
readers of bodies, hence without any that could unpickle. `bentoml.SyncHTTPClient` works against it.
"""

from __future__ import annotations

from typing import Any

import bentoml

from serving.access import OPEN_DOOR
from serving.answering import answer_comparison, answer_patients
from serving.door import Door
from serving.schemas import CompareRequest, PredictRequest, convert
from serving.worker import SETTINGS, desk, observe

#: BentoML's own counters name every path that was asked for, whoever asked: ours name the routes we know.
QUIET: dict[str, Any] = {"logging": {"access": {"enabled": False}}, "metrics": {"enabled": False}}
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
