"""What code, lock and machine made a run: the part of the record that reproduction starts from."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from features.digest import file_digest, json_digest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("features", "models", "training")
LOCK = ROOT / "requirements" / "run.txt"


def provenance() -> dict[str, Any]:
    """Return commit, dirty flag, digests of code and lock, and versions of what computes."""
    import scipy
    import sklearn
    import xgboost

    versions = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
        "xgboost": xgboost.__version__,
    }
    commit = _git("rev-parse", "HEAD")
    return {
        "code_commit": commit or "not a git checkout", "code_dirty": bool(_git("status", "--porcelain", "--", *ROOMS)),
        "code_digest": code_digest(), "lock_digest": file_digest(LOCK) if LOCK.is_file() else "no lock beside the code",
        "versions": versions, "machine": platform.machine(), "threads_per_fit": 1,
    }  # fmt: skip


def code_digest() -> str:
    """Return the digest of the sources that features, models and training are made of."""
    files = sorted(
        path
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.suffix in (".py", ".toml", ".tsv", ".txt", ".json")
    )
    return json_digest({path.relative_to(ROOT).as_posix(): file_digest(path) for path in files})


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=20, check=False,
                              env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"})  # fmt: skip
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
