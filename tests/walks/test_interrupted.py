"""Ctrl-C in the middle of a training, and the same command once more."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
# A shell's background job ignores Ctrl-C, and so would all that it starts: here somebody sits before it.
COMMAND = ("env", "--default-signal=INT", sys.executable, "-m", "vagus", "train")


def _run_folder(home, run):
    return home / ".vagus" / "artifacts" / run / "artifacts" / "run"


@pytest.mark.slow
def test_ctrl_c_keeps_finished_folds_and_the_next_run_has_the_same_bytes(trained, tmp_path, vagus):
    (tmp_path / "run.toml").write_text((trained.home / "run.toml").read_text())
    arguments = (str(trained.cohort), "--instrument", "PHQ-9", "--config", "run.toml")
    started = subprocess.Popen(
        [*COMMAND, *arguments], cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True,
    )  # fmt: skip
    for _ in range(1200):
        if len(list(tmp_path.glob(".vagus/partial/*/*.fold"))) >= 2 or started.poll() is not None:
            break
        time.sleep(0.1)
    os.killpg(started.pid, signal.SIGINT)  # as a terminal does: to all processes of the command
    out, err = started.communicate(timeout=120)
    assert started.returncode == 130
    assert "finished folds are kept" in err
    assert "Traceback" not in err + out
    done = vagus("train", *arguments, cwd=tmp_path)
    assert re.search(r"\d+ finished folds of an interrupted run are picked up", done.stderr)
    assert not list(tmp_path.glob(".vagus/partial/*"))
    run = re.search(r"run ([0-9a-f]{32})", done.stdout)[1]
    one, other = _run_folder(trained.home, trained.found["run_id"]), _run_folder(tmp_path, run)
    assert (one / "bundle" / "arrays.npz").read_bytes() == (other / "bundle" / "arrays.npz").read_bytes()
    own, theirs = (
        pd.read_csv(folder / "oof.tsv", sep="\t", dtype=str).drop(columns="subject") for folder in (one, other)
    )
    assert own.equals(theirs)
