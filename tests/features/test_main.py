"""The door of the features room, by its commands, output and exit codes."""

import json
import subprocess
import sys

import pytest

from features.__main__ import main
from features.importers.folder import check_cohort, read_cohort

TABLES = {
    "samples.tsv": "sample_id\tsubject_id\tarm\nA1\tA\tactive\nB1\tB\tplacebo\n",
    "lifestyle.tsv": "subject_id\tsample_id\tage_years\nA\t\t41\nB\t\t55\n",
    "outcomes.tsv": "subject_id\tsample_id\tinstrument\tbaseline_time\tbaseline_score\nA\tA1\tPHQ-9\t0\t14\n",
}


@pytest.fixture
def folder(tmp_path):
    for name, text in TABLES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_check_of_a_good_folder_ends_in_0(folder, capsys):
    assert main(["cohort", "check", str(folder)]) == 0
    assert capsys.readouterr().out == "no problems\n"


def test_check_lists_every_problem_and_ends_in_2(folder, capsys):
    (folder / "lifestyle.tsv").write_text("subject_id\tsample_id\tage_years\nA\t\t410\nA\tZ9\t55\n")
    assert main(["cohort", "check", str(folder)]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("lifestyle.tsv:2:age_years: ")
    assert [line.split("[")[-1] for line in lines[:-1]] == ["lifestyle_out_of_range]", "unknown_sample]"]
    assert lines[-1] == "2 problems"


def test_check_as_json(folder, capsys):
    (folder / "lifestyle.tsv").write_text("subject_id\tage_years\nA\t410\n")
    assert main(["cohort", "check", str(folder), "--json"]) == 2
    report = json.loads(capsys.readouterr().out)
    assert report["valid"] is False
    assert [(p["code"], p["row"], p["column"]) for p in report["problems"]] == [
        ("lifestyle_out_of_range", 2, "age_years")
    ]
    assert main(["cohort", "check", str(folder), "--json", "--accept", "lifestyle_out_of_range"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["valid"], report["problems"], report["accepted"]) == (True, [], 1)
    assert report["digest"].startswith("sha256:")


def test_a_missing_folder_is_bad_input(tmp_path, capsys):
    assert main(["cohort", "check", str(tmp_path / "none")]) == 2
    assert "missing_folder" in capsys.readouterr().out


@pytest.mark.parametrize(
    "argv", [[], ["cohort"], ["cohort", "check"], ["cohort", "check", "x", "--accept", "negative_count"]]
)
def test_bad_usage_ends_in_2(argv, capsys):
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_simulate_writes_a_valid_folder_with_its_truth_the_same_each_time(tmp_path, capsys):
    for name in ("one", "two"):
        argv = ["cohort", "simulate", "--subjects", "30", "--seed", "5", "--out", str(tmp_path / name)]
        assert main(argv) == 0
    assert check_cohort(tmp_path / "one") == []
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert "truth.tsv" in names
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert main(["cohort", "simulate", "--out", str(tmp_path / "one")]) == 2
    assert "folder_exists" in capsys.readouterr().err


def test_the_room_can_be_run_by_itself(folder):
    argv = [sys.executable, "-m", "features", "cohort", "check", str(folder)]
    done = subprocess.run(argv, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"no problems\n")


def test_import_writes_a_checked_folder_and_says_what_was_decided(tmp_path, capsys):
    (tmp_path / "otu.txt").write_text("otu\tS1\tS2\no1\t5\t0\no2\t1\t7\no3\t0\t2\n")
    (tmp_path / "map.txt").write_text("#SampleID\tPatient\tWeek\tnote\nS1\tP1\t0\tx\nS2\tP2\t0\ty\n")
    argv = ["cohort", "import", str(tmp_path / "otu.txt"), str(tmp_path / "map.txt"), "--out"]
    assert main([*argv, str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "Patient read as subject" in out
    assert "no outcomes in these files" in out
    assert check_cohort(tmp_path / "out") == []


def test_an_import_that_fails_its_check_leaves_no_folder(tmp_path, capsys):
    (tmp_path / "map.txt").write_text("#SampleID\tPatient\tAge\nS1\tP1\t410\n")
    argv = ["cohort", "import", str(tmp_path / "map.txt"), "--out", str(tmp_path / "out")]
    assert main(argv) == 2
    assert "lifestyle_out_of_range" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["map.txt"]
    assert main([*argv, "--accept", "lifestyle_out_of_range"]) == 0


def test_functions_are_written_beside_the_taxa(tmp_path):
    (tmp_path / "ko.tsv").write_text("function\tS1\tS2\nK00001\t1.5\t0\nK00002\t0\t2\n")
    (tmp_path / "otu.txt").write_text("otu\tS1\tS2\no1\t5\t0\no2\t1\t7\no3\t0\t2\n")
    argv = ["cohort", "import", str(tmp_path / "ko.tsv"), str(tmp_path / "otu.txt"), "--out", str(tmp_path / "out")]
    assert main(argv) == 0
    assert (tmp_path / "out" / "functions.tsv.gz").is_file()


@pytest.mark.parametrize("form", ["tsv", "parquet", "biom"])
def test_export_gives_the_same_cohort_in_another_form(folder, tmp_path_factory, form):
    out = tmp_path_factory.mktemp("export") / "out"
    assert main(["cohort", "export", str(folder), "--out", str(out), "--to", form]) == 0
    assert read_cohort(out).digest == read_cohort(folder).digest
