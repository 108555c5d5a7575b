"""The description against the service itself, by a tool that generates requests from it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(sys.executable).with_name("st")
#: Whether a well-typed request also makes sense (a score within its scale, a known covariate) no schema can say:
#: such requests are answered 422 by design, so this one check is left out.
LEFT_OUT = "positive_data_acceptance"


@pytest.mark.slow
@pytest.mark.skipif(not (TOOL.is_file() or shutil.which("st")), reason="schemathesis is not installed")
def test_generated_requests_find_nothing(bundle_folder, start, tmp_path, monkeypatch):
    monkeypatch.setenv("VAGUS_RATE", "0")
    running = start(bundle_folder, "--no-log").wait()
    command = [
        str(TOOL), "run", running.url + "/docs.json", "-H", f"Authorization: Bearer {running.key}", "-n", "25",
        "--exclude-checks", LEFT_OUT, "--exclude-path", "/stop", "--exclude-path", "/reload", "--workers", "1", "--seed", "1", "--no-color",
        "--suppress-health-check", "all",
    ]  # fmt: skip
    environment = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=300, env=environment, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert running.process.poll() is None
