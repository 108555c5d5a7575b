"""vagus taxa normalise, by its output."""

import json

import pytest

from features.__main__ import main


def run(tmp_path, capsys, text, *more):
    (tmp_path / "t.txt").write_text(text)
    assert main(["taxa", "normalise", str(tmp_path / "t.txt"), *more]) == 0
    return capsys.readouterr()


def test_a_list_of_old_and_new_names_goes_to_one_id(tmp_path, capsys):
    out = run(tmp_path, capsys, "g__Anaerobutyricum\ng__[Eubacterium]_hallii_group\nRuminococcus gnavus\ng__Blautia\n")
    first, second, third = out.out.splitlines()
    assert first == "label\tgiven\twhy\tstatus"
    assert second.startswith("|Anaerobutyricum\tAnaerobutyricum, [Eubacterium]_hallii_group\tShetty 2018")
    assert third.startswith("|Mediterraneibacter\tRuminococcus gnavus\tTogo 2018")
    assert "names: 4" in out.err


def test_a_table_gives_shares_too(tmp_path, capsys):
    text = "taxon\tS1\tS2\nk__Bacteria;g__Blautia\t6\t5\nk__Bacteria;g__\t4\t0\nk__Archaea;g__X\t0\t5\n"
    report = json.loads(run(tmp_path, capsys, text, "--json").out)
    assert report["merges"] == []
    assert report["named_share_lowest"] == pytest.approx(0.6)
    assert report["named_share_mean"] == pytest.approx(0.8)
    assert report["kingdoms"] == {"Archaea": pytest.approx(0.25), "Bacteria": pytest.approx(0.75)}
    assert (report["names"], report["labels"], report["unnamed_labels"]) == (3, 3, 1)
    assert report["synonyms_version"] == "2"


def test_a_taxonomy_file(tmp_path, capsys):
    out = run(tmp_path, capsys, "Feature ID\tTaxon\nf1\tk__Bacteria; f__S24-7; g__Segatella\n").out
    assert "Muribaculaceae|Prevotella\tSegatella" in out


@pytest.mark.parametrize(("text", "code"), [("#SampleID\tWeek\nS1\t0\n", "no_taxa"), ("", "empty_file")])
def test_what_names_no_taxa_is_refused(tmp_path, capsys, text, code):
    (tmp_path / "t.txt").write_text(text)
    assert main(["taxa", "normalise", str(tmp_path / "t.txt")]) == 2
    assert code in capsys.readouterr().err


def test_the_share_asked_for_is_counted_against(tmp_path, capsys):
    text = "taxon\tS1\tS2\nk__Bacteria;g__Blautia\t6\t5\nk__Bacteria;g__\t4\t0\nk__Archaea;g__X\t0\t5\n"
    for least, below in (("0", 0), ("0.61", 1)):
        report = json.loads(run(tmp_path, capsys, text, "--json", "--least-named", least).out)
        assert report["samples_below_least_named"] == below
    with pytest.raises(SystemExit):
        run(tmp_path, capsys, text, "--least-named", "60")


def test_cohort_check_and_import_refuse_such_a_sample(tmp_path, capsys):
    table = tmp_path / "t.tsv"
    table.write_text("taxon\tS1\tS2\nk__Bacteria;g__Blautia\t6\t5\nk__Bacteria;g__\t4\t0\nk__Archaea;g__X\t0\t5\n")
    refused = ["cohort", "import", str(table), "--out", str(tmp_path / "no"), "--least-named", "0.61"]
    assert main(refused) == 2
    assert not (tmp_path / "no").exists()
    assert main(["cohort", "import", str(table), "--out", str(tmp_path / "yes")]) == 0
    capsys.readouterr()
    assert main(["cohort", "check", str(tmp_path / "yes"), "--least-named", "0.61"]) == 2
    assert "few_named_taxa" in capsys.readouterr().out
    assert main(["cohort", "check", str(tmp_path / "yes")]) == 0


def test_a_sample_almost_without_genera_is_noted_on_import_and_a_problem_of_the_check(tmp_path, capsys):
    """S1 has a genus for 5 of 100 reads, S2 for 10: the standard share is a tenth."""
    table, folder = tmp_path / "t.tsv", tmp_path / "out"
    table.write_text("taxon\tS1\tS2\nk__Bacteria;g__Blautia\t5\t10\nk__Bacteria;g__\t95\t90\n")
    assert main(["cohort", "import", str(table), "--out", str(folder)]) == 0
    assert "few_named_taxa: 1 samples are less than 10% in taxa with a named genus" in capsys.readouterr().out
    assert main(["cohort", "check", str(folder)]) == 2
    assert capsys.readouterr().out.count("few_named_taxa") == 1
    assert main(["cohort", "check", str(folder), "--accept", "few_named_taxa"]) == 0
    assert main(["cohort", "check", str(folder), "--least-named", "0"]) == 0
