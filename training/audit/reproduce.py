"""Replay a run from its record, in a subprocess with the recorded code, and prove the two equal.

Old code never loads into the auditor's process: it runs from a copy of the recorded commit, and what comes back are
files, which `training.audit.steps` compares.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from features.errors import VerificationFailed, invalid
from training.audit.runs import Run, read_run
from training.audit.steps import CPU_BOUND, Replay, Step, judge
from training.keyring import SUBJECT_VARIABLE, VARIABLE, subject_secret_path
from training.provenance import ROOT, code_digest

_MAX_SECONDS = 6 * 3600
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def reproduce(
    run: Run, data: Path, *, python: str = sys.executable, other_cpu: bool = False, timeout: float = _MAX_SECONDS
) -> Replay:
    """Rebuild a run from its record and a cohort folder, and compare every step.

    `python` is the interpreter of an environment built from the recorded lock; `other_cpu` declares that the
    processor is another one. Raises InvalidInput where the recorded code cannot be had.
    """
    with tempfile.TemporaryDirectory(prefix="vagus-replay-") as scratch, recorded_code(run) as code:
        if code != ROOT and _digest_of(code, python) != run.record.get("code_digest"):
            changed = "the commit is not the code that ran: there were changes not committed, or the record was altered"
            return Replay(run.name, "differs at code", (Step("code", "differs", changed),))
        rebuilt = _train(run, data, code, Path(scratch), python, timeout)
        return judge(run, rebuilt, bound=CPU_BOUND if other_cpu else 0.0)


@contextmanager
def recorded_code(run: Run) -> Iterator[Path]:
    """Yield a folder with the code of the run: this checkout if it is that code, else a copy of the commit."""
    if code_digest() == run.record.get("code_digest"):
        yield ROOT
        return
    commit = str(run.record.get("code_commit", ""))
    archive = _git("archive", "--format=tar", commit) if len(commit) == 40 else b""
    if not archive:
        remedy = "run this command in a git checkout that holds the recorded commit"
        raise invalid("replay-code", f"the recorded commit {commit[:12]!r} is not in this repository", remedy)
    with tempfile.TemporaryDirectory(prefix="vagus-code-") as folder:
        with tarfile.open(fileobj=BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
        yield Path(folder)


def _digest_of(code: Path, python: str) -> str:
    """Return the code digest of another checkout, taken by that checkout itself."""
    ask = "from training.provenance import code_digest; print(code_digest())"
    environment = {**os.environ, "PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [python, "-c", ask], cwd=code, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    return done.stdout.strip()


def _train(run: Run, data: Path, code: Path, scratch: Path, python: str, timeout: float) -> Run:
    """Train again in a subprocess with one thread per fit, and return the run folder it left."""
    config = run.record["config"]
    (scratch / "run.toml").write_text(_toml({name: config[name] for name in config if name not in _ON_COMMAND_LINE}))
    command = [python, "-m", "training", "train", str(data.resolve()), "--instrument", str(config["instrument"])]
    command += ["--config", str(scratch / "run.toml"), "--name", str(run.record["model_name"])]
    if config.get("follow_up") is not None:
        command += ["--follow-up", repr(config["follow_up"])]
    store = f"sqlite:///{scratch}/store/mlflow.db"
    environment = {**os.environ, **dict.fromkeys(_THREADS, "1"), "PYTHONPATH": str(code), "MLFLOW_TRACKING_URI": store}
    environment |= {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONSAFEPATH": "1"}
    secret = subject_secret_path()
    for name in (VARIABLE, SUBJECT_VARIABLE):  # what a replay leaves is no work of this installation
        environment.pop(name, None)
    if secret.is_file():  # so that people have the names they had
        environment[SUBJECT_VARIABLE] = str(secret.resolve())
    try:
        done = subprocess.run(
            [*command, "--json"],
            cwd=scratch,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise VerificationFailed("replay: the recorded code did not run, or not in time") from error
    folders = [path.parent for path in scratch.rglob("run.json")]
    if len(folders) != 1:
        # The last line of the door's own message names the problem without quoting a value.
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise VerificationFailed(f"replay: the recorded code ended with exit code {done.returncode}: {last}")
    return read_run(folders[0])


_ON_COMMAND_LINE = frozenset({"instrument", "follow_up"})


def _toml(settings: Mapping[str, Any]) -> str:
    """Return settings as TOML: numbers, booleans, text, lists of text and one level of tables."""
    lines = []
    for name, value in settings.items():
        if isinstance(value, bool):
            lines.append(f"{name} = {str(value).lower()}")
        elif isinstance(value, int | float):
            lines.append(f"{name} = {value!r}")
        elif isinstance(value, Mapping):
            inner = _toml(value).splitlines()
            lines.append(f"{name} = {{{', '.join(inner)}}}")
        elif isinstance(value, list):
            lines.append(f"{name} = [{', '.join(_quoted(str(item)) for item in value)}]")
        elif value is not None:
            lines.append(f"{name} = {_quoted(str(value))}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, timeout=120, check=False)
    return done.stdout if done.returncode == 0 else b""
