"""Feature blocks that a run may switch on: worked out row by row, learned on training rows only."""

from dataclasses import replace

import numpy as np
import pytest

from features.blocks import FeatureEncoder
from features.counts import Counts
from features.derived import functions_of, planned
from features.gut_brain import read_modules
from features.importers.clinic import PatientInput, design_of
from features.synthetic import simulate

MODULES = read_modules(
    b"M1\tone\nK00001\tK00002\nK00003\n///\nM2\ttwo\nK00004,K00005\n///\nM3\tunseen\nCOG1\nK00001\n///\n"
)
ALL = planned({"diversity": True, "producers": True, "modules": "FILE"}, MODULES)


def _functions(samples, seed=0):
    table = np.random.default_rng(seed).poisson(3.0, size=(len(samples), 5)) * 10.0
    row, column = np.nonzero(table)
    names = tuple(f"K0000{j}" for j in range(1, 6))
    return Counts.of(tuple(samples), names, (row, column, table[row, column]), "other").shares(functions_of(ALL))


@pytest.fixture(scope="module")
def cohort():
    found = simulate(subjects=60, seed=4)[0]
    return replace(found, functions=_functions(found.samples["sample_id"]))


@pytest.fixture(scope="module")
def encoder(cohort):
    return FeatureEncoder(derived=ALL).fit(cohort.design("PHQ-9").frame())


def test_the_blocks_have_named_columns_after_all_others(encoder):
    names = list(encoder.get_feature_names_out())
    plain = [name for name in names if name.split(":")[0] not in ("diversity", "producers", "modules")]
    assert names[: len(plain)] == plain
    assert {"diversity:shannon", "producers:butyrate", "modules:M1", "modules:M2"} <= set(names)
    assert "modules:M3" not in names  # half of it can be seen at most: it never reaches the cut-off


def test_without_them_nothing_changes(cohort):
    design = replace(cohort, functions=None).design("PHQ-9")
    plain = FeatureEncoder().fit(design.frame())
    offered = FeatureEncoder(derived=()).fit(design.frame())
    assert plain.encoding_.derived == ()
    assert plain.encode(design).equals(offered.encode(design))


def test_columns_are_centred_and_scaled_on_the_training_rows(cohort, encoder):
    frame = encoder.encode(cohort.design("PHQ-9"))
    own = frame[[name for name in frame if name.split(":")[0] in ("diversity", "producers", "modules")]]
    assert own.std(ddof=0).to_numpy() == pytest.approx(1.0)
    assert own.mean().to_numpy() == pytest.approx(0.0, abs=1e-9)


def test_held_out_rows_do_not_move_what_was_learned(cohort):
    design = cohort.design("PHQ-9")
    some = FeatureEncoder(derived=ALL).fit(design.take(np.arange(40)).frame())
    again = FeatureEncoder(derived=ALL).fit(design.take(np.arange(40)).frame())
    assert some.encoding_.derived == again.encoding_.derived
    whole = FeatureEncoder(derived=ALL).fit(design.frame())
    assert whole.encoding_.derived != some.encoding_.derived


def test_a_row_alone_gives_the_same_bits(cohort, encoder):
    design = cohort.design("PHQ-9")
    batch = encoder.encoding_.blocks(design)
    for i in range(len(design)):
        alone = encoder.encoding_.blocks(design.take(np.array([i])))
        for kind in ("diversity", "producers", "modules"):
            assert np.array_equal(alone[kind][0], batch[kind][i]), (i, kind)


def test_a_patient_of_the_clinic_gives_the_bits_of_the_table(cohort, encoder):
    """Taxa of other people in the table are zeros in the row, and leave its numbers alone."""
    counts, life = cohort.counts, cohort.lifestyle
    table = cohort.design("PHQ-9")
    batch = encoder.encoding_.blocks(table)
    families = {
        f"K0000{j + 1}": value for j, value in enumerate(np.random.default_rng(0).poisson(3.0, (60, 5))[7] * 10.0)
    }
    sample = cohort.samples["sample_id"][7]
    at = counts.sample_ids.index(sample)
    own = slice(counts.indptr[at], counts.indptr[at + 1])
    taxa = {counts.lineages[j]: x for j, x in zip(counts.indices[own], counts.data[own], strict=True)}
    patient = PatientInput("p", "placebo", 12.0, taxa=taxa, functions=families)
    alone = design_of([patient], functions=functions_of(ALL))
    row = table.sample.tolist().index(sample)
    for kind in ("diversity", "producers", "modules"):
        assert np.array_equal(encoder.encoding_.blocks(alone)[kind][0], batch[kind][row]), kind
    assert len(life["subject_id"]) == 60


def test_a_person_without_stool_or_functions_is_the_average(cohort, encoder):
    design = design_of([PatientInput("p", "placebo", 12.0)])
    found = encoder.encoding_.blocks(design)
    assert all((found[kind] == 0.0).all() for kind in ("diversity", "producers", "modules"))


def test_producers_are_a_log_ratio_to_the_rest_by_hand(cohort):
    taxa = {"g__Faecalibacterium": 30.0, "g__Alistipes": 10.0, "g__Roseburia": 9.0}
    design = design_of([PatientInput("p", "x", 9.0, taxa=taxa)])
    (block,) = planned({"producers": True})
    names, raw = block.raw(design)
    assert dict(zip(names, raw[0], strict=True))["butyrate"] == pytest.approx(np.log(39.5 / 10.5))
    assert dict(zip(names, raw[0], strict=True))["gaba"] == pytest.approx(np.log(0.5 / 49.5))


def test_modules_by_hand():
    families = {"K00001": 10.0, "K00003": 30.0, "K09999": 60.0}
    design = design_of([PatientInput("p", "x", 9.0, functions=families)], functions=functions_of(ALL))
    names, raw = ALL[2].raw(design)
    assert names == ("M1", "M2")
    assert raw[0].tolist() == pytest.approx([np.sqrt((0.1 + 0.3) / 2), 0.0])
