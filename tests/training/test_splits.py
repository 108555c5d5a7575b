"""Folds by subject, always."""

import numpy as np
import pytest

from features.errors import InvalidInput, Refused
from training.splits import Split, by_group, by_study, digest, read_own, verify

PEOPLE = np.array([f"p{i // 3}" for i in range(90)], dtype=object)
Y = np.arange(90, dtype=float)


def test_no_subject_is_in_two_folds():
    split = by_group(PEOPLE, 5, seed=0, repeat=0, y=Y)
    verify(split, PEOPLE)
    assert sorted(np.bincount(split.fold)) == [18] * 5


def test_folds_are_balanced_in_the_outcome():
    split = by_group(PEOPLE, 5, seed=0, repeat=0, y=Y)
    means = [Y[split.fold == k].mean() for k in range(5)]
    assert np.ptp(means) < 12  # random folds of 6 people spread by about 60


def test_repeats_differ_and_seeds_repeat():
    first, again, other = (by_group(PEOPLE, 5, seed=0, repeat=r, y=Y).fold for r in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_cut_subject_is_refused():
    with pytest.raises(Refused, match="two folds") as caught:
        verify(Split(0, np.arange(90) % 5), PEOPLE)
    assert caught.value.code == "subject_in_two_folds"


def test_leave_one_study_out_holds_out_whole_studies():
    study = np.array(["b", "a", "b", "c"], dtype=object)
    assert by_study(study).fold.tolist() == [1, 0, 1, 2]


def test_every_row_is_held_out_once():
    split = by_group(PEOPLE, 4, seed=1, repeat=0, y=Y)
    held = np.concatenate([rows for _, _, rows in split.parts()])
    assert sorted(held) == list(range(90))
    for _, train, rows in split.parts():
        assert not set(PEOPLE[train]) & set(PEOPLE[rows])


def test_the_digest_tells_folds_apart():
    a, b = (by_group(PEOPLE, 5, seed=s, repeat=0, y=Y) for s in (0, 1))
    assert digest([a], PEOPLE) == digest([a], PEOPLE) != digest([b], PEOPLE)


def test_own_folds_must_name_everyone(tmp_path):
    from features.synthetic import simulate

    design = simulate(subjects=20, seed=0)[0].design("PHQ-9")
    path = tmp_path / "folds.tsv"
    path.write_text("subject_id\tfold\n" + "".join(f"{who}\t{i % 4}\n" for i, who in enumerate(design.subject)))
    assert np.array_equal(np.bincount(read_own(path, design).fold), [5, 5, 5, 5])
    path.write_text("subject_id\tfold\nnobody\t1\n")
    with pytest.raises(InvalidInput, match="20 rows have no fold"):
        read_own(path, design)
