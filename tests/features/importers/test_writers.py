"""Tables written in every form read back as they were, and give the same bytes each time."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.importers.folder import ACCEPTABLE, check_cohort, read_cohort, write_cohort
from features.importers.writers import WRITERS, cell_text

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data"


@pytest.mark.parametrize(
    ("cell", "text"), [(None, ""), (3.0, "3"), (0.1 + 0.2, "0.30000000000000004"), (1e300, "1e+300"), ("a", "a")]
)
def test_cells_as_text(cell, text):
    assert cell_text(cell) == text
    assert not text or isinstance(cell, str) or float(text) == cell


@pytest.mark.parametrize("form", WRITERS)
def test_a_round_trip_loses_nothing(folder, tmp_path, form):
    cohort = read_cohort(folder)
    odd = np.array([0.1 + 0.2, None], dtype=object)
    mixed = np.array(["<0.5", 2.5], dtype=object)
    cohort = replace(cohort, lifestyle={**cohort.lifestyle, "crp": odd, "mixed": mixed})
    for name in ("one", "two"):
        write_cohort(cohort, tmp_path / name, form=form)
    assert check_cohort(tmp_path / "one") == []
    assert read_cohort(tmp_path / "one").digest == cohort.digest
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


@pytest.mark.parametrize("form", WRITERS)
def test_a_cohort_without_stool_or_outcomes_makes_the_trip_too(folder, tmp_path, form):
    cohort = read_cohort(folder)
    bare = replace(cohort, counts=None, outcomes={name: column[:0] for name, column in cohort.outcomes.items()})
    write_cohort(bare, tmp_path / "out", form=form)
    assert read_cohort(tmp_path / "out").digest == bare.digest


def test_a_broken_biom_is_a_problem_of_the_folder(folder, tmp_path):
    write_cohort(read_cohort(folder), tmp_path / "out", form="biom")
    (tmp_path / "out" / "counts.biom").write_bytes(b"\x89HDF broken")
    assert [problem.code for problem in check_cohort(tmp_path / "out")] == ["unreadable_file"]


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared cohorts are not here")
@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize("name", ["fefifo_wastyk_2021", "ihmp_ibdmdb_2019", "micropouch_fmt_2024"])
def test_real_cohorts_make_the_trip(name, form, tmp_path):
    cohort = read_cohort(SHARED / name, accept=ACCEPTABLE)
    write_cohort(cohort, tmp_path / "out", form=form)
    assert read_cohort(tmp_path / "out", accept=ACCEPTABLE).digest == cohort.digest
