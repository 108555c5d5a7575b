"""A distance from a named reference cohort, or a reason why there is none."""

import numpy as np
import pytest

from features.counts import Counts
from features.dysbiosis import dysbiosis, learn_reference
from features.errors import InvalidInput

GENERA = ("g__Blautia", "g__Roseburia", "g__Dialister", "g__Alistipes")


def _counts(table, unit="counts", names=GENERA):
    table = np.asarray(table, dtype=float)
    row, column = np.nonzero(table)
    return Counts.of(tuple(f"s{i}" for i in range(len(table))), names, (row, column, table[row, column]), unit)


@pytest.fixture
def healthy():
    return np.random.default_rng(8).poisson([40, 20, 10, 2], size=(60, 4)) + np.array([1, 0, 0, 0])


def test_the_distance_is_aitchisons_from_the_centre(healthy):
    reference = learn_reference(_counts(healthy), "town 2020")
    logs = np.log(healthy[:, [3, 0, 2, 1]] + 0.5)  # genera are sorted by name
    ratios = logs - logs.mean(axis=1, keepdims=True)
    found = dysbiosis(_counts(healthy), reference)
    expected = np.sqrt(((ratios - ratios.mean(axis=0)) ** 2).sum(axis=1))
    assert [one.distance for one in found] == pytest.approx(expected)
    assert max(one.percentile for one in found) == 100.0
    assert {one.name for one in found} == {"town 2020"}


def test_shares_are_compared_with_shares(healthy):
    shares = healthy / healthy.sum(axis=1, keepdims=True)
    reference = learn_reference(_counts(shares, "proportion"), "town")
    (odd,) = dysbiosis(_counts([[0.0, 0.0, 0.1, 0.9]], "proportion"), reference)
    assert odd.percentile == 100.0
    assert dysbiosis(_counts(healthy), reference)[0].reason == "other_unit"


def test_two_references_give_two_labelled_values_and_none_gives_none(healthy):
    sample = _counts(healthy[:1])
    town, village = (
        learn_reference(_counts(table), name) for table, name in ((healthy, "town"), (healthy[:, ::-1] + 1, "village"))
    )
    a, b = dysbiosis(sample, town)[0], dysbiosis(sample, village)[0]
    assert (a.name, b.name) == ("town", "village")
    assert a.distance < b.distance
    assert dysbiosis(sample, None)[0].distance is None
    assert dysbiosis(sample, None)[0].reason == "no_reference"


def test_a_sample_mostly_of_unknown_taxa_is_not_answered(healthy):
    reference = learn_reference(_counts(healthy), "town")
    found = dysbiosis(_counts([[1, 9], [9, 1]], names=("g__Blautia", "g__Nova")), reference)
    assert [one.reason for one in found] == ["unknown_taxa", ""]


def test_a_reference_has_a_name_and_enough_samples(healthy):
    with pytest.raises(InvalidInput, match="no name"):
        learn_reference(_counts(healthy), "")
    with pytest.raises(InvalidInput, match="too few"):
        learn_reference(_counts(healthy[:5]), "town")
