"""The run configuration: parsed once, an unknown key is an error."""

import pytest

from features.errors import InvalidInput
from training.config import read_config


def test_the_command_line_wins_over_the_file(tmp_path):
    (tmp_path / "c.toml").write_text('seed = 4\nrepeats = 2\naccept = ["score_out_of_range"]\n')
    found = read_config(tmp_path / "c.toml", instrument="PHQ-9", seed=9)
    assert (found.seed, found.repeats, found.accept) == (9, 2, ("score_out_of_range",))


@pytest.mark.parametrize(
    ("text", "code"),
    [("sed = 4\n", "config_unknown_key"), ("seed = \n", "config_not_toml"), ('model = "oracle"\n', "unknown_model"),
     ('model = "raw_forest"\n', "unknown_model"), ('task = "cure"\n', "unknown_task"), ("folds = 1\n", "too_few_folds"), ('subgroups = ["age"]\n', "unknown_subgroup"),
     ('[intervals]\nby = "age"\n', "unknown_intervals"), ('[intervals]\nsex = true\n', "unknown_intervals")],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_a_code(tmp_path, text, code):
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(InvalidInput) as caught:
        read_config(tmp_path / "c.toml", instrument="PHQ-9")
    assert caught.value.problems[0].code == code


def test_the_number_of_cores_is_no_setting_of_the_record():
    assert "jobs" not in read_config(None, instrument="PHQ-9", jobs=2).recorded()


def test_intervals_by_group_are_a_setting_and_the_default_leaves_no_trace(tmp_path):
    (tmp_path / "c.toml").write_text('[intervals]\nby = "sex"\n')
    found = read_config(tmp_path / "c.toml", instrument="PHQ-9")
    assert found.interval_groups == "sex"
    assert found.recorded()["intervals"] == {"by": "sex"}
    assert "intervals" not in read_config(None, instrument="PHQ-9").recorded()


def test_a_budget_is_a_setting_and_never_negative(tmp_path):
    assert read_config(None, instrument="PHQ-9", budget=1.0).recorded()["budget"] == 1.0
    assert "budget" not in read_config(None, instrument="PHQ-9").recorded()
    with pytest.raises(InvalidInput):
        read_config(None, instrument="PHQ-9", budget=-1.0)
