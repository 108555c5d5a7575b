"""Modules from KO tables by the published rule, and lists of producers."""

import numpy as np
import pytest

from features.errors import InvalidInput
from features.gut_brain import log_ratio, module_scores, producers, read_modules
from features.nomenclature import canonical_genus

# The small example published with the mapper: one alternative per KO, five steps.
EXAMPLE = b"""MF9001\texample
K00844\tK00845
K01810\tK06859\tK13810\tK15916
K00850\tK16370
K01622\tK01623\tK01624\tK11645\tK16305\tK16306
K01803
///
"""
ABUNDANCE = {"K00844": 10, "K00845": 3, "K06859": 7, "K13810": 8, "K01622": 2, "K16370": 5, "K99999": 100}


def _table(**amounts):
    return {name: np.atleast_1d(np.asarray(value, dtype=float)) for name, value in amounts.items()}


@pytest.mark.parametrize(
    ("estimator", "normalised", "expected"),
    [("median", False, 6.5), ("median", True, 5.0), ("average", False, 6.25), ("average", True, 5.0)],
)
def test_the_published_example(estimator, normalised, expected):
    (module,) = read_modules(EXAMPLE).modules
    found, coverage = module_scores(module.steps, _table(**ABUNDANCE), 1, estimator=estimator, normalised=normalised)
    assert found.tolist() == [expected]
    assert coverage.tolist() == [0.8]


def test_many_samples_give_what_each_gives_alone():
    (module,) = read_modules(EXAMPLE).modules
    rng = np.random.default_rng(4)
    names = sorted({unit for step in module.steps for units in step for unit in units})
    table = {name: rng.poisson(1.0, 40) * rng.uniform(size=40) for name in names}
    together = module_scores(module.steps, table, 40)
    for i in range(40):
        alone = module_scores(module.steps, {name: column[[i]] for name, column in table.items()}, 1)
        assert [part[0] for part in alone] == [part[i] for part in together]


def test_the_best_path_is_found_without_listing_paths():
    """Against the rule as it is written: every path, highest coverage, ties by abundance."""
    from itertools import product

    rng = np.random.default_rng(9)
    for _ in range(200):
        steps = tuple(
            tuple(tuple(rng.choice(12, size=rng.integers(1, 4)).astype(str)) for _ in range(rng.integers(1, 4)))
            for _ in range(rng.integers(1, 5))
        )
        amounts = {str(k): float(value) for k, value in enumerate(rng.poisson(0.7, 12) * rng.integers(1, 9, 12))}
        paths = []
        for path in product(*steps):
            values = [np.mean([amounts[unit] for unit in units]) for units in path]
            seen = [value for value in values if value > 0]
            paths.append((len(seen) / len(steps), float(np.median(seen)) if seen else 0.0))
        found, coverage = module_scores(steps, _table(**amounts), 1)
        assert (coverage[0], pytest.approx(found[0])) == max(paths)


def test_one_subunit_is_enough_unless_strict():
    steps = ((("K00001", "K00002"),),)
    table = _table(K00001=6.0)
    assert [part.tolist() for part in module_scores(steps, table, 1)] == [[3.0], [1.0]]
    assert [part.tolist() for part in module_scores(steps, table, 1, strict=True)] == [[0.0], [0.0]]


def test_a_normalised_median_of_zero_becomes_the_smallest_step():
    steps = tuple(((name,),) for name in ("K00001", "K00002", "K00003"))
    assert module_scores(steps, _table(K00002=4.0), 1, normalised=True)[0].tolist() == [4.0]


def test_nothing_present_is_zero_and_covers_nothing():
    steps = ((("K00001",),), (("K00002",),))
    assert [part.tolist() for part in module_scores(steps, {}, 2)] == [[0.0, 0.0], [0.0, 0.0]]


def test_what_a_ko_table_can_see_of_a_module():
    text = b"A\tfull\nK00001\tCOG1\nK00002,COG2\n///\nB\thalf\nK00001\nCOG1\n///\nC\tnone\nTIGR1\n///\n"
    found = read_modules(text)
    assert [(m.id, m.name, m.reach, m.measurable) for m in found.modules] == [
        ("A", "full", 1.0, "measurable"), ("B", "half", 0.5, "capped"), ("C", "none", 0.0, "not measurable"),
    ]  # fmt: skip
    assert found.digest != read_modules(text + b"\n").digest


@pytest.mark.parametrize(
    "text", [b"", b"///\n", b"A\tname\n///\n", b"A\tx\nK00001\n///\nA\ty\nK00002\n///\n", b"\xff\xfe"]
)
def test_what_is_no_file_of_modules_is_refused(text):
    with pytest.raises(InvalidInput):
        read_modules(text)


def test_producers_are_canonical_names_with_a_version():
    found = producers()
    assert found.version == "1"
    assert set(found.genera) == {"acetate", "butyrate", "gaba", "propionate"}
    assert "Faecalibacterium" in found.genera["butyrate"]
    assert found.by_species["propionate"] == ("Coprococcus catus", "Roseburia inulinivorans")
    assert all(canonical_genus(name).name == name for genera in found.genera.values() for name in genera)


def test_a_ratio_of_nothing_to_nothing_is_null_with_a_reason():
    values, reasons = log_ratio(np.array([0.0, 0.0, 3.0]), np.array([0.0, 1.5, 0.0]), 0.5)
    assert np.isnan(values[0])
    assert values[1:].tolist() == pytest.approx([np.log(0.5 / 2.0), np.log(3.5 / 0.5)])
    assert reasons.tolist() == ["both_zero", "", ""]
