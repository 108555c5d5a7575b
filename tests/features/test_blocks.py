"""The two-row rule, the clinic's one row, study centring, and what is learned of a covariate."""

from dataclasses import replace

import numpy as np
import pytest

from features.blocks import FeatureEncoder, learn_code, site_reference
from features.synthetic import simulate


@pytest.fixture(scope="module")
def design():
    return simulate(subjects=90, seed=2)[0].design("PHQ-9")


@pytest.fixture(scope="module")
def encoder(design):
    return FeatureEncoder(comparator="placebo").fit(design.frame())


def test_taking_rows_and_encoding_commute(design, encoder):
    rows = np.array([5, 1, 40])
    assert np.array_equal(encoder.encode(design.take(rows)).to_numpy(), encoder.encode(design).to_numpy()[rows])


def test_a_row_is_the_same_whoever_else_is_in_the_table(design, encoder):
    together = encoder.encode(design.take(np.array([7, 8, 9]))).to_numpy()[0]
    alone = encoder.encode(design.take(np.array([7]))).to_numpy()[0]
    assert together.tobytes() == alone.tobytes()


def test_held_out_people_do_not_change_what_is_learned(design):
    train = design.take(np.arange(60))
    first = FeatureEncoder(comparator="placebo").fit(train.frame()).encoding_
    assert (
        first.genus_scale.tobytes()
        == FeatureEncoder(comparator="placebo").fit(train.frame()).encoding_.genus_scale.tobytes()
    )
    assert not np.array_equal(
        first.genus_centres, FeatureEncoder(comparator="placebo").fit(design.frame()).encoding_.genus_centres
    )


def test_the_frame_and_the_design_are_encoded_alike(design, encoder):
    assert encoder.transform(design.frame()).equals(encoder.encode(design))


def test_clr_of_four_taxa_by_hand():
    from dataclasses import replace

    base = simulate(subjects=20, seed=0)[0].design("PHQ-9")
    counts = np.tile([10.0, 20.0, 40.0, 5.0], (20, 1)) + np.arange(20)[:, None]
    tiny = replace(base, genera=("F|a", "F|b", "F|c", "G|d"), abundance=counts)
    genus, family = FeatureEncoder(comparator="placebo").fit(tiny.frame()).encoding_.log_ratios(tiny)
    logs = np.log(counts[0] + 0.5)
    assert genus[0] == pytest.approx(logs - logs.mean())
    assert family[0] == pytest.approx(np.log([70.5, 5.5]) - logs.mean())


def test_unseen_taxa_are_pooled_and_absent_ones_are_zero(design, encoder):
    from dataclasses import replace

    own = encoder.encoding_
    strange = replace(
        design.take(np.array([0])), genera=("X|Neverseen", design.genera[0]), abundance=np.array([[30.0, 10.0]])
    )
    assert own.unseen_share(strange)[0] == pytest.approx(0.75)
    assert own.aligned(strange).sum() == 10.0


def test_a_person_without_stool_is_neutral(design, encoder):
    from dataclasses import replace

    bare = replace(design, stool=np.zeros(len(design), dtype=bool))
    encoded = encoder.encode(bare)
    taxa = [c for c in encoded if c.split(":")[0] in ("abundant", "rare", "family")]
    assert (encoded[taxa] == 0).all().all()


def test_studies_are_centred_and_an_unseen_one_on_itself():
    design = simulate(subjects=240, seed=3, studies=3)[0].design("PHQ-9")
    encoder = FeatureEncoder(comparator="placebo").fit(design.frame())
    taxa = [c for c in encoder.feature_names_ if c.startswith("abundant:")]
    own = encoder.encode(design)[taxa]
    for study in set(design.study):
        assert np.abs(own[design.study == study].mean()).max() < 0.15
    fresh = simulate(subjects=60, seed=3, studies=2, population=1)[0].design("PHQ-9")
    one = fresh.take(np.flatnonzero(fresh.study == fresh.study[0]))
    reference = site_reference(encoder.encoding_, one, "new")
    blind, centred = (
        encoder.encode(one)[taxa].mean().abs().mean(),
        encoder.encode(one, reference)[taxa].mean().abs().mean(),
    )
    assert centred < 0.5 * blind
    assert site_reference(encoder.encoding_, one.take(np.arange(19)), "small") is None


