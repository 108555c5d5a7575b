"""What would make a model look better than it is, looked for before anything is fitted.

Each check reads the posed problem and returns what it found; any finding stops training (exit 3) with the column and the
line to add or the row to mend. A check can be wrong about a column: the remedy then is to declare it in cohort.toml, and
the declaration stands in the record.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata, spearmanr

from features.cohort import Cohort
from features.counts import Array
from features.errors import Problem, Refused
from training import problem as posed

COPY = 0.98  # rank correlation from which a column is a near-copy of the outcome
ASKED = 0.85  # area under the curve from which who has a value tells the class
ALIGNED = 0.9  # share of the outcome's variance that a batch (or arm) may explain at most
_DATED = re.compile(
    r"(^|_)((week|wk|visit|month|day|time|timepoint|session|follow_?up|fu|post)_?m?\d+|[wvtmd]m?\d{1,3}"
    r"|follow_?up|endpoint|end_of_(study|treatment)|post_treatment|final)(_|$)", re.I,
)  # fmt: skip
BATCH = re.compile(r"batch|plate|run|lane|kit|region|centre|center|sequenc|extraction|(^|_)site($|_)", re.I)

Check = Callable[[Cohort, posed.Problem], list[Problem]]


def find_leaks(cohort: Cohort, problem: posed.Problem) -> list[Problem]:
    """Return everything found, in the order of CHECKS."""
    return [leak for check in CHECKS for leak in check(cohort, problem)]


def refuse_leaks(cohort: Cohort, problem: posed.Problem) -> None:
    """Raise Refused with all findings when there are any."""
    found = find_leaks(cohort, problem)
    if found:
        raise Refused(found[0].code, "leak: training stopped before any fit\n" + "\n".join(str(leak) for leak in found))


def _declare(name: str) -> str:
    return f'If it was measured at baseline add to cohort.toml: [columns."{name}"] role = "baseline"; if later: role = "post_baseline"'


def _dated_columns(cohort: Cohort, problem: posed.Problem) -> list[Problem]:
    """A name is no proof of timing: a week, visit or follow-up number must be declared."""
    names = [name for name in cohort.covariate_names() if _DATED.search(name) and name not in cohort.info.columns]
    return [Problem("undeclared_dated_column", "the name of this column carries a time and its timing is not declared",
                    _declare(name), "lifestyle.tsv", None, name) for name in names]  # fmt: skip


def _outcome_copies(cohort: Cohort, problem: posed.Problem) -> list[Problem]:
    """A feature that is the follow-up score, the change, or a rescaled copy of either."""
    found = []
    targets = [problem.y] + ([problem.design.follow_up] if problem.task == "change" else [])
    for name, column in problem.design.covariates.items():
        values = np.array([value if isinstance(value, float) else np.nan for value in column])
        if any(_copies(values, target) for target in targets):
            found.append(
                Problem(
                    "outcome_among_features",
                    "this feature is a near-copy of the outcome",
                    _declare(name),
                    "lifestyle.tsv",
                    None,
                    name,
                )
            )
    return found


def _copies(values: Array, target: Array) -> bool:
    both = ~np.isnan(values) & ~np.isnan(target)
    if both.sum() < 8 or len(np.unique(values[both])) < 5 or np.ptp(target[both]) == 0:
        return False
    return bool(abs(float(spearmanr(values[both], target[both]).statistic)) >= COPY)


def _tells_the_class(cohort: Cohort, problem: posed.Problem) -> list[Problem]:
    """Of a label: a feature that separates the classes by its values, or by who has a value at all (asked of cases only)."""
    found = []
    for name, column in problem.design.covariates.items() if problem.task == "label" else ():
        numbers = np.array([value if isinstance(value, float) else np.nan for value in column])
        present = np.array([value is not None for value in column])
        texts = np.array([str(value) for value in column])[present]
        parts = not np.isfinite(numbers).any() and _explains(texts, problem.y[present])
        if parts or _separates(numbers, problem.y, COPY) or _separates(present.astype(float), problem.y, ASKED):
            found.append(Problem("outcome_among_features", "this feature all but tells the class, by its values or by who has one",
                                 f'If it follows from the diagnosis add to cohort.toml: [columns."{name}"] role = "ignore"',
                                 "lifestyle.tsv", None, name))  # fmt: skip
    return found


def _separates(values: Array, y: Array, least: float) -> bool:
    """Return whether numbers rank one class above the other: area under the curve of at least `least`, either way round."""
    known = ~np.isnan(values)
    y = y[known]
    if known.sum() < 8 or len(np.unique(y)) < 2:
        return False
    rank = rankdata(values[known])
    area = 0.5 + float(rank[y == 1].mean() - rank[y == 0].mean()) / len(y)
    return max(area, 1.0 - area) >= least


def _scaled_columns(cohort: Cohort, problem: posed.Problem) -> list[Problem]:
    """Several columns with mean 0 and sd 1 to many digits: scaled over all people, held-out ones included."""
    scaled = [
        name for name, column in cohort.lifestyle.items() if name in problem.design.covariates and _standardised(column)
    ]
    return [Problem("scaled_before_split", "this column has mean 0 and sd 1 over all rows: it was scaled before the split",
                    "Give the raw values; Vagus scales inside the folds", "lifestyle.tsv", None, name) for name in scaled]  # fmt: skip


def _standardised(column: npt.NDArray[np.object_]) -> bool:
    values = np.array([value for value in column if isinstance(value, float)])
    if len(values) < 10 or len(np.unique(values)) < 5:
        return False
    spreads = [abs(float(values.std(ddof=d)) - 1.0) for d in (0, 1)]
    return bool(abs(float(values.mean())) < 1e-6 and min(spreads) < 1e-6)


def _batch_is_outcome(cohort: Cohort, problem: posed.Problem) -> list[Problem]:
    """A batch that tells the outcome: the taxa will carry the batch, and the model will seem to see the outcome."""
    at = {sample: i for i, sample in enumerate(cohort.samples["sample_id"])}
    rows = [at.get(sample, -1) for sample in problem.design.sample]
    found = []
    for name, column in cohort.samples.items():
        if BATCH.search(name) and _explains(
            np.array([str(column[i]) if i >= 0 else "" for i in rows]), _first_rows(problem)
        ):
            found.append(Problem("batch_is_outcome", "this batch column all but determines the outcome",
                                 "Re-sequence across batches; such a cohort cannot show what the microbiome tells", "samples.tsv", None, name))  # fmt: skip
    return found


def _first_rows(problem: posed.Problem) -> Array:
    """Return the outcome as ranks, so that one extreme value does not hide an alignment."""
    return np.asarray(rankdata(problem.y), dtype=float)


def _explains(labels: npt.NDArray[np.str_], y: Array) -> bool:
    """Return whether groups of at least 3 rows on average explain the outcome (correlation ratio, adjusted)."""
    names, index = np.unique(labels, return_inverse=True)
    if len(names) < 2 or len(y) < 3 * len(names):
        return False
    means = np.bincount(index, weights=y) / np.bincount(index)
    within = float(((y - means[index]) ** 2).sum()) / (len(y) - len(names))
    return bool(1.0 - within / max(float(np.var(y, ddof=1)), 1e-300) >= _needed(y))


def _needed(y: Array) -> float:
    """For an outcome of two values alignment must be nearly perfect; ranks of a score lose a little within a group."""
    return ALIGNED if len(np.unique(y)) == 2 else 0.7


def _arm_after_outcome(cohort: Cohort, problem: posed.Problem) -> list[Problem]:
    """An arm that was only known after follow-up: declared so, or all but determined by the outcome."""
    info = cohort.info.columns.get("arm")
    start = np.nanmin(problem.design.baseline_time) if np.isfinite(problem.design.baseline_time).any() else 0.0
    late = info is not None and (info.role == "post_baseline" or (info.measured_at or -np.inf) > start)
    if late or _explains(problem.design.arm.astype(str), _first_rows(problem)):
        return [Problem("arm_after_follow_up", "the arm is declared as known after the baseline, or all but determines the outcome",
                        "Use the arm that was assigned at baseline", "samples.tsv", None, "arm")]  # fmt: skip
    return []


def _twins(cohort: Cohort, problem: posed.Problem) -> list[Problem]:
    """Two subjects with one and the same stool table or one and the same answers: a person entered twice."""
    design = problem.design
    people = design.subject.astype(str)
    life = [tuple(column) for column in design.covariates.values() if len(set(column.tolist())) > 5]
    answers = [
        key if sum(value is not None for value in key) >= 3 else None
        for key in zip(design.baseline.tolist(), design.follow_up.tolist(), *life, strict=True)
    ]
    stool = [row.tobytes() if has else None for row, has in zip(design.abundance, design.stool, strict=True)]
    found = []
    tables: dict[str, Sequence[object]] = {"stool table": stool, "answers": answers if len(life) >= 3 else []}
    for what, keys in tables.items():
        rows = _shared_between(keys, people)
        if rows:
            found.append(Problem("duplicate_subject", f"rows of different subjects have the same {what} (rows {rows} of this instrument's outcomes)",
                                 "Give a person one subject_id, and a sample one sample_id", "outcomes.tsv", None, "subject_id"))  # fmt: skip
    return found


def _shared_between(keys: Sequence[object], people: npt.NDArray[np.str_]) -> str:
    first: dict[object, int] = {}
    for i, key in enumerate(keys):
        if key is not None and first.setdefault(key, i) != i and people[first[key]] != people[i]:
            return f"{first[key] + 1} and {i + 1}"
    return ""


def _selected_outside(cohort: Cohort, problem: posed.Problem) -> list[Problem]:
    """A small table in which most taxa go with the outcome: they were chosen by it, on the people held out later."""
    design = problem.design
    prevalent = np.flatnonzero((design.abundance > 0).sum(axis=0) >= 0.2 * max(len(design), 1))
    if len(prevalent) < 8 or len(design) < 20:
        return []
    share = design.abundance / np.maximum(design.abundance.sum(axis=1, keepdims=True), 1e-300)
    p = np.array([spearmanr(share[:, j], problem.y).pvalue for j in prevalent])
    if (p < 0.05).mean() <= 0.6:
        return []
    return [Problem("selected_outside_folds", "most taxa of this table go with the outcome: they look chosen by it before the split",
                    "Give the whole table; Vagus selects inside the folds", "counts.tsv.gz")]  # fmt: skip


CHECKS: tuple[Check, ...] = (
    _dated_columns, _outcome_copies, _tells_the_class, _scaled_columns, _batch_is_outcome, _arm_after_outcome, _twins, _selected_outside,
)  # fmt: skip
