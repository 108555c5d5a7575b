"""The cookbook's commands, run as they stand; docs and service cannot drift apart."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "docs" / "curl.md").read_text(encoding="utf-8"), re.M | re.S)


@pytest.fixture
def cook(server, tmp_path):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "url": server.url, "KEY": server.key, "PYTHONPATH": str(ROOT), "PATH": path}

    def act(block):
        done = subprocess.run(
            ["sh", "-euc", block],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, block + done.stdout + done.stderr
        return done.stdout

    return act


def test_every_command_of_the_cookbook_does_what_it_says(cook):
    words, again, columns, lines, lab, returned, fhir, cards, itself, stopped = (cook(block) for block in BLOCKS)
    assert "Expected change:" in words
    assert again == ""
    assert [p["id"] for p in json.loads(columns)["predictions"]] == ["p-1", "p-2"]
    assert json.loads(lines.splitlines()[-1]) == {"end": {"lines": 3}}
    assert [one["id"] for one in json.loads(lab)["samples"]] == ["s-1", "s-2"]
    assert '{"received":1,"new":1}' in returned
    assert json.loads(fhir)["language"] == "de"
    assert "erwartete Veränderung" in cards
    assert '"models"' in itself
    assert stopped == '{"stopped":true}{"stopped":false}'
