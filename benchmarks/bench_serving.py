"""`vagus serve` against `mlflow models serve` of the same pipeline, side by side in one run, with equal answers.

    python benchmarks/bench_serving.py [--rounds 3] [--subjects 400] [--keep FOLDER]

Both serve the additive model fitted on the same simulated people; every server is up at once and the rounds are
interleaved. CPU is that of the server's whole process tree. Vagus runs with authentication, counters and the signed log.
Exit code 1 where answers differ, a request fails or a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from serving_sides import Cost, Side, free_port, load, request

from features.encoding import Encoding
from features.synthetic import simulate
from models.catalog import CATALOG, pipeline
from serving.access import add_key
from serving.settings import Settings
from training.config import RunConfig
from training.finalfit import fit_final
from training.problem import pose
from training.protocol import evaluate, outer_splits

ROWS, CLIENTS, OTHERS, CLOSE = 1000, 32, 300, 1e-6
PAUSE = 0.005  # seconds: about what a commit waits for a disk that others use too
#: What is compared, as (title, goal as a ratio, smaller is better for Vagus).
GOALS = {
    "cpu": ("CPU per request, one row", 50), "rate": (f"requests/s, {CLIENTS} clients", 100),
    "batch": (f"CPU, {ROWS} rows columnar", 30), "start": ("CPU until ready", 5), "memory": ("private memory of a worker", 3),
}  # fmt: skip


def prepare(folder: Path, subjects: int) -> dict[str, Any]:
    """Train once; write the bundle and the MLflow model; return the requests that ask both the same."""
    import mlflow

    problem = pose(simulate(subjects=subjects, seed=1)[0], "PHQ-9")
    splits = outer_splits(problem, repeats=1, seed=0, folds=3)
    evaluation = evaluate(problem, splits, seed=0, candidates=("additive",), jobs=1)
    manifest = {"name": "bench", "version": "1", "run_id": "run-1", "randomised": True, "card": {}}
    final = fit_final(problem, evaluation, RunConfig(model="additive"), widen=(1.2, 1.0), manifest=manifest)
    final.bundle.save(folder / "bundle")
    whole = pipeline(CATALOG["additive"], {}, seed=0, unit="counts", comparator=final.bundle.encoding.comparator)
    frame = problem.design.frame().infer_objects()
    whole.fit(frame, problem.y)
    signature = mlflow.models.infer_signature(frame, whole.predict(frame))
    mlflow.sklearn.save_model(whole, folder / "mlflow", signature=signature, serialization_format="cloudpickle")
    return questions(pose(simulate(subjects=ROWS, seed=1, population=1)[0], "PHQ-9").design, final.bundle.encoding)


def questions(design: Any, encoding: Encoding) -> dict[str, Any]:
    """Return `mlflow`, `vagus` (one row) and their batches as JSON bytes: the same people for both."""
    frame = json.loads(design.frame().infer_objects().to_json(orient="split", index=False, double_precision=15))
    one = {**frame, "data": frame["data"][:1]}
    patients = [patient(design, i) for i in range(ROWS)]
    taxa = [name.rpartition("|")[2] for name in design.genera]
    life = sorted(design.covariates)
    columns = ["id", "intervention", "weeks", "baseline.instrument", "baseline.score", "microbiome.unit"]
    columns += [f"lifestyle.{name}" for name in life] + [f"microbiome.taxa.g__{name}" for name in taxa]
    rows = [
        [str(i), p["intervention"], 8, "PHQ-9", p["baseline"]["score"], "counts", *(p["lifestyle"][name] for name in life),
         *design.abundance[i].tolist()] for i, p in enumerate(patients)
    ]  # fmt: skip
    told = {
        "mlflow": {"dataframe_split": one}, "mlflow_batch": {"dataframe_split": frame},
        "vagus": {"patients": patients[:1]}, "vagus_batch": {"columns": columns, "rows": rows},
    }  # fmt: skip
    ask: dict[str, Any] = {name: json.dumps(value, separators=(",", ":")).encode() for name, value in told.items()}
    ask["others"] = [json.dumps({"patients": [one]}, separators=(",", ":")).encode() for one in patients[:OTHERS]]
    return ask


def patient(design: Any, i: int) -> dict[str, Any]:
    own = np.flatnonzero(design.abundance[i])
    taxa = {"g__" + design.genera[j].rpartition("|")[2]: float(design.abundance[i, j]) for j in own}
    return {
        "id": str(i), "intervention": design.arm[i], "weeks": 8,
        "baseline": {"instrument": "PHQ-9", "score": float(design.baseline[i])},
        "microbiome": {"unit": "counts", "taxa": taxa},
        "lifestyle": {name: column[i] for name, column in design.covariates.items()},
    }  # fmt: skip


def start_mlflow(folder: Path) -> Side:
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(folder / "mlflow"), "-p", str(port)]
    options = ["-h", "127.0.0.1", "-w", "1", "--env-manager", "local"]
    environ = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "MLFLOW_DISABLE_TELEMETRY": "true"}
    return Side([*command, *options], port, "/ping", folder / "a", environ)


def start_vagus(folder: Path) -> Side:
    port = free_port()
    command = [sys.executable, "-m", "vagus", "serve", "--model", str(folder / "bundle"), "--port", str(port)]
    options = ["--keys", str(folder / "keys"), "--log", str(folder / "log"), "--state", str(folder / "state")]
    return Side([*command, *options], port, "/readyz", folder / "b", {"VAGUS_RATE": "1e6", "VAGUS_BURST": "1e6"})


def start_echo(folder: Path) -> Side:
    port = free_port()
    settings = Settings((folder / "bundle",), port=port, keys=folder / "keys", rate=1e6, burst=1e6)
    script = Path(__file__).with_name("echo_service.py")
    return Side([sys.executable, str(script)], port, "/readyz", folder / "c", settings.environ())


def differ(mlflow: bytes, vagus: bytes) -> float:
    """Return the largest difference of the two answers before the score's range limits them."""
    theirs = np.array(json.loads(mlflow)["predictions"], dtype=float)
    told = [one for one in json.loads(vagus)["predictions"] if one["answered"]]
    answered = [i for i, one in enumerate(json.loads(vagus)["predictions"]) if one["answered"]]
    if not answered:
        raise SystemExit("nothing was answered")
    ours = np.array([one["change"] - one["contributions"]["range"] for one in told])
    return float(np.abs(ours - theirs[answered]).max())


