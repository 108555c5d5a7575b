"""The service with one more route, /echo: the same door, key check and counters, the body parsed and sent back.

    VAGUS_MODELS=BUNDLE ... python benchmarks/echo_service.py

What `/predict` costs beyond `/echo` is what the prediction costs.
"""

from __future__ import annotations

import os

os.environ.update({"BENTOML_DO_NOT_TRACK": "True", "OTEL_SDK_DISABLED": "true"})

import msgspec

from serving import routes
from serving.desk import Desk
from serving.wire import Call, Reply, Route


def echo(desk: Desk, call: Call) -> Reply:
    msgspec.json.decode(call.body)
    return Reply(call.body)


def main() -> int:
    routes.ROUTES = (Route("POST", "/echo", routes.ASKERS, echo, "No-op"), *routes.ROUTES)
    # The door takes the table of routes when it is imported.
    from serving.listen import run
    from serving.worker import SETTINGS

    return run(SETTINGS)


if __name__ == "__main__":
    raise SystemExit(main())
