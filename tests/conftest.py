"""What several rooms' tests share: a tiny simulated cohort, one real training run of it, and the shared cohorts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


def pytest_collection_modifyitems(items):
    if not (SHARED / "data").is_dir():
        skip = pytest.mark.skip(reason="the shared research cohorts (../shared/data) are not on this machine")
        for item in items:
            if "shared" in item.keywords:
                item.add_marker(skip)


def run_vagus(*arguments, cwd, check=True):
    """Run the console command as a user would, in its own process."""
    done = subprocess.run(
        [sys.executable, "-m", "vagus", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=600, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    if check and done.returncode != 0:
        raise AssertionError(f"exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


@pytest.fixture(scope="session")
def vagus():
    return run_vagus


@pytest.fixture(scope="session")
def cohort_folder(tmp_path_factory):
    """Eighty simulated people."""
    folder = tmp_path_factory.mktemp("people") / "cohort"
    run_vagus("cohort", "simulate", "--out", folder, "--subjects", "80", "--seed", "3", cwd=folder.parent)
    return folder


@pytest.fixture(scope="session")
def trained(cohort_folder, tmp_path_factory):
    """One real `vagus train` on them: its JSON and the folder in which its store lies."""
    home = tmp_path_factory.mktemp("store")
    (home / "run.toml").write_text("repeats = 1\nshuffles = 1\njobs = 1\n")
    done = run_vagus("train", cohort_folder, "--instrument", "PHQ-9", "--config", "run.toml", "--json", cwd=home)
    return SimpleNamespace(home=home, found=json.loads(done.stdout), cohort=cohort_folder)


@pytest.fixture(scope="session")
def shared():
    return SHARED
