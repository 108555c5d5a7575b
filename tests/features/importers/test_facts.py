"""Tables of facts about samples and people."""

import pytest

from features.errors import InvalidInput
from features.importers import read, recognise


def put(tmp_path, text):
    (tmp_path / "map.txt").write_text(text)
    return tmp_path / "map.txt"


def test_a_qiime_mapping_file(tmp_path):
    path = put(tmp_path, "#SampleID\tSubjectID\tWeek\n#q2:types\tcategorical\tnumeric\nS1\tP1\t0\nS2\tP1\t.\n")
    assert recognise(path).name == "QIIME mapping"
    assert read(path).facts == {"SampleID": ["S1", "S2"], "SubjectID": ["P1", "P1"], "Week": ["0", "."]}


def test_a_csv_of_people(tmp_path):
    path = put(tmp_path, 'patient;arm;note\nP1;FMT;"a;b"\nP2;placebo;\n')
    assert recognise(path).name == "facts"
    assert read(path).facts == {"patient": ["P1", "P2"], "arm": ["FMT", "placebo"], "note": ["a;b", ""]}


@pytest.mark.parametrize(
    ("text", "code"),
    [("#SampleID\tx\nS1\n", "row_length"), ("#SampleID\tx\tx\nS1\t1\t2\n", "duplicate_column")],
)
def test_bad_facts(tmp_path, text, code):
    with pytest.raises(InvalidInput, match=code):
        read(put(tmp_path, text))


def test_facts_that_are_numbers_throughout_are_no_abundances(tmp_path):
    path = put(tmp_path, "sample-id\tweek\tage\nS1\t0\t41\nS2\t8\t41\n")
    assert recognise(path).name == "facts"
    assert read(path).facts["age"] == ["41", "41"]
