"""Sparse log-ratios and zero replacement against the dense formulae and scikit-bio."""

import numpy as np
import pytest
from skbio.stats.composition import clr as dense_clr
from skbio.stats.composition import multi_replace

from features.composition import clr, plus_pseudo, replaced_zeros
from features.counts import Counts
from features.errors import Refused


def _counts(table, unit="counts"):
    row, column = np.nonzero(table)
    samples, taxa = (tuple(f"{what}{i:05d}" for i in range(n)) for what, n in zip("st", table.shape, strict=True))
    return Counts.of(samples, taxa, (row, column, table[row, column]), unit)


@pytest.fixture(params=[(20, 50), (1200, 1500)], ids=["small", "looked up"])
def table(request):
    rng = np.random.default_rng(2)
    found = rng.poisson(rng.lognormal(1.0, 1.5, size=request.param) * (rng.uniform(size=request.param) < 0.7))
    found[:, 0] += 1
    return found


def test_log_ratios_after_a_pseudo_count(table):
    assert clr(plus_pseudo(_counts(table), 0.5)).dense() == pytest.approx(dense_clr(table + 0.5), abs=1e-9)


def test_zero_replacement_and_its_log_ratios(table):
    found = replaced_zeros(_counts(table))
    theirs = multi_replace(table)
    assert found.dense() == pytest.approx(theirs, rel=1e-9)
    assert clr(found).dense() == pytest.approx(dense_clr(theirs), abs=1e-8)


def test_by_hand():
    found = replaced_zeros(_counts(np.array([[3, 0, 1, 0]])), delta=0.1)
    assert found.dense().tolist() == [pytest.approx([0.6, 0.1, 0.2, 0.1])]
    ratios = clr(plus_pseudo(_counts(np.array([[7, 0]])), 1.0)).dense()
    assert ratios.tolist() == [pytest.approx([np.log(8) / 2, -np.log(8) / 2])]


@pytest.mark.parametrize(("table", "delta"), [([[0, 0], [1, 2]], None), ([[1, 0, 0]], 0.5)])
def test_what_cannot_be_replaced_is_refused(table, delta):
    with pytest.raises(Refused, match="zeros replaced"):
        replaced_zeros(_counts(np.array(table)), delta)
