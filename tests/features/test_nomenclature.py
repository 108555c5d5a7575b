"""One name per taxon: the same organism under the names of five databases."""

from importlib.resources import files

import pytest

from features.nomenclature import canonical_genus, canonical_name, spelled, synonyms

# A genus as a database writes it, or genus + species where the table has both.
NAMES = {
    "Anaerobutyricum": [
        "[Eubacterium]_hallii_group", "[Eubacterium] hallii group", "Eubacterium_hallii_group",
        "[Eubacterium] + hallii", "Eubacterium_E + hallii", "Eubacterium + Eubacterium_hallii",
        "+ Eubacterium hallii", "Anaerobutyricum + Anaerobutyricum_hallii", "Anaerobutyricum",
    ],
    "Mediterraneibacter": [
        "[Ruminococcus]_gnavus_group", "Ruminococcus + gnavus", "[Ruminococcus] + gnavus", "Ruminococcus_B",
        "Mediterraneibacter_A", "+ Mediterraneibacter gnavus", "[Ruminococcus]_torques_group",
    ],
    "Agathobacter": ["Agathobacter + Agathobacter rectalis", "Eubacterium + rectale", "[Eubacterium] rectale group"],
    "Lactobacillus": [
        "Lactobacillus", "Lactobacillus + plantarum", "Lactiplantibacillus", "+ Lactiplantibacillus plantarum",
        "Limosilactobacillus + reuteri", "Lacticaseibacillus",
    ],
    "Bacteroides": ["Bacteroides + vulgatus", "Phocaeicola + Phocaeicola_vulgatus", "Bacteroides_A"],
    "Prevotella": ["Prevotella_9", "[Prevotella] + copri", "Segatella", "Prevotella 7"],
    "Escherichia": [
        "Escherichia-Shigella", "Escherichia_Shigella", "Escherichia/Shigella", "Shigella", "Escherichia + coli",
    ],
    "Clostridium": ["Clostridium_sensu_stricto_1", "Clostridium sensu stricto 13", "Clostridium"],
    "Blautia": ["Blautia", "Blautia_A", "[Ruminococcus] + obeum", "Ruminococcus + Ruminococcus_obeum"],
    "Christensenellaceae R-7 group": [
        "Christensenellaceae_R-7_group", "Christensenellaceae_R_7_group", "Christensenellaceae R-7 group",
    ],
    "UCG-002": ["UCG-002", "Ruminococcaceae_UCG-002", "Ruminococcaceae_UCG_002"],
    "Lachnospiraceae UCG-001": ["Lachnospiraceae_UCG-001", "Lachnospiraceae_UCG_001"],
    "Eubacterium coprostanoligenes group": ["[Eubacterium]_coprostanoligenes_group"],
    "CAG-352": ["CAG-352", "CAG_352"],
    "Candidatus Saccharimonas": ["Candidatus_Saccharimonas"],
}  # fmt: skip


@pytest.mark.parametrize("canonical", NAMES)
def test_one_genus_under_all_its_names(canonical):
    pairs = [name.partition("+") for name in NAMES[canonical]]
    assert {canonical_genus(genus.strip(), species.strip()).name for genus, _, species in pairs} == {canonical}


@pytest.mark.parametrize(
    "name",
    ["", "uncultured", "uncultured_bacterium", "unidentified", "Unclassified",
     "Lachnospiraceae_unclassified",
     "Incertae_Sedis", "Bacteroidales Incertae Sedis", "gut_metagenome", "human gut metagenome", "UNKNOWN", "nan", "g",
     "Other", "possible genus Sk018", "unassigned"],
)  # fmt: skip
def test_placeholders_are_no_names(name):
    assert spelled(name) == ""
    assert canonical_genus(name).name == ""


@pytest.mark.parametrize("name", ["Ruminococcus", "Eubacterium", "GGB9512", "UBA1819", "Methanobrevibacter"])
def test_other_names_are_left_alone(name):
    assert canonical_genus(name) == (name, "", True)


@pytest.mark.parametrize(
    ("rank", "name", "canonical"),
    [("family", "S24-7", "Muribaculaceae"), ("family", "[Paraprevotellaceae]", "Prevotellaceae"),
     ("family", "Oscillospiraceae", "Ruminococcaceae"), ("family", "Leuconostocaceae", "Lactobacillaceae"),
     ("family", "Clostridiaceae_1", "Clostridiaceae"), ("family", "Lachnospiraceae", "Lachnospiraceae"),
     ("phylum", "Firmicutes", "Bacillota"), ("phylum", "Firmicutes_A", "Bacillota"),
     ("phylum", "Bacteroidetes", "Bacteroidota"), ("phylum", "Actinobacteriota", "Actinomycetota")],
)  # fmt: skip
def test_families_and_phyla(rank, name, canonical):
    assert canonical_name(rank, name).name == canonical


def test_a_merge_says_why():
    assert "10.1099/ijsem.0.004107" in canonical_genus("Lactiplantibacillus").source
    assert canonical_genus("Blautia_A").source == "spelling"
    assert canonical_genus("Blautia").source == ""


def test_the_table_is_versioned_sourced_and_flat():
    table = synonyms()
    assert table.version == "2"
    assert all(found.source and found.name for found in table.rows.values())
    # A canonical name is never itself a synonym: one look-up is enough.
    assert not [found.name for (rank, _), found in table.rows.items() if (rank, found.name) in table.rows]


@pytest.mark.parametrize("name", ["[Eubacterium]_hallii_group", "x<y", "a]b", "[[", "Ruminococcus_[torques]"])
def test_no_name_holds_what_boosted_trees_refuse_in_a_column(name):
    assert not set("[]<") & set(canonical_genus(name).name)


def test_every_row_says_whether_its_source_was_seen_and_where():
    lines = (files("features.data") / "taxon_synonyms.tsv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == f"# version {synonyms().version}"
    rows = [line.split("\t") for line in lines[2:]]
    assert {len(row) for row in rows} == {6}
    for *_, source, status, confirmed_by in rows:
        assert source
        assert (status, bool(confirmed_by)) in {("confirmed", True), ("unconfirmed", False)}
