"""A clinic's patients become a Design: right cells, blanks kept blank, and no influence between rows."""

from __future__ import annotations

import numpy as np
import pytest

from features.importers import clinic
from features.importers.clinic import PatientInput

BLAUTIA = "d__Bacteria;f__Lachnospiraceae;g__Blautia"
ANN = PatientInput(
    "ann", "fermented_food", 14.0, 8.0,
    {BLAUTIA: 300, BLAUTIA + ";s__Blautia obeum": 5, "g__Roseburia": 112, "g__Bacteroides": 0.0},
    {"age_years": 41.0, "sex": "female"},
)  # fmt: skip
BEN = PatientInput("ben", "none", 9.0, None, None, {"fibre_g_day": 9.5})
#: Each taxon a genus of its own, in no order.
DEA = PatientInput("dea", "placebo", 11.0, 4.0, {"g__Roseburia": 3.0, BLAUTIA: 9.0, "g__Akkermansia": 0.25}, {})
CEM = PatientInput("cem", "placebo", 20.0, 4.0, {"g__Dialister": 7.0}, {})


def design_of(*patients):
    return clinic.design_of(patients)


def test_each_patient_is_one_row_with_a_blank_follow_up():
    design = design_of(ANN, BEN, CEM)
    assert design.subject.tolist() == ["ann", "ben", "cem"]
    assert design.arm.tolist() == ["fermented_food", "none", "placebo"]
    assert design.baseline.tolist() == [14.0, 9.0, 20.0]
    np.testing.assert_array_equal(design.lag, [8.0, np.nan, 4.0])
    assert np.isnan(design.follow_up).all()


def test_species_are_summed_into_their_genus_and_a_zero_is_no_count():
    design = design_of(ANN)
    amounts = dict(zip(design.genera, design.abundance[0], strict=True))
    assert amounts["Lachnospiraceae|Blautia"] == 305.0
    assert amounts["|Roseburia"] == 112.0
    assert amounts["|Bacteroides"] == 0.0


def test_a_missing_answer_is_blank_and_a_missing_sample_is_no_stool():
    design = design_of(ANN, BEN)
    assert design.stool.tolist() == [True, False]
    assert design.covariates["fibre_g_day"].tolist() == [None, 9.5]
    assert design.covariates["sex"].tolist() == ["female", None]


def test_nobody_with_stool_is_a_design_without_genera():
    assert not design_of(BEN).stool.any()
    assert design_of(BEN).genera == ()


def test_genera_stand_in_the_order_of_their_names():
    design = design_of(DEA)
    assert design.genera == ("|Akkermansia", "Lachnospiraceae|Blautia", "|Roseburia")
    assert design.abundance.tolist() == [[0.25, 9.0, 3.0]]


@pytest.mark.parametrize("place", range(4))
def test_a_patient_alone_has_the_same_cells_as_in_a_batch(place):
    patients = [ANN, BEN, CEM, DEA]
    alone, batch = design_of(patients[place]), design_of(*patients)
    for name, column in batch.covariates.items():
        assert alone.covariates.get(name, np.array([None]))[0] == column[place]
    own = dict(zip(alone.genera, alone.abundance[0], strict=True))
    for genus, amount in zip(batch.genera, batch.abundance[place], strict=True):
        assert own.get(genus, 0.0) == amount
