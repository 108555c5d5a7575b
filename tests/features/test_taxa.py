"""Lineages of every database become one label per genus."""

import pytest

from features.taxa import genus_label, ranks


@pytest.mark.parametrize(
    ("lineage", "label"),
    [
        ("d__Bacteria;p__Firmicutes;c__Clostridia;f__Lachnospiraceae;g__Blautia", "Lachnospiraceae|Blautia"),
        ("k__Bacteria; p__Firmicutes; f__Lachnospiraceae; g__[Eubacterium]", "Lachnospiraceae|Eubacterium"),
        ("k__Bacteria|f__Lachnospiraceae|g__Blautia|s__Blautia_obeum|t__SGB4810", "Lachnospiraceae|Blautia"),
        ("f__Lachnospiraceae;g__", "Lachnospiraceae|unclassified Lachnospiraceae"),
        ("f__Lachnospiraceae;g__uncultured", "Lachnospiraceae|unclassified Lachnospiraceae"),
        ("f__Lachnospiraceae;g__Lachnospiraceae_unclassified", "Lachnospiraceae|unclassified Lachnospiraceae"),
        ("k__Bacteria;p__Firmicutes", "|unclassified Bacillota"),
        ("Unassigned", "|unclassified taxa"),
        ("UNCLASSIFIED", "|unclassified taxa"),
        ("g__Roseburia", "|Roseburia"),
        ("Roseburia", "|Roseburia"),
        ("Faecalibacterium prausnitzii", "|Faecalibacterium"),
        ("p__Firmicutes;s__Ruminococcus gnavus;t__MAG.7", "|Mediterraneibacter"),
        ("p__Firmicutes;g__Firmicutes_unclassified;s__Firmicutes_bacterium_CAG_110", "|unclassified Bacillota"),
        ("f__S24-7;g__", "Muribaculaceae|unclassified Muribaculaceae"),
        ("", "|unclassified taxa"),
    ],
)
def test_labels(lineage, label):
    assert genus_label(lineage) == label


def test_kingdoms_are_kept():
    assert ranks("k__Archaea;p__Euryarchaeota;g__Methanobrevibacter")["kingdom"] == "Archaea"
    assert ranks("d__Eukaryota")["kingdom"] == "Eukaryota"
