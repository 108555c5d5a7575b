"""`vagus learning-curve` through the console command."""

import json

import pytest


@pytest.mark.slow
def test_the_verb_prints_json_and_draws(cohort_folder, tmp_path, vagus):
    command = ("learning-curve", cohort_folder, "--instrument", "PHQ-9", "--plot", "curve.html", "--json")
    found = json.loads(vagus(*command, cwd=tmp_path).stdout)
    assert found.keys() >= {"people", "points", "verdict", "needed", "needed_lower", "needed_upper", "says"}
    assert found["people"] == 80
    assert {point["people"] for point in found["points"]} == {32, 44, 56, 68, 80}
    page = (tmp_path / "curve.html").read_text()
    assert "<svg" in page
    assert found["says"] in page


def test_bad_input_is_one_line(cohort_folder, tmp_path, vagus):
    done = vagus("learning-curve", cohort_folder, "--instrument", "GAD-7", cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert "Choose one of: PHQ-9" in done.stderr
