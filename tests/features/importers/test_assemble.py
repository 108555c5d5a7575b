"""Lab files put together; every published raw file equals its tidy twin."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from features.errors import InvalidInput
from features.importers import read
from features.importers.assemble import Choices, assemble
from features.importers.folder import check_cohort, read_cohort, write_cohort
from features.importers.tables import number

SHARED = Path(__file__).resolve().parents[3].parent / "shared"
RAW, DATA = SHARED / "raw", SHARED / "data"
shared = pytest.mark.skipif(not RAW.is_dir(), reason="the shared raw files are not here")

MATRIX = "otu\tS1\tS2\tS3\no1\t5\t0\t0\no2\t1\t7\t0\n"
TAXA = "Feature ID\tTaxon\no1\tk__Bacteria; g__Blautia\n"
MAP = "#SampleID\tPatient\tWeek\tTreatment\tGender\tAge\tnote\nS1\tP1\t0\tA\tF\t41\tNA\nS2\tP2\t0\tB\tM\t.\tx\n"


@pytest.fixture
def files(tmp_path):
    for name, text in (("otu.txt", MATRIX), ("taxa.tsv", TAXA), ("map.txt", MAP)):
        (tmp_path / name).write_text(text)
    return [str(tmp_path / name) for name in ("otu.txt", "taxa.tsv", "map.txt")]


def test_a_matrix_a_taxonomy_and_a_map_become_a_cohort(files, tmp_path):
    found = assemble(files, Choices())
    cohort = found.cohort
    assert cohort.samples["sample_id"].tolist() == ["S1", "S2"]
    assert cohort.samples["subject_id"].tolist() == ["P1", "P2"]
    assert cohort.samples["time"].tolist() == [0.0, 0.0]
    assert cohort.samples["arm"].tolist() == ["A", "B"]
    assert cohort.lifestyle["age_years"].tolist() == [41.0, None]
    assert cohort.lifestyle["sex"].tolist() == ["female", "male"]
    assert cohort.lifestyle["note"].tolist() == [None, "x"]
    assert cohort.counts.lineages == ("k__Bacteria;g__Blautia;t__o1", "o2")
    assert (cohort.info.abundance_unit, cohort.info.time_unit) == ("counts", "week")
    assert "1 samples without any reads left out" in found.notes
    assert "1 of 2 taxa have a lineage" in found.notes
    assert "Patient read as subject" in found.notes
    write_cohort(cohort, tmp_path / "out")
    assert check_cohort(tmp_path / "out") == []
    assert read_cohort(tmp_path / "out").digest == cohort.digest


def test_a_role_can_be_stated(files):
    cohort = assemble(files, Choices(arm="Gender", unit="other", time_unit="day")).cohort
    assert cohort.samples["arm"].tolist() == ["F", "M"]
    assert (cohort.info.abundance_unit, cohort.info.time_unit) == ("other", "day")
    with pytest.raises(InvalidInput, match="missing_column"):
        assemble(files, Choices(subject="Nobody"))


def test_samples_of_no_stated_subject_are_their_own(files):
    found = assemble(files[:2], Choices())
    assert found.cohort.samples["subject_id"].tolist() == ["S1", "S2"]
    assert "2 samples of no stated subject: each counts as a subject of its own" in found.notes


def test_one_report_per_sample_is_joined(tmp_path):
    report = "100.0\t{n}\t{n}\tG\t572511\tBlautia\n"
    for name, n in (("A", 5), ("B", 7)):
        (tmp_path / f"{name}.kreport").write_text(report.format(n=n))
    cohort = assemble([str(tmp_path / "A.kreport"), str(tmp_path / "B.kreport")], Choices()).cohort
    assert cohort.counts.sample_ids == ("A", "B")
    assert cohort.counts.data.tolist() == [5, 7]


def test_the_same_sample_in_two_files_is_refused(files, tmp_path):
    (tmp_path / "again.txt").write_text(MATRIX)
    with pytest.raises(InvalidInput, match="duplicate_sample"):
        assemble([files[0], str(tmp_path / "again.txt")], Choices())


def test_outcomes_come_along_where_they_are_given(files, tmp_path):
    text = "subject_id\tsample_id\tinstrument\tbaseline_time\tbaseline_score\nP1\tS1\tPHQ-9\t0\t14\n"
    (tmp_path / "outcomes.tsv").write_text(text)
    assert assemble([*files, str(tmp_path / "outcomes.tsv")], Choices()).cohort.instruments == ("PHQ-9",)


def test_identifiers_are_declared_as_such(tmp_path):
    (tmp_path / "map.txt").write_text("sample\thost\tRun\tplate_barcode\nS1\tP1\tR1\tB1\n")
    columns = assemble([str(tmp_path / "map.txt")], Choices()).cohort.info.columns
    assert {name for name, info in columns.items() if info.role == "id"} == {"Run", "plate_barcode"}


def twin(cohort):
    """The tidy table of a cohort: sample ids, taxa, values."""
    with gzip.open(DATA / cohort / "counts.tsv.gz", "rt") as handle:
        header, *rows = csv.reader(handle, delimiter="\t")
    return [row[0] for row in rows], header[1:], np.array([[float(cell) for cell in row[1:]] for row in rows])


def dense(counts):
    table = np.zeros((len(counts.sample_ids), len(counts.lineages)))
    rows = np.repeat(np.arange(len(table)), np.diff(counts.indptr))
    table[rows, counts.indices] = counts.data
    return table


def compare(counts, cohort, sample_name, taxon_name, relative=0.0):
    """Every value of the tidy table equals the raw one; raw taxa that the tidy table lacks are zero in its samples."""
    samples, taxa, tidy = twin(cohort)
    rows = {sample_name(name): i for i, name in enumerate(counts.sample_ids)}
    columns = {taxon_name(name): j for j, name in enumerate(counts.lineages)}
    raw = dense(counts)[[rows[name] for name in samples]]
    kept = [columns[name] for name in taxa]
    np.testing.assert_allclose(raw[:, kept], tidy, rtol=relative, atol=0)
    assert np.delete(raw, kept, axis=1).sum() == 0


@shared
@pytest.mark.shared
@pytest.mark.parametrize(
    "file", ["residents_otu_table.biom", "residents_otu_table.tsv", "residents_summary_tables.xlsx"]
)
def test_the_residents_tables_equal_their_twin(file):
    choices = {"sheet": "Raw OTU Counts"} if file.endswith("xlsx") else {}
    counts = read(RAW / file, **choices).counts
    # The tidy table shortens the sample names, and marks the features as OTU; six samples of it were left out.
    compare(counts, "prebiotic_residents_2020", lambda s: s.replace("Greathouse.FIBER", "FIB"), lambda t: f"OTU_{t}")


@shared
@pytest.mark.shared
def test_the_residents_lineages_and_map_equal_their_twin():
    with (DATA / "prebiotic_residents_2020" / "taxonomy.tsv").open() as handle:
        tidy = {row["feature_id"]: row["taxonomy"] for row in csv.DictReader(handle, delimiter="\t")}
    for file, sheet in (("residents_otu_table.biom", ""), ("residents_summary_tables.xlsx", "Taxonomy")):
        raw = {f"OTU_{name}": lineage for name, lineage in read(RAW / file, sheet=sheet).lineages.items()}
        assert file.endswith("xlsx") or {name: raw[name] for name in tidy} == tidy
        assert set(tidy) <= set(raw)
    facts = read(RAW / "residents_qiime_mapping.txt").facts
    raw = {name.replace("Greathouse.FIBER", "FIB"): row for name, *row in zip(*facts.values(), strict=True)}
    with (DATA / "prebiotic_residents_2020" / "samples.tsv").open() as handle:
        for row in csv.DictReader(handle, delimiter="\t"):
            subject, week, reads, *_, arm, _ = raw[row["sample_id"]]
            assert (f"S{subject}", week, reads, arm) == (row["subject_id"], row["time"], row["raw_reads"], row["arm"])


@shared
@pytest.mark.shared
def test_the_metaphlan_profile_equals_its_twin():
    # The tidy table holds six significant digits.
    counts = read(RAW / "micropouch_metaphlan4_merged.txt.gz").counts
    compare(counts, "micropouch_fmt_2024", str, str, relative=1e-5)
    assert counts.unit == "percent"


@shared
@pytest.mark.shared
def test_the_genome_abundances_and_taxa_equal_their_twin():
    # The tidy table holds six significant digits.
    counts = read(RAW / "p8_abundance.txt").counts
    compare(counts, "p8_probiotic_stress_2021", str, str, relative=1e-5)
    assert counts.unit == "other"
    lineages = read(RAW / "p8_taxa.txt").lineages
    with (DATA / "p8_probiotic_stress_2021" / "taxonomy.tsv").open() as handle:
        for row in csv.DictReader(handle, delimiter="\t"):
            assert lineages[row["feature_id"]] == row["taxa_file_name"]


@shared
@pytest.mark.shared
def test_the_old_workbook_equals_the_outcomes_made_of_it():
    facts = read(RAW / "p8_supplement.xls", sheet="Table S1").facts
    rows = [dict(zip(facts, row, strict=True)) for row in zip(*facts.values(), strict=True)]
    cortisol = {(row["Subject number"], row["Group_time"][-2:].strip("_")): row["Cortisol (ug/dl)"] for row in rows}
    with (DATA / "p8_probiotic_stress_2021" / "outcomes.tsv").open() as handle:
        tidy = [row for row in csv.DictReader(handle, delimiter="\t") if row["instrument"] == "cortisol_ug_dl"]
    assert len(tidy) == 77
    for row in tidy:
        subject = str(int(row["subject_id"].removeprefix("P8_")))
        for week, column in (("0", "baseline_score"), ("12", "followup_score")):
            assert number(cortisol[subject, week]) == pytest.approx(float(row[column]), rel=1e-12)


@shared
@pytest.mark.shared
def test_the_fefifo_object_equals_its_twin():
    with (DATA / "fefifo_wastyk_2021" / "taxonomy.tsv").open() as handle:
        names = {row["sequence"]: row["feature_id"] for row in csv.DictReader(handle, delimiter="\t")}
    # 70 sequences of the object are in none of its samples, and have no column in the tidy table.
    counts = read(RAW / "fefifo_phyloseq.rds").counts
    compare(counts, "fefifo_wastyk_2021", lambda s: f"FF{s}", lambda t: names.get(t, t))


@shared
@pytest.mark.shared
def test_the_hugerth_object_summed_by_genus_equals_its_twin():
    found = read(RAW / "hugerth_phyloseq.rds")
    samples, taxa, tidy = twin("hugerth_popcol_2019")
    sums = {taxon: np.zeros(len(samples)) for taxon in taxa}
    order = [found.counts.sample_ids.index(sample) for sample in samples]
    for j, column in enumerate(dense(found.counts)[order].T):
        ranks = found.lineages[found.counts.lineages[j]].split(";")[:6]
        full = [*ranks, *(f"{letter}__" for letter in "kpcofg"[len(ranks) :])]
        sums[";".join(full)] += column
    np.testing.assert_array_equal(np.array([sums[taxon] for taxon in taxa]).T, tidy)
    assert len(sums) == len(taxa)
