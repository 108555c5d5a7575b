"""The environment of a replay: is it the one that was recorded, and if not, how to get it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from features.digest import sha256
from features.errors import Refused, VerificationFailed
from training.audit.runs import Run
from training.audit.steps import Step

LOCK = Path("requirements") / "run.txt"
_STAMP = "vagus-lock"
_MAX_SECONDS = 3600


def stated_by(code: Path, python: str) -> dict[str, Any]:
    """Return what a copy of the code says of itself when an interpreter runs it: digests of code and lock, versions."""
    ask = "import json; from training.provenance import provenance; print(json.dumps(provenance()))"
    own = {**os.environ, "PYTHONPATH": str(code), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [python, "-c", ask], cwd=code, env=own, capture_output=True, text=True, timeout=300, check=False
        )
        found: dict[str, Any] = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        remedy = "name one with the recorded libraries (--python), or build one (--build-env DIR)"
        raise VerificationFailed(f"replay: this interpreter cannot run the recorded code; {remedy}") from error
    return found


def first_steps(record: Mapping[str, Any], found: Mapping[str, Any]) -> list[Step]:
    """Return the steps that are known before anything is trained: code, then lock and libraries."""
    if record.get("code_digest") != found["code_digest"]:
        changed = "the commit is not the code that ran: there were changes not committed, or the record was altered"
        return [Step("code", "differs", changed)]
    steps = [Step("code", "equal", "code_digest")]
    own, here = ({"lock": own.get("lock_digest"), **own.get("versions", {})} for own in (record, found))
    unlike = [
        f"{name} {own.get(name)}, here {here.get(name)}" for name in {**own, **here} if own.get(name) != here.get(name)
    ]
    if unlike:
        remedy = "replay in the recorded environment: --build-env DIR, or --python PATH"
        return [*steps, Step("library", "differs", f"recorded {'; '.join(unlike)}; {remedy}")]
    return [*steps, Step("library", "equal", ", ".join(f"{name} {own[name]}" for name in own if name != "lock"))]


def build(run: Run, lock: bytes, folder: Path) -> str:
    """Build a virtual environment from the recorded lock, or take the one built there before; return its interpreter.

    Every package is checked against the digests of the lock. Raises Refused where the lock at hand is not the recorded
    one, or the recorded Python is another than this.
    """
    if sha256(lock) != run.record.get("lock_digest"):
        raise Refused(
            "replay-lock", "the lock of the recorded commit is not the lock that was recorded: it cannot be built"
        )
    wanted = str(run.record.get("versions", {}).get("python", ""))
    if wanted.split(".")[:2] != [str(part) for part in sys.version_info[:2]]:
        raise Refused("replay-python", f"the run needs Python {wanted}; call this command with that Python")
    python, stamp = folder.absolute() / "bin" / "python", folder / _STAMP
    if stamp.is_file() and stamp.read_text() == sha256(lock):
        return str(python)
    venv.EnvBuilder(clear=False, symlinks=True).create(folder)
    listed = folder / "requirements.txt"
    listed.write_bytes(lock)
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--require-hashes", "-r", str(listed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_MAX_SECONDS, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise VerificationFailed(f"replay: the recorded environment cannot be built: {last}")
    stamp.write_text(sha256(lock))
    return str(python)
