"""Runs replayed from their records: all must come back bit for bit, and every planted change must be located.

    python benchmarks/replay.py [--runs 20]

Trains runs that differ in cohort, seed and settings, replays each, then plants twelve changes in copies of one run or
of what it is replayed from, and asks at which step the replay differs. Exit code 1 when one is not as it must be.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from features.digest import canonical_json
from models.manifest import write_manifest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("features", "models", "training", "requirements")


class Bench:
    """A working folder with a copy of the code that nobody edits meanwhile."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.code = folder, folder / "code"
        for room in ROOMS:
            shutil.copytree(ROOT / room, self.code / room, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "vagus.py", self.code)

    def vagus(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(self.code), "PYTHONSAFEPATH": "1"}
        command = [sys.executable, "-m", "vagus", *map(str, arguments)]
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=1800, check=False
        )

    def train(self, number: int) -> tuple[str, str]:
        """Train one run; return its folder and its cohort."""
        cohort, config = f"cohort-{number % 4}", self.folder / f"{number}.toml"
        if not (self.folder / cohort).exists():
            done = self.vagus(
                "cohort", "simulate", "--out", cohort, "--subjects", 40 + 5 * (number % 4), "--seed", number
            )
            assert done.returncode == 0, done.stderr
        model = ("search", "baseline", "search", "additive")[number // 4 % 4]
        config.write_text(
            f'repeats = {1 + number % 2}\nfolds = {2 + number % 3}\nshuffles = 0\nseed = {number}\nmodel = "{model}"\n'
        )
        done = self.vagus("train", cohort, "--instrument", "PHQ-9", "--config", config, "--json")
        assert done.returncode == 0, done.stderr
        run = json.loads(done.stdout)["run_id"]
        return str(next(self.folder.glob(f".vagus/artifacts/{run}/artifacts/run"))), cohort

    def verdict(self, run: object, cohort: object) -> str:
        done = self.vagus("audit", "reproduce", run, "--data", cohort, "--json")
        if not done.stdout:
            return f"exit {done.returncode}: {done.stderr.strip().splitlines()[-1]}"
        return str(json.loads(done.stdout)["verdict"])


def in_record(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Forge a record, and the manifest over it."""
    record = json.loads((run / "run.json").read_text())
    change(record)
    (run / "run.json").write_bytes(canonical_json(record))


def in_line(path: Path, line: int, column: int, value: str) -> None:
    """Forge one cell of a table."""
    lines = path.read_text().splitlines()
    cells = lines[line].split("\t")
    assert cells[column] != value
    cells[column] = value
    lines[line] = "\t".join(cells)
    path.write_text("\n".join(lines) + "\n")


def drop_person(cohort: Path) -> None:
    lines = (cohort / "outcomes.tsv").read_text().splitlines()
    (cohort / "outcomes.tsv").write_text("\n".join(lines[:-1]) + "\n")


def forge_bundle(run: Path) -> None:
    manifest = json.loads((run / "bundle" / "manifest.json").read_text())
    content = bytearray((run / "bundle" / "arrays.npz").read_bytes())
    content[-200] ^= 1
    (run / "bundle" / "arrays.npz").write_bytes(bytes(content))
    (run / "bundle" / "manifest.sig.json").unlink(missing_ok=True)
    write_manifest(run / "bundle", {k: v for k, v in manifest.items() if k not in ("files", "format_version")})


#: What is planted, in the run or in the cohort -> the step at which the replay must differ.
PLANTED: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "a library version": (lambda run, cohort: in_record(run, lambda r: r["versions"].update(numpy="2.4.5")), "library"),
    "the lock": (lambda run, cohort: in_record(run, lambda r: r.update(lock_digest="sha256:0")), "library"),
    "a row of the cohort": (lambda run, cohort: drop_person(cohort), "data"),
    "an outcome": (lambda run, cohort: in_line(cohort / "outcomes.tsv", 4, 8, "relabelled"), "data"),
    "a lifestyle value": (lambda run, cohort: in_line(cohort / "lifestyle.tsv", 3, 2, "44.5"), "data"),
    "the data digest": (lambda run, cohort: in_record(run, lambda r: r.update(data_digest="sha256:0")), "data"),
    "the seed": (lambda run, cohort: in_record(run, lambda r: r["config"].update(seed=99)), "split"),
    "a person's fold": (lambda run, cohort: in_line(run / "splits.tsv", 2, 1, "7"), "split"),
    "a prediction": (lambda run, cohort: in_line(run / "oof.tsv", 8, 9, "-3.25"), "predictions"),
    "a weight": (lambda run, cohort: forge_bundle(run), "model"),
    "a metric": (lambda run, cohort: in_record(run, lambda r: r["metrics"]["mae"].update(estimate=2.0)), "figures"),
    "a threshold": (
        lambda run, cohort: in_record(run, lambda r: r["gates"]["coverage"].update(reason="0.5-1")),
        "thresholds",
    ),
}


def plant(bench: Bench, run: Path, cohort: Path) -> int:
    """Plant every change in fresh copies; return how many were located at their step."""
    located = 0
    for number, (name, (change, step)) in enumerate(PLANTED.items()):
        own = bench.folder / f"planted-{number}" / "run", bench.folder / f"planted-{number}" / "cohort"
        for source, copy in zip((run, cohort), own, strict=True):
            shutil.copytree(source, copy)
        change(*own)
        (own[0] / "manifest.sig.json").unlink(missing_ok=True)
        write_manifest(own[0], {"kind": "run"})
        verdict = bench.verdict(*own)
        located += verdict == f"differs at {step}"
        print(
            f"planted {name:<22} {verdict}{'' if verdict == f'differs at {step}' else f'   EXPECTED {step}'}",
            flush=True,
        )
    return located


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vagus-replay-") as name:
        bench, identical = Bench(Path(name)), 0
        for number in range(options.runs):
            run, cohort = bench.train(number)
            verdict = bench.verdict(run, cohort)
            identical += verdict == "identical"
            print(f"run {number + 1}: {verdict}", flush=True)
        first = bench.folder / "cohort-0"
        located = plant(bench, Path(bench.train(0)[0]), first)
    print(f"replayed identically: {identical}/{options.runs}; changes located: {located}/{len(PLANTED)}")
    return 0 if identical == options.runs and located == len(PLANTED) else 1


if __name__ == "__main__":
    sys.exit(main())
