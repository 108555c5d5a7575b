"""Run folders of simulated people, in the layout a training run leaves behind."""

import hashlib

import numpy as np
import pytest

from features.digest import canonical_json
from models.manifest import write_manifest
from training.keyring import secret_id

#: Under this secret the simulated people are named.
SECRET = bytes(32)

COLUMNS = [
    "row",
    "subject",
    "repeat",
    "fold",
    "model",
    "y",
    "baseline",
    "arm",
    "study",
    "prediction",
    "lower",
    "upper",
    "p_response",
    "response",
]


def cell(value):
    if isinstance(value, float):
        return "" if np.isnan(value) else repr(float(value))
    return str(value)


def table(columns, rows):
    return "\t".join(columns) + "\n" + "".join("\t".join(map(cell, row)) + "\n" for row in rows)


class Simulation:
    """People with a baseline, an arm and a change; a model's error is set by `noise`."""

    def __init__(self, people=120, rows_each=1, seed=0, repeats=2, folds=5):
        rng = np.random.default_rng(seed)
        n = people * rows_each
        self.subject = [f"{i // rows_each:016x}" for i in range(n)]
        self.arm = [("fibre", "placebo")[i // rows_each % 2] for i in range(n)]
        self.study = [("a", "b", "c")[min(2, i // rows_each // (people // 2))] for i in range(n)]
        self.baseline = rng.integers(8, 24, n).astype(float)
        self.y = np.round(rng.normal(-3, 4, n), 0)
        self.fold = np.array([rng.permutation(people) % folds for _ in range(repeats)])[:, np.arange(n) // rows_each]

    def write(self, folder, *, noise=2.0, seed=1, record=None, drop=(), refold=False, response=True, bias=0.0):
        folder.mkdir(parents=True)
        rng = np.random.default_rng(seed)
        error = rng.normal(size=(len(self.fold), len(self.y)))
        prediction = self.y + noise * error + bias
        p = 1 / (1 + np.exp((prediction + 3) / 2))
        hit = (self.y <= -3).astype(float) if response else np.full(len(self.y), np.nan)
        fold = (self.fold + np.arange(len(self.y))) % 5 if refold else self.fold
        kept = [i for i in range(len(self.y)) if self.subject[i] not in drop]
        rows = [
            [
                row, self.subject[i], r, int(fold[r, i]), model, self.y[i], self.baseline[i], self.arm[i], self.study[i],
                shift[r, i], shift[r, i] - 1.6 * noise, shift[r, i] + 1.6 * noise,
                p[r, i] if response else float("nan"), hit[i],
            ]
            for model, shift in (("chosen", prediction), ("mean", np.full_like(prediction, self.y.mean())))
            for r in range(len(fold))
            for row, i in enumerate(kept)
        ]  # fmt: skip
        (folder / "oof.tsv").write_text(table(COLUMNS, rows))
        digests = [[i, self.subject[i], hashlib.sha256(f"{i}".encode()).hexdigest()] for i in kept]
        (folder / "rows.tsv").write_text(table(["row", "subject", "digest"], digests))
        people = sorted({(r, int(fold[r, i]), self.subject[i]) for r in range(len(fold)) for i in kept})
        (folder / "splits.tsv").write_text(table(["repeat", "fold", "subject"], people))
        (folder / "run.json").write_bytes(
            canonical_json(
                {
                    "format_version": 1,
                    "run_id": folder.name,
                    "model_name": "vagus-phq-9",
                    "instrument": "PHQ-9",
                    "task": "change",
                    "config": {"seed": 0, "model": "search"},
                    "data_digest": "sha256:d",
                    "subject_key_id": secret_id(SECRET),
                    "split_digest": "sha256:s",
                    "code_commit": "c",
                    "lock_digest": "sha256:l",
                    "increment": [
                        {"block": "microbiome", "metric": "r2", "estimate": 0.01, "lower": -0.02, "upper": 0.05,
                         "level": 0.95, "verdict": "not shown"}
                    ],
                    **(record or {}),
                }
            )
        )  # fmt: skip
        write_manifest(folder, {"kind": "run", "run_id": folder.name})
        return folder


@pytest.fixture
def simulation():
    return Simulation()


@pytest.fixture
def simulate():
    return Simulation
