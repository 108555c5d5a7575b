"""What a data scientist reads off a run: the report's tables, and what made up each prediction."""

import pandas as pd
import pytest


def _report(trained):
    folder = trained.home / ".vagus" / "artifacts" / trained.found["run_id"] / "artifacts" / "run"
    return (folder / "report.html").read_text()


def test_the_report_has_a_section_for_each_finding(trained):
    text = _report(trained)
    for title in ("The 90 % interval by group", "Net benefit of acting on the probability of response",
                  "Net benefit of acting on the probability of remission", "Answering fewer people",
                  "What the kept model goes by"):  # fmt: skip
        assert title in text
    for plot in ("Decision curve", "Reject-option curve", "Calibration"):
        assert plot in text


def test_one_study_never_makes_the_report_say_the_word(trained):
    assert trained.found["leave_one_study_out"] == {}
    assert "biomarker" not in _report(trained).lower()


def test_contributions_sum_to_the_predicted_change(trained, tmp_path, vagus):
    command = ("predict", trained.cohort, "--model", trained.found["run_id"], "--every-arm")
    files = ("--out", tmp_path / "p.tsv", "--contributions", tmp_path / "c.tsv")
    vagus(*command, *files, cwd=trained.home)
    key = ["subject_id", "arm"]
    made = pd.read_csv(tmp_path / "c.tsv", sep="\t").groupby(key).points.sum()
    told = pd.read_csv(tmp_path / "p.tsv", sep="\t").query("answered").set_index(key).change
    assert len(told) == len(made) > 0
    assert made.loc[told.index].to_numpy() == pytest.approx(told.to_numpy(), abs=1e-6)