def measure(sides: dict[str, Side], ask: dict[str, Any], rounds: int) -> dict[str, list[Cost]]:
    """Return cell -> one cost per round; the cells of a round follow one another on every side."""
    cells: dict[str, Callable[[], Cost]] = {
        "mlflow one": lambda: load(sides["mlflow"], ask["mlflow"], 12),
        "vagus one": lambda: load(sides["vagus"], ask["vagus"], 600),
        "vagus others": lambda: load(sides["vagus"], ask["others"], 600),
        "unlogged one": lambda: load(sides["echo"], ask["vagus"], 1000),
        "echo one": lambda: load(sides["echo"], ask["echo"], 1500),
        "unlogged, a pause between": lambda: load(sides["echo"], ask["vagus"], 300, pause=PAUSE),
        "echo, a pause between": lambda: load(sides["echo"], ask["echo"], 300, pause=PAUSE),
        "mlflow 32": lambda: load(sides["mlflow"], ask["mlflow"], 48, CLIENTS),
        "vagus 32": lambda: load(sides["vagus"], ask["vagus"], 3000, CLIENTS),
        "unlogged 32": lambda: load(sides["echo"], ask["vagus"], 3000, CLIENTS),
        "echo 32": lambda: load(sides["echo"], ask["echo"], 4000, CLIENTS),
        "mlflow batch": lambda: load(sides["mlflow"], ask["mlflow_batch"], 3),
        "vagus batch": lambda: load(sides["vagus"], ask["vagus_batch"], 12),
        "unlogged batch": lambda: load(sides["echo"], ask["vagus_batch"], 12),
    }
    for cell in cells.values():
        cell()  # warm
    found: dict[str, list[Cost]] = {name: [] for name in cells}
    for _ in range(rounds):
        for name, cell in cells.items():
            found[name].append(cell())
    return found


