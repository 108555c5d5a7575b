"""The only module that knows MLflow: record a run, fetch its folder, register a model, move an alias.

The default store is SQLite under `./.vagus/`, with artefacts beside it. MLflow's own dataset digest is eight hex digits of
the first rows; the run carries the full SHA-256 of canonical rows instead.
"""

from __future__ import annotations

import logging
import math
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from features.errors import invalid
from training.gates import failed

EXPERIMENT = "vagus"
CHAMPION, CANARY = "champion", "canary"
FOLDER = "run"


def default_uri() -> str:
    """Return MLFLOW_TRACKING_URI, or the SQLite store under ./.vagus."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path('.vagus').resolve()}/mlflow.db"


def client(uri: str | None = None) -> Any:
    """Return an MLflow client of a tracking address; the SQLite store is created on first use."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")  # read when mlflow is imported: table creation is not news
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    from mlflow import MlflowClient

    address = uri or default_uri()
    if address.startswith("sqlite:///"):
        Path(address.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    return MlflowClient(tracking_uri=address, registry_uri=address)


def start_run(api: Any, *, name: str, uri: str | None) -> str:
    """Create a run in the experiment and return its id."""
    experiment = api.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        place = (uri or default_uri()).removeprefix("sqlite:///")
        local = Path(place).parent / "artifacts" if (uri or default_uri()).startswith("sqlite:///") else None
        identity = api.create_experiment(EXPERIMENT, artifact_location=local.as_uri() if local else None)
    else:
        identity = experiment.experiment_id
    return str(api.create_run(identity, run_name=name).info.run_id)


def record(
    api: Any,
    run_id: str,
    folder: Path,
    *,
    params: Mapping[str, Any],
    metrics: Mapping[str, float],
    tags: Mapping[str, str],
) -> None:
    """Write parameters, metrics, tags and the run folder in one batch, and end the run."""
    from mlflow.entities import Metric, Param, RunTag

    api.log_batch(
        run_id,
        metrics=[Metric(name, value, 0, 0) for name, value in metrics.items() if not math.isnan(value)],
        params=[Param(name, str(value)[:6000]) for name, value in params.items()],
        tags=[RunTag(name, value) for name, value in tags.items()],
    )
    api.log_artifacts(run_id, str(folder), FOLDER)
    api.set_terminated(run_id)


def fail(api: Any, run_id: str) -> None:
    """Mark a run that did not finish."""
    api.set_terminated(run_id, "FAILED")


def register(api: Any, run_id: str, name: str) -> str:
    """Register the run's bundle as the next version of a model and return the version."""
    from mlflow.exceptions import MlflowException

    try:
        api.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    source = f"{api.get_run(run_id).info.artifact_uri}/{FOLDER}/bundle"
    return str(api.create_model_version(name, source=source, run_id=run_id).version)


def fetch(run_id: str, uri: str | None = None) -> Path:
    """Return a local copy of a run's folder; raises InvalidInput when there is no such run."""
    api = client(uri)
    run = get_run(api, run_id)
    local = run.info.artifact_uri.removeprefix("file://")
    if (Path(local) / FOLDER / "run.json").is_file():
        return Path(local) / FOLDER
    return Path(api.download_artifacts(run.info.run_id, FOLDER, tempfile.mkdtemp(prefix="vagus-run-")))


def get_run(api: Any, run_id: str) -> Any:
    """Return MLflow's run, by full id or a unique beginning of it."""
    from mlflow.exceptions import MlflowException

    try:
        return api.get_run(run_id)
    except MlflowException:
        hits = [run for run in list_runs(api) if run_id and run.info.run_id.startswith(run_id)]
        if len(hits) == 1:
            return hits[0]
        raise invalid(
            "unknown_run", "no such run (or an ambiguous beginning of an id)", "List the runs with: vagus runs"
        ) from None


def list_runs(api: Any, limit: int = 500) -> list[Any]:
    """Return the runs of the experiment, newest first."""
    experiment = api.get_experiment_by_name(EXPERIMENT)
    return [] if experiment is None else list(api.search_runs([experiment.experiment_id], max_results=limit))


def resolve(reference: str, uri: str | None = None) -> str:
    """Return the run id behind RUN or NAME@ALIAS; raises InvalidInput when there is none."""
    api = client(uri)
    if "@" not in reference:
        return str(get_run(api, reference).info.run_id)
    name, alias = reference.split("@", 1)
    version = alias_version(api, name, alias)
    if version is None:
        raise invalid(
            "unknown_alias",
            "no model version carries this alias",
            f"Promote a run first: vagus promote RUN --alias {alias}",
        )
    return str(version.run_id)


def alias_version(api: Any, name: str, alias: str) -> Any | None:
    """Return the model version an alias points to, or None."""
    from mlflow.exceptions import MlflowException

    try:
        return api.get_model_version_by_alias(name, alias)
    except MlflowException:
        return None


def version_of(api: Any, run_id: str) -> Any | None:
    """Return the model version registered from a run, or None."""
    hits = api.search_model_versions(f"run_id = '{run_id}'")
    return hits[0] if hits else None


def move_alias(api: Any, name: str, alias: str, version: str) -> None:
    """Point an alias at a version; the version it left is kept in a tag, for rollback."""
    before = alias_version(api, name, alias)
    if before is not None and before.version != version:
        api.set_registered_model_tag(name, f"before_{alias}", before.version)
    api.set_registered_model_alias(name, alias, version)


def drop_alias(api: Any, name: str, alias: str) -> None:
    """Take an alias from the version that bears it."""
    api.delete_registered_model_alias(name, alias)


def previous(api: Any, name: str, alias: str) -> str | None:
    """Return the version an alias pointed to before its last move."""
    version: str | None = api.get_registered_model(name).tags.get(f"before_{alias}")
    return version


def params_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run's listing shows of its settings and data."""
    kept = (
        "instrument",
        "task",
        "rows",
        "subjects",
        "data_digest",
        "split_digest",
        "lock_digest",
        "code_commit",
        "code_digest",
    )
    return {**record["config"], **{name: record[name] for name in kept}}


def metrics_of(record: Mapping[str, Any]) -> dict[str, float]:
    """Return every figure of a record under one name each; those that could not be computed are left out."""
    flat = {f"{name}{suffix}": value[key] for name, value in record["metrics"].items()
            for suffix, key in (("", "estimate"), ("_lower", "lower"), ("_upper", "upper")) if value[key] is not None}  # fmt: skip
    flat |= {
        f"reference_{row}_{m}": v[m]["estimate"]
        for row, v in record["reference_rows"].items()
        for m in ("r2", "mae")
        if v[m]["estimate"] is not None
    }
    return flat | {f"increment_{i['block']}": i["estimate"] for i in record["increment"]}


def tags_of(record: Mapping[str, Any]) -> dict[str, str]:
    """Return the model's name and the gates that said no."""
    return {
        "vagus.model": record["model_name"],
        "vagus.failed_gates": "; ".join(failed(record["gates"])),
        "mlflow.source.name": "vagus train",
    }
