"""Alpha diversity against scikit-bio on random tables, and by hand."""

import numpy as np
import pytest
from skbio.diversity import alpha as reference

from features.counts import Counts
from features.diversity import INDICES, OF_ANY_UNIT, alpha_diversity, row_diversity
from features.errors import Refused

THEIRS = {
    "shannon": lambda x: reference.shannon(x, base=np.e),
    "simpson": reference.simpson,
    "inverse_simpson": reference.inv_simpson,
    "pielou": lambda x: reference.pielou_e(x, base=np.e),
    "observed": reference.sobs,
    "berger_parker": reference.berger_parker_d,
    "chao1": reference.chao1,
    "goods_coverage": reference.goods_coverage,
}


def _counts(table, unit="counts"):
    row, column = np.nonzero(table)
    samples, taxa = (tuple(f"{what}{i:05d}" for i in range(n)) for what, n in zip("st", table.shape, strict=True))
    return Counts.of(samples, taxa, (row, column, table[row, column]), unit)


@pytest.mark.parametrize("seed", range(50))
def test_every_index_equals_scikit_bio(seed):
    rng = np.random.default_rng(seed)
    table = rng.poisson(rng.lognormal(0.0, 1.5, size=(12, 80)) * (rng.uniform(size=(12, 80)) < 0.5))
    table[:, :2] = [1, 2]
    found = alpha_diversity(_counts(table), tuple(INDICES))
    for name, theirs in THEIRS.items():
        assert found[name] == pytest.approx([theirs(row) for row in table], rel=1e-9, abs=1e-12), name


def test_proportions_give_the_same_where_depth_does_not_count():
    table = np.random.default_rng(1).poisson(2.0, size=(5, 30)).astype(float)
    shares = table / table.sum(axis=1, keepdims=True)
    counts, proportions = alpha_diversity(_counts(table)), alpha_diversity(_counts(shares, "proportion"))
    for name in OF_ANY_UNIT:
        assert proportions[name] == pytest.approx(counts[name], rel=1e-9)


def test_by_hand():
    found = alpha_diversity(_counts(np.array([[2, 1, 1, 0]])), tuple(INDICES))
    expected = {
        "shannon": 1.5 * np.log(2), "simpson": 1 - 6 / 16, "inverse_simpson": 16 / 6, "pielou": 1.5 * np.log(2) / np.log(3),
        "observed": 3.0, "berger_parker": 0.5, "chao1": 3 + 2 * 1 / (2 * 2), "goods_coverage": 0.5,
    }  # fmt: skip
    assert {name: value[0] for name, value in found.items()} == pytest.approx(expected)


@pytest.mark.parametrize("name", ["chao1", "goods_coverage"])
def test_indices_of_reads_are_refused_on_shares_and_on_denoised_tables(name):
    with pytest.raises(Refused, match="counts of reads"):
        alpha_diversity(_counts(np.array([[0.5, 0.5]]), "proportion"), (name,))
    with pytest.raises(Refused, match="seen once"):
        alpha_diversity(_counts(np.array([[5, 2], [3, 9]])), (name,))


def test_an_empty_sample_and_a_single_taxon_have_no_made_up_values():
    found = alpha_diversity(_counts(np.array([[0, 0, 0], [0, 7, 0], [1, 1, 0]])))
    assert found["observed"].tolist() == [0.0, 1.0, 2.0]
    assert np.isnan(found["shannon"][0])
    assert found["shannon"][1] == 0.0
    assert np.isnan(found["pielou"][:2]).all()


def test_a_row_alone_gives_the_same_bits_as_in_a_table():
    table = np.random.default_rng(3).poisson(0.8, size=(700, 60)).astype(float)
    table[:, 0] = 1
    counts = _counts(table)
    together = row_diversity(counts.indptr, counts.data, tuple(INDICES))
    for i in (0, 255, 256, 699):
        alone = _counts(table[[i]])
        found = row_diversity(alone.indptr, alone.data, tuple(INDICES))
        assert {name: value[0] for name, value in found.items()} == {name: v[i] for name, v in together.items()}
