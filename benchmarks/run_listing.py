"""400 runs listed and filtered: Vagus' catalogue against MLflow's search_runs on the same store.

    python benchmarks/run_listing.py [--runs 400] [--repeats 5]

Exit code 1 when the catalogue is not at least ten times faster.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from features.digest import canonical_json
from training import tracking
from training.audit.catalogue import list_runs


def fill(folder: Path, uri: str, runs: int) -> None:
    """Record runs with the params, metrics and artefacts of real ones."""
    api, rng = tracking.client(uri), np.random.default_rng(0)
    for number in range(runs):
        run_id = tracking.start_run(api, name="vagus-phq-9", uri=uri)
        instrument = ("PHQ-9", "GAD-7")[number % 2]
        metrics = {
            name: float(rng.normal()) for name in ("mae", "r2", "rmse", "spearman", "coverage", "interval_width")
        }
        spans = {name: {"estimate": v, "lower": v - 1, "upper": v + 1, "level": 0.95} for name, v in metrics.items()}
        record = {
            "run_id": run_id,
            "instrument": instrument,
            "task": "change",
            "model_name": "vagus-phq-9",
            "metrics": spans,
        }
        run = folder / "run"
        run.mkdir(exist_ok=True)
        (run / "run.json").write_bytes(canonical_json({**record, "filler": ["x" * 40] * 500}))
        params = {"instrument": instrument, "task": "change", "seed": number, "rows": 100, "subjects": 100, "folds": 5}
        params |= {f"digest_{n}": "sha256:" + "0" * 64 for n in range(5)}
        tracking.record(api, run_id, run, params=params, metrics=metrics, tags={"vagus.model": "vagus-phq-9"})


def best(act: Callable[[], int], repeats: int) -> tuple[float, int]:
    """Return the shortest time of an act, in seconds, and what it counted."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        count = act()
        times.append(time.perf_counter() - started)
    return min(times), count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vagus-runs-") as name:
        folder, uri = Path(name), f"sqlite:///{name}/mlflow.db"
        fill(folder, uri, options.runs)
        api = tracking.client(uri)
        experiment = api.get_experiment_by_name(tracking.EXPERIMENT)

        def searched() -> int:
            wanted = "params.instrument = 'PHQ-9'"
            return len(api.search_runs([experiment.experiment_id], wanted, max_results=1000))

        theirs, count = best(searched, options.repeats)
        list_runs(folder)
        ours, own = best(lambda: len(list_runs(folder, where={"instrument": "PHQ-9"})), options.repeats)
    assert count == own == options.runs // 2, "both list the same runs"
    print(
        f"{options.runs} runs, {count} kept: search_runs {1e3 * theirs:.1f} ms, catalogue {1e3 * ours:.2f} ms, {theirs / ours:.0f}x"
    )
    return 0 if theirs >= 10 * ours else 1


if __name__ == "__main__":
    sys.exit(main())