def report(found: dict[str, list[Cost]], sides: dict[str, Side]) -> dict[str, float]:
    """Print the table and return the ratios of GOALS."""
    print("| cell | CPU ms/request | requests/s | p50 ms | p99 ms | failed |\n|---|---:|---:|---:|---:|---:|")
    cpu, rate = {}, {}
    for name, costs in found.items():
        cpu[name], rate[name] = median(c.cpu_ms for c in costs), median(c.rate for c in costs)
        tail = [median(c.percentile(share) for c in costs) for share in (0.5, 0.99)]
        print(
            f"| {name} | {cpu[name]:.3f} | {rate[name]:.1f} | {tail[0]:.2f} | {tail[1]:.2f} | {sum(c.failed for c in costs)} |"
        )
    print("\n| server | CPU s until ready | wall s | private MB of the worker |\n|---|---:|---:|---:|")
    for name, side in sides.items():
        print(f"| {name} | {side.ready_cpu:.2f} | {side.ready_wall:.1f} | {side.private:.0f} |")
    print(f"\nA prediction against the no-op echo, CPU: {cpu['unlogged one'] / cpu['echo one']:.2f} without the log, "
          f"{cpu['vagus one'] / cpu['echo one']:.2f} with it; at {CLIENTS} clients {cpu['unlogged 32'] / cpu['echo 32']:.2f} "
          f"and {cpu['vagus 32'] / cpu['echo 32']:.2f}.")  # fmt: skip
    theirs, ours = sides["mlflow"], sides["vagus"]
    return {
        "cpu": cpu["mlflow one"] / cpu["vagus one"], "rate": rate["vagus 32"] / rate["mlflow 32"],
        "batch": cpu["mlflow batch"] / cpu["vagus batch"], "start": theirs.ready_cpu / ours.ready_cpu,
        "memory": theirs.private / ours.private,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--subjects", type=int, default=400)
    parser.add_argument("--keep", type=Path, help="work in this folder and leave it")
    options = parser.parse_args()
    folder = (options.keep or Path(tempfile.mkdtemp(prefix="bench-serving-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    ask = prepare(folder, options.subjects)
    key, _ = add_key(folder / "keys", "clinic", "bench", 0)
    paths = {"mlflow": "/invocations", "vagus": "/predict"}
    bearer = {"Authorization": f"Bearer {key}"}
    others = [request("/predict", body, bearer) for body in ask.pop("others")]
    mail: dict[str, Any] = {name: request(paths[name.split("_")[0]], body, bearer) for name, body in ask.items()}
    mail |= {"echo": request("/echo", ask["vagus"], bearer), "others": others}
    sides: dict[str, Side] = {}
    try:
        for name, start in {"mlflow": start_mlflow, "vagus": start_vagus, "echo": start_echo}.items():
            sides[name] = start(folder)
            sides[name].private = sides[name].private_mb()
        found = measure(sides, mail, options.rounds)
    finally:
        for side in sides.values():
            side.stop()
        if options.keep is None:
            shutil.rmtree(folder)
    return verdict(found, report(found, sides))


def verdict(found: dict[str, list[Cost]], ratios: dict[str, float]) -> int:
    """Print each ratio beside its goal, and whether the answers are equal; return the exit code."""
    apart = [differ(found[f"mlflow {size}"][-1].last, found[f"vagus {size}"][-1].last) for size in ("one", "batch")]
    print("\n| MLflow against Vagus | times | goal |\n|---|---:|---:|")
    for name, (title, goal) in GOALS.items():
        print(f"| {title} | {ratios[name]:.1f} | {goal} |")
    print(f"\nLargest difference of the answers: {apart[0]:.1e} (one row), {apart[1]:.1e} ({ROWS} rows).")
    failed = sum(cost.failed for costs in found.values() for cost in costs)
    met = all(ratios[name] >= goal for name, (_, goal) in GOALS.items())
    return 0 if met and not failed and max(apart) <= CLOSE else 1


if __name__ == "__main__":
    raise SystemExit(main())
