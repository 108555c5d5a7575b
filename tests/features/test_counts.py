"""Sums of a row's amounts: hand-computed, and the same bits alone, among others and beside columns of zeros."""

from __future__ import annotations

import numpy as np
import pytest

from features.counts import row_sums, summed_columns


def test_sums_by_hand():
    table = np.array([[1.0, 2.0, 4.0], [0.5, 0.0, 8.0]])
    assert row_sums(table).tolist() == [7.0, 8.5]
    assert summed_columns(table, np.array([1, 0, 1]), 3).tolist() == [[2.0, 5.0, 0.0], [0.0, 8.5, 0.0]]
    assert summed_columns(table, np.array([2, 0, 1]), 4).tolist() == [[2.0, 4.0, 1.0, 0.0], [0.0, 8.0, 0.5, 0.0]]
    assert row_sums(np.zeros((2, 0))).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("n", [2, 3, 8, 17, 100])
@pytest.mark.parametrize("width", [1, 7, 8, 129, 1000])
def test_a_row_has_the_same_sum_alone_among_others_and_beside_zeros(n, width):
    rng = np.random.default_rng(n * width)
    table = rng.random((n, width)) * 10.0 ** rng.uniform(-3, 6, (n, width))
    spread = np.zeros((n, 3 * width))
    spread[:, ::3] = table
    whole = row_sums(table)
    assert row_sums(spread).tobytes() == whole.tobytes()
    assert [row_sums(table[i : i + 1])[0] for i in range(n)] == whole.tolist()
    assert [sum(row) for row in table.tolist()] == whole.tolist()
