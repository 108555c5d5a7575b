"""What the serving tests share: a model whose numbers can be worked out by hand, and one good request."""

from __future__ import annotations

import contextlib
import copy
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import httpx
import numpy as np
import pytest

from features.synthetic import simulate
from models.prediction import Predictions

ROOT = Path(__file__).resolve().parents[2]

MANIFEST = {
    "name": "toy", "version": "3", "run_id": "run-1", "instrument": "PHQ-9", "unit": "counts", "level": 0.9,
    "arms": ["placebo", "probiotic", "fermented_food"], "comparator": "placebo", "randomised": True,
    "arm_effect": "shown", "lag": {"low": 6.0, "high": 8.0}, "time_unit": "week", "genera": ["|Blautia"],
    "covariates": {
        "age_years": {"kind": "numeric", "low": 18, "high": 80},
        "sex": {"kind": "categorical", "levels": ["female", "male"]},
        "site_visits": {"kind": "numeric", "low": 0, "high": 9},
    },
    "card": {}, "claim": "prognostic",
}  # fmt: skip
PATIENT = {
    "id": "p-17",
    "intervention": "fermented_food",
    "weeks": 8,
    "baseline": {"instrument": "PHQ-9", "score": 14, "days_ago": 3},
    "microbiome": {"unit": "counts", "sample_age_days": 10, "taxa": {"g__Blautia": 300, "g__Roseburia": 100}},
    "lifestyle": {"age_years": 41, "sex": "female", "fibre_g_day": 9.5},
    "antibiotics_days_ago": None,
    "flags": [],
}


class Toy:
    """Has the attributes of a Bundle."""


def _half_bundle(**changes):
    """change = -score / 2, minus 1 point per 100 reads of Blautia; interval ± 4; remission undefined."""
    manifest = {**MANIFEST, **changes}

    def predict(design, site=None):
        n = len(design)
        columns = [j for j, name in enumerate(design.genera) if name == "|Blautia"]
        blautia = sum((design.abundance[:, j] for j in columns), np.zeros(n))
        parts = {"baseline": -design.baseline / 2, "microbiome": -blautia / 100}
        change = parts["baseline"] + parts["microbiome"]
        strange = tuple(("out_of_domain",) if s >= 26 else () for s in design.baseline)
        return Predictions(
            0.9, change, change - 4, change + 4, np.full(n, 0.25), np.full(n, np.nan), parts["baseline"],
            np.array([not codes for codes in strange]), strange, parts,
        )  # fmt: skip

    bundle = Toy()
    bundle.manifest, bundle.instrument, bundle.digest = manifest, manifest["instrument"], "sha256:" + "0" * 64
    bundle.predict, bundle.arms = predict, tuple(manifest["arms"])
    bundle.encoding = SimpleNamespace(studies=("trial-1",), derived=())
    return bundle


@pytest.fixture(scope="session")
def half_bundle():
    return _half_bundle


@pytest.fixture
def bundles():
    return {"PHQ-9": _half_bundle()}


@pytest.fixture
def patient():
    return copy.deepcopy(PATIENT)


@pytest.fixture(scope="session")
def cohort():
    """Simulated people, of whom a real bundle is trained."""
    return simulate(subjects=120, seed=1)[0]


@pytest.fixture(scope="session")
def bundle_folder(cohort, tmp_path_factory):
    """A bundle of the additive model, validated, fitted and written by the code that `vagus train` runs."""
    from training.config import RunConfig
    from training.finalfit import fit_final
    from training.problem import pose
    from training.protocol import evaluate, outer_splits

    problem = pose(cohort, "PHQ-9")
    splits = outer_splits(problem, repeats=1, seed=0, folds=3)
    evaluation = evaluate(problem, splits, seed=0, candidates=("additive",), jobs=1)
    manifest = {"name": "sim", "version": "1", "run_id": "run-1", "randomised": True, "card": {}}
    config = RunConfig(instrument="PHQ-9", model="additive")
    folder = tmp_path_factory.mktemp("bundle")
    fit_final(problem, evaluation, config, widen=(1.2, 1.0), manifest=manifest).bundle.save(folder)
    return folder


def person_of(cohort, i):
    """Row i of a cohort as a clinic would send it."""
    design, counts = cohort.design("PHQ-9"), cohort.counts
    at = counts.sample_ids.index(design.sample[i])
    cells = slice(counts.indptr[at], counts.indptr[at + 1])
    taxa = {counts.lineages[j]: v for j, v in zip(counts.indices[cells], counts.data[cells].tolist(), strict=True)}
    return {
        "id": design.subject[i], "intervention": design.arm[i], "weeks": 8,
        "baseline": {"instrument": "PHQ-9", "score": design.baseline[i]},
        "microbiome": {"unit": "counts", "taxa": taxa},
        "lifestyle": {name: column[i] for name, column in design.covariates.items()},
    }  # fmt: skip


@pytest.fixture(scope="session")
def person(cohort):
    return lambda i: person_of(cohort, i)


@pytest.fixture(scope="session")
def sent():
    return person_of


class Server:
    """A `vagus serve` of its own on a free loopback port, ended by its process id."""

    def __init__(self, folder, *options, directory):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.out, self.err = directory / "out.txt", directory / "err.txt"
        command = [
            sys.executable,
            "-m",
            "vagus",
            "serve",
            "--model",
            str(folder),
            "--port",
            str(port),
            *options,
        ]
        with self.out.open("wb") as out, self.err.open("wb") as err:
            log = [] if {"--log", "--no-log"} & set(options) else ["--log", str(directory / "log")]
            environment = {**os.environ, "OMP_NUM_THREADS": "1", "HOME": str(directory)}
            self.process = subprocess.Popen([*command, *log], cwd=ROOT, stdout=out, stderr=err, env=environment)

    def wait(self, seconds=60.0):
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(self.url + "/readyz", timeout=2).status_code == 200:
                    return self
            time.sleep(0.1)
        raise AssertionError(f"the service did not start: {self.err.read_text()[-2000:]}")

    @property
    def key(self):
        return re.search(r"one-time key .*: (\S+)", self.err.read_text()).group(1)

    def client(self):
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=30)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


@pytest.fixture(scope="session")
def server(bundle_folder, tmp_path_factory):
    directory = tmp_path_factory.mktemp("server")
    running = Server(bundle_folder, "--state", str(directory / "state"), directory=directory)
    try:
        yield running.wait()
    finally:
        running.stop()


@pytest.fixture(scope="session")
def open_doors(tmp_path_factory):
    """One server without keys, for clients that can send none."""
    started = []

    def begin(folder):
        if not started:
            started.append(Server(folder, "--no-auth", directory=tmp_path_factory.mktemp("open")).wait())
        return started[0]

    yield begin
    for running in started:
        running.stop()


@pytest.fixture
def start(tmp_path):
    """Start further servers; they are stopped after the test."""
    started = []

    def begin(folder, *options):
        started.append(Server(folder, *options, directory=tmp_path))
        return started[-1]

    yield begin
    for running in started:
        running.stop()
