"""What a data scientist reads off a run: the report's tables, and what made up each prediction."""

import json

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


@pytest.mark.slow
def test_a_budget_of_one_second_still_gives_a_model_and_says_how_far_the_search_came(cohort_folder, tmp_path, vagus):
    (tmp_path / "run.toml").write_text("repeats = 1\nshuffles = 1\njobs = 1\n")
    command = ("train", cohort_folder, "--instrument", "PHQ-9", "--config", "run.toml", "--budget", "1", "--json")
    found = json.loads(vagus(*command, cwd=tmp_path).stdout)
    assert found["search"]["budget_s"] == 1.0
    assert 1 <= found["search"]["tried_least"] < found["search"]["offered"]
    assert found["search"]["candidates"][0] == "additive"
    assert found["final_model"]["entry"] in found["search"]["candidates"]
    assert len(found["noise"]) == 1
    vagus("predict", cohort_folder, "--model", found["run_id"], "--out", "p.tsv", cwd=tmp_path)
