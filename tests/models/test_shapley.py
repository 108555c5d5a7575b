"""Shapley values of small trees: against enumeration of all sets of known columns, and by hand."""

from itertools import chain, combinations
from math import factorial

import numpy as np
import pytest

from models.shapley import MOST_QUESTIONS, Trees, answers_of, shapley, small


def _tree(rng, questions, columns):
    """A random tree grown at random leaves: feature, threshold, left, right, value and cover as lists."""
    feature, threshold, left, right, value, cover = [-1], [0.0], [0], [0], [0.0], [float(rng.integers(200, 400))]
    for _ in range(questions):
        node = int(rng.choice([at for at, column in enumerate(feature) if column < 0 and cover[at] > 1]))
        feature[node], threshold[node] = int(rng.integers(columns)), float(rng.normal())
        left[node], right[node] = len(feature), len(feature) + 1
        goes = float(rng.integers(1, int(cover[node])))
        for people in (goes, cover[node] - goes):
            feature.append(-1), threshold.append(0.0), left.append(0), right.append(0)
            value.append(0.0), cover.append(people)
    value = [float(rng.normal()) if column < 0 else 0.0 for column in feature]
    return tuple(map(np.array, (feature, threshold, left, right, value, cover)))


def _mean(tree, x, known, node=0):
    """The tree's value where only the `known` columns of x are: a mean over the training people elsewhere."""
    feature, threshold, left, right, value, cover = tree
    if feature[node] < 0:
        return value[node]
    if feature[node] in known:
        return _mean(tree, x, known, left[node] if x[feature[node]] < threshold[node] else right[node])
    return sum(cover[child] * _mean(tree, x, known, child) for child in (left[node], right[node])) / cover[node]


def _enumerated(tree, x):
    p = len(x)
    found = np.zeros(p)
    for i in range(p):
        others = [j for j in range(p) if j != i]
        for known in chain.from_iterable(combinations(others, size) for size in range(p)):
            weight = factorial(len(known)) * factorial(p - len(known) - 1) / factorial(p)
            found[i] += weight * (_mean(tree, x, {*known, i}) - _mean(tree, x, set(known)))
    return found


def _looked_up(tree, x):
    feature, threshold, left, right, value, cover = tree
    answers = answers_of(Trees(np.array([0]), feature, left, right, value, cover))
    nodes = answers.questions[0]
    pattern = sum(int(x[feature[node]] < threshold[node]) << bit for bit, node in enumerate(nodes))
    found = np.zeros(len(x))
    np.add.at(found, feature[nodes], answers.points[pattern])
    return found, value[answers.leaf[pattern]]


@pytest.mark.parametrize("questions", range(1, MOST_QUESTIONS + 1))
@pytest.mark.parametrize("columns", [2, 5])
def test_they_are_those_of_all_sets_of_known_columns(questions, columns):
    rng = np.random.default_rng([questions, columns])
    for _ in range(6):
        tree, x = _tree(rng, questions, columns), rng.normal(size=columns)
        points, value = _looked_up(tree, x)
        assert points == pytest.approx(_enumerated(tree, x), abs=1e-12)
        assert value == _mean(tree, x, set(range(columns)))


def test_one_question_by_hand():
    # 30 of 40 training people go left to -2, the others right to 6: their mean is 0.
    tree = [
        np.array(part) for part in ([0, -1, -1], [1.5, 0, 0], [1, 0, 0], [2, 0, 0], [0, -2.0, 6.0], [40.0, 30.0, 10.0])
    ]
    assert _looked_up(tree, [1.0])[0].tolist() == pytest.approx([-2.0])
    assert _looked_up(tree, [1.5])[0].tolist() == pytest.approx([6.0])


def test_two_columns_that_only_matter_together_share_alike():
    found = shapley(np.array([[True, True]]), np.array([[0.5, 0.5]]), np.array([8.0]))
    assert found.tolist() == [[pytest.approx(3.0), pytest.approx(3.0)]]  # 8 here, a mean of 2 in training


def test_a_tree_of_one_leaf_has_no_points():
    alone = Trees(np.array([0]), *(np.array([part]) for part in (-1, 0, 0, 4.0, 9.0)))
    answers = answers_of(alone)
    assert not answers.points.any()
    assert answers.leaf.tolist() == [0, 0]


def test_small_counts_questions_tree_by_tree():
    rng = np.random.default_rng(0)
    most, more = _tree(rng, MOST_QUESTIONS, 3)[0], _tree(rng, MOST_QUESTIONS + 1, 3)[0]
    assert small(np.array([0, len(most)]), np.concatenate([most, most]))
    assert not small(np.array([0, len(most)]), np.concatenate([most, more]))
