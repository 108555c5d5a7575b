"""Generated requests against the live service, from its own description: 0 findings in 50,000 cases.

    python benchmarks/soak_schemathesis.py [--cases 50000] [--minutes 0] [--examples 200] [--model BUNDLE]

One run after the other, each with its own seed, until so many cases were made (or so many minutes are over), against a
service with log, state and kept inputs on the loopback address. Ends with exit code 1 at the first finding, whose report is
printed. Left out: /stop and /reload, which would end or slow the test, and the check that every well-typed request is
accepted (no schema can say that a score must lie within its scale). That a malformed body is refused for its size (413) counts as
refused: the tool knows no such answer by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from serving_sides import Side, free_port

TOOL = Path(sys.executable).with_name("st")
FLAGS = [
    "--exclude-checks", "positive_data_acceptance", "--exclude-path", "/stop", "--exclude-path", "/reload", "--workers", "1",
    "--no-color", "--suppress-health-check", "all", "--request-timeout", "60",
]  # fmt: skip

SETTINGS = """[checks]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429]
"""


def make_bundle(folder: Path) -> Path:
    """Train and export a small model by the command line, of simulated people."""
    (folder / "quick.toml").write_text('model = "additive"\nrepeats = 1\nshuffles = 1\n', encoding="utf-8")
    vagus(folder, "cohort", "simulate", "--out", "cohort", "--subjects", "120")
    trained = vagus(folder, "train", "cohort", "--instrument", "PHQ-9", "--config", "quick.toml", "--json")
    vagus(folder, "export", json.loads(trained)["run_id"], "--out", "bundle")
    return folder / "bundle"


def vagus(folder: Path, *words: str) -> str:
    command = [str(Path(sys.executable).with_name("vagus")), *words]
    return subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout


def start(bundle: Path, folder: Path) -> Side:
    port = free_port()
    command = [str(Path(sys.executable).with_name("vagus")), "serve", "--model", str(bundle), "--port", str(port),
               "--log", str(folder / "log"), "--state", str(folder / "state"), "--keep-inputs"]  # fmt: skip
    return Side(command, port, "/readyz", folder, {"VAGUS_RATE": "0", "HOME": str(folder)})


def cases(port: int, folder: Path, seed: int, examples: int) -> int:
    """Run the tool once and return how many cases it made; a finding ends the program."""
    key = re.findall(r"one-time key .*: (\S+)", (folder / "server.log").read_text(encoding="utf-8"))[0]
    command = [str(TOOL), "run", f"http://127.0.0.1:{port}/docs.json", "-H", f"Authorization: Bearer {key}",
               "-n", str(examples), "--seed", str(seed), *FLAGS]  # fmt: skip
    environment = {**os.environ, "HOME": str(folder)}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)
    made = re.search(r"(\d[\d,]*) generated", done.stdout)
    if done.returncode or made is None:
        raise SystemExit(done.stdout[-20_000:] + done.stderr[-2000:])
    return int(made.group(1).replace(",", ""))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=50_000)
    parser.add_argument("--minutes", type=float, default=0.0, help="stop after so many minutes (0 = no limit)")
    parser.add_argument("--examples", type=int, default=200, help="examples per operation and run, at most")
    parser.add_argument("--model", type=Path, help="the bundle to serve (default: one is trained)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "schemathesis.toml").write_text(SETTINGS, encoding="utf-8")
        side = start(options.model.absolute() if options.model else make_bundle(folder), folder)
        begun, made, seed = time.monotonic(), 0, options.seed
        try:
            while made < options.cases and not 0 < options.minutes <= (time.monotonic() - begun) / 60:
                made += cases(side.port, folder, seed, options.examples)
                print(f"seed {seed}: {made} cases, no finding, {time.monotonic() - begun:.0f} s", flush=True)
                seed += 1
            if side.process.poll() is not None:
                raise SystemExit("the service ended")
        finally:
            side.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
