"""Replay a run from its record, in a subprocess with the recorded code, and prove the two equal.

Old code never loads into the auditor's process: it runs from a copy of the recorded commit, and what comes back are
files, which `training.audit.steps` compares.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from features.digest import file_digest
from features.errors import VerificationFailed, invalid
from features.importers.tables import read_table
from models import ledger
from models.record import read_secret, subject_digest
from training.audit import environment
from training.audit.runs import Run, read_run
from training.audit.steps import CPU_BOUND, Replay, judge
from training.audit.withdraw import BARRED, barred, readable, uses
from training.keyring import SUBJECT_VARIABLE, VARIABLE, subject_secret, subject_secret_path
from training.provenance import ROOT, code_digest

_MAX_SECONDS = 6 * 3600
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def reproduce(
    run: Run,
    data: Path,
    *,
    python: str = sys.executable,
    build_env: Path | None = None,
    files: Sequence[Path] = (),
    other_cpu: bool = False,
    timeout: float = _MAX_SECONDS,
) -> Replay:
    """Rebuild a run from its record and a cohort folder, and compare every step.

    `python` is the interpreter of the recorded environment; `build_env` a folder to build that environment in;
    `files` are those the settings name (modules, folds), where they do not lie beside the data; `other_cpu` declares
    that the processor is another one. Code and libraries are compared first, and nothing is trained where they differ.
    Raises InvalidInput where the recorded code or a file cannot be had.
    """
    with tempfile.TemporaryDirectory(prefix="vagus-replay-") as scratch, recorded_code(run) as code:
        if build_env is not None:
            python = environment.build(run, _lock(run, code), build_env)
        python = str(Path(shutil.which(python) or python).absolute())  # it will run in other folders
        first = environment.first_steps(run.record, environment.stated_by(code, python))
        if first[-1].status == "differs":
            return Replay(run.name, f"differs at {first[-1].name}", tuple(first))
        _bring(run, (*files, data, data.resolve().parent), Path(scratch))
        leave_out(run, data, Path(scratch) / ledger.DEFAULT_FOLDER)
        rebuilt = _train(run, data, code, Path(scratch), python, timeout)
        return judge(run, rebuilt, bound=CPU_BOUND if other_cpu else 0.0)


def _lock(run: Run, code: Path) -> bytes:
    """Return the lock of the recorded commit, or of this checkout where that is the code of the run."""
    commit = _commit(run)
    at_commit = _git("show", f"{commit}:{environment.LOCK.as_posix()}") if commit else b""
    path = code / environment.LOCK
    return path.read_bytes() if not at_commit and path.is_file() else at_commit


def leave_out(run: Run, data: Path, log: Path) -> None:
    """Bar from a replay, by a log folder of its own, who had withdrawn before the run and is still in the data.

    Who withdrew later was in the run, and is in the replay.
    """
    people = set(read_table(data, "outcomes", ("subject_id",), [])["subject_id"])
    withdrawn = barred(people, ledger.DEFAULT_FOLDER)
    if withdrawn and readable(run, subject_secret()):
        gone = {who for who in withdrawn if not uses(who, run, subject_secret())}
        secret = read_secret(ledger.prepare_ledger(log) / "keys" / ledger.SECRET)
        (log / BARRED).write_text("".join(f"{subject_digest(secret, who)}\n" for who in sorted(gone)), encoding="ascii")


def _commit(run: Run) -> str:
    """Return the recorded commit; empty where the record names none (a record may be forged: git takes it as text)."""
    commit = str(run.record.get("code_commit", ""))
    return commit if re.fullmatch("[0-9a-f]{40}", commit) else ""


def _bring(run: Run, places: Sequence[Path], scratch: Path) -> None:
    """Copy the files that the settings name to the scratch folder, each known by its digest, under its recorded name."""
    for setting, stated in run.record.get("files", {}).items():
        name = Path(str(stated["name"])).name
        near = [place / name if place.is_dir() else place for place in places]
        fitting = [path for path in near if path.is_file() and file_digest(path) == stated["digest"]]
        if not fitting:
            seen = "is another file now (its digest differs)" if any(map(Path.is_file, near)) else "is not here"
            remedy = "put it beside the cohort folder, or name it: --file FILE"
            raise invalid("replay-file", f"the file of {setting} that the run used {seen}", remedy, file=name)
        shutil.copyfile(fitting[0], scratch / name)


@contextmanager
def recorded_code(run: Run) -> Iterator[Path]:
    """Yield a folder with the code of the run: this checkout if it is that code, else a copy of the commit."""
    if code_digest() == run.record.get("code_digest"):
        yield ROOT
        return
    commit = _commit(run)
    archive = _git("archive", "--format=tar", commit) if commit else b""
    if not archive:
        remedy = "run this command in a git checkout that holds the recorded commit"
        raise invalid("replay-code", f"the recorded commit {commit[:12]!r} is not in this repository", remedy)
    with tempfile.TemporaryDirectory(prefix="vagus-code-") as folder:
        with tarfile.open(fileobj=BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
        yield Path(folder)


def _train(run: Run, data: Path, code: Path, scratch: Path, python: str, timeout: float) -> Run:
    """Train again in a subprocess with one thread per fit, and return the run folder it left."""
    config = run.record["config"]
    (scratch / "run.toml").write_text(_toml({name: config[name] for name in config if name not in _ON_COMMAND_LINE}))
    command = [python, "-m", "training", "train", str(data.resolve()), "--instrument", str(config["instrument"])]
    command += ["--config", str(scratch / "run.toml"), "--name", str(run.record["model_name"])]
    if config.get("follow_up") is not None:
        command += ["--follow-up", repr(config["follow_up"])]
    store = f"sqlite:///{scratch}/store/mlflow.db"
    own = {**os.environ, **dict.fromkeys(_THREADS, "1"), "PYTHONPATH": str(code), "MLFLOW_TRACKING_URI": store}
    own |= {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONSAFEPATH": "1"}
    secret = subject_secret_path()
    for name in (VARIABLE, SUBJECT_VARIABLE):  # what a replay leaves is no work of this installation
        own.pop(name, None)
    if secret.is_file():  # so that people have the names they had
        own[SUBJECT_VARIABLE] = str(secret.resolve())
    try:
        done = subprocess.run(
            [*command, "--json"],
            cwd=scratch,
            env=own,
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
