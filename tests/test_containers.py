"""The container files, as far as they can be judged without an engine: what they copy is there, and is enough."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / "containers").glob("*.Containerfile"))


def _steps(path, word):
    return [line.split(maxsplit=1)[1] for line in path.read_text().splitlines() if line.startswith(f"{word} ")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_is_copied_is_enough_to_start(path, tmp_path):
    for step in _steps(path, "COPY"):
        *sources, target = step.split()
        for source in sources:
            assert (ROOT / source).exists(), source
            place = tmp_path / (target.removeprefix("./") or ".")
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
            elif target == "./":
                shutil.copy(ROOT / source, tmp_path)
            else:
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, place)
    _, *command = json.loads(_steps(path, "ENTRYPOINT")[0])
    place = {**os.environ, "PYTHONPATH": str(tmp_path)}
    told = subprocess.run(
        [sys.executable, "-P", *command, "--help"], cwd=tmp_path, env=place, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    assert "usage: vagus" in told.stdout


def test_the_service_runs_as_nobody_in_particular_and_without_training():
    serve = ROOT / "containers" / "serve.Containerfile"
    assert _steps(serve, "USER") == ["vagus"]
    assert not any("training" in step for step in _steps(serve, "COPY"))
    assert "--no-auth" not in serve.read_text()
