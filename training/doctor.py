"""`vagus doctor`: what is installed and whether it works, by trying it."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "sklearn",
    "xgboost",
    "mlflow",
    "bentoml",
    "pyarrow",
    "matplotlib",
    "cryptography",
)


def examine() -> dict[str, Any]:
    """Return a table of checks, each `ok` with a detail, and whether all work."""
    checks = {name: _tried(partial(_version, name)) for name in PACKAGES}
    checks |= {name: _tried(check) for name, check in CHECKS.items()}
    return {"works": all(check["ok"] for check in checks.values()), "checks": checks}


def _tried(check: Callable[[], str]) -> dict[str, Any]:
    try:
        return {"ok": True, "detail": check()}
    except Exception as error:
        return {"ok": False, "detail": f"{type(error).__name__}; run `make setup` again"}


def _version(name: str) -> str:
    return str(importlib.import_module(name).__version__)


def _learns() -> str:
    """Fit and export a model on simulated people, and let the bundle answer as the model did."""
    import numpy as np

    from features.synthetic import simulate
    from models.catalog import CATALOG, columns_of
    from models.export import to_core
    from training.problem import pose
    from training.selection import encode, fit_entry

    cohort, _ = simulate(subjects=60, seed=1)
    problem = pose(cohort, "PHQ-9")
    encoder, Z = encode(problem)
    columns = columns_of(list(Z.columns), CATALOG["additive"])
    model = fit_entry(CATALOG["additive"], {}, Z[columns], problem.y, seed=0)
    core = to_core(model, columns)
    answer = core.intercept + sum(core.points(encoder.encoding_.blocks(problem.design)).values())
    gap = float(np.abs(answer - model.predict(Z[columns])).max())
    if gap > 1e-9:
        raise ArithmeticError
    return f"a model was fitted and exported; largest difference {gap:.1e}"


def _writes() -> str:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "probe").write_text("ok", encoding="utf-8")
    Path(".vagus").mkdir(exist_ok=True)
    return f"runs are kept in {Path('.vagus').name}/ of this folder"


CHECKS: dict[str, Callable[[], str]] = {"training": _learns, "storage": _writes}