@pytest.mark.parametrize(
    ("cells", "kind", "columns"),
    [
        ([1.0, 2.0, 3.0, 4.0, None, None, None, 5.0], "numeric", ["x", "x missing"]),
        ([0.5, "<0.5", 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], "numeric", ["x"]),
        (["a", "a", "a", "b", "b", "b", "c", None], "categorical", ["x=a", "x=b"]),
    ],
)
def test_a_columns_type_is_learned(cells, kind, columns):
    code = learn_code("x", np.array(cells, dtype=object))
    assert (code.kind, code.columns) == (kind, columns)
    assert np.isfinite(code.encode(np.array(["never seen", None, 1e9], dtype=object))).all()


@pytest.mark.parametrize("cells", [[1.0] * 10, ["a"] * 10, [None] * 10, [1.0, 2.0] + [None] * 8])
def test_a_column_that_says_nothing_is_left_out(cells):
    assert learn_code("x", np.array(cells, dtype=object)) is None


@pytest.mark.parametrize("column", [None, "all alike", "two kinds"])
def test_a_cohort_without_a_number_in_its_lifestyle_is_encoded(design, column):
    kinds = {"all alike": ["x"] * len(design), "two kinds": ["x", "y"] * (len(design) // 2) + ["x"] * (len(design) % 2)}
    told = {} if column is None else {"habit": np.array(kinds[column], dtype=object)}
    bare = replace(design, covariates=told)
    encoder = FeatureEncoder(comparator="placebo").fit(bare.frame())
    life = [name for name in encoder.encode(bare).columns if name.startswith("life:")]
    assert len(life) == (2 if column == "two kinds" else 0)


def test_a_blank_is_missing_never_zero(encoder):
    code = next(code for code in encoder.encoding_.covariates if code.name == "fibre_g_day")
    blank, nought = code.encode(np.array([None, 0.0], dtype=object))
    assert blank[0] == 0.0
    assert nought[0] < -1.0


def test_a_larger_cohort_learns_steps_in_lifestyle_and_a_smaller_one_none():
    large = simulate(subjects=620, seed=9)[0].design("PHQ-9")
    learned = FeatureEncoder().fit(large.frame())
    names = learned.encoding_.names()["step"]
    assert "step" not in FeatureEncoder().fit(large.take(np.arange(599)).frame()).encoding_.names()
    assert sum(name.startswith("sleep_h above") for name in names) in (
        3,
        4,
    )  # quintiles of hours in tenths; ties may meet
    assert not any(name.startswith(("sex", "sleep_h^2", "sleep_h missing")) for name in names)
    sleep = np.array([x if isinstance(x, float) else np.nan for x in large.covariates["sleep_h"]])
    column = learned.encode(large)[f"step:{next(n for n in names if n.startswith('sleep_h above'))}"].to_numpy()
    above, below = sleep[column > 0], sleep[column < 0]
    assert np.nanmin(above) > np.nanmax(below)
    assert (column > 0).mean() == pytest.approx(0.8, abs=0.03)
    assert column.mean() == pytest.approx(0.0, abs=1e-9)
    assert column.std() == pytest.approx(1.0)


def test_squares_and_blanks_of_lifestyle_are_blocks_of_their_own_and_were_not_always(design, encoder):
    encoding = encoder.encoding_
    names, parts = encoding.names(), encoding.blocks(design)
    assert names["bend"] == ["sleep_h^2"]
    assert "smoking missing" in names["blank"]
    assert {"sleep_h", "sex=female"} <= set(names["life"])
    assert not any(name.endswith(("^2", "missing")) for name in names["life"])
    before = replace(encoding, apart=False)  # as bundles of an earlier Vagus have it
    whole, columns = before.blocks(design)["life"], before.names()["life"]
    assert "bend" not in before.names()
    assert sorted(columns) == sorted(names["life"] + names["bend"] + names["blank"])
    for block in ("life", "bend", "blank"):
        assert np.array_equal(parts[block], whole[:, [columns.index(name) for name in names[block]]])


def test_a_square_and_a_blank_by_hand():
    base = simulate(subjects=40, seed=0)[0].design("PHQ-9")
    hours = np.array([6.0, 8.0, None, 7.0] * 10, dtype=object)
    design = replace(base, covariates={"sleep_h": hours})
    parts = FeatureEncoder(comparator="placebo").fit(design.frame()).encoding_.blocks(design)
    z = np.array([-1.0, 1.0, 0.0, 0.0]) * np.sqrt(3 / 2)  # sd of 6, 7 and 8
    assert parts["life"][:4, 0] == pytest.approx(z)
    assert parts["bend"][:4, 0] == pytest.approx([0.5, 0.5, 0.0, -1.0])
    assert parts["blank"][:4, 0].tolist() == [0.0, 0.0, 1.0, 0.0]
