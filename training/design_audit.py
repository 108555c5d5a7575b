"""The design, looked at before any fit: what could make a good figure mean something else, and which validation it needs.

Associations are bias-corrected Cramer's V (Bergsma 2013, J Korean Stat Soc 42:323), one row per person, and count only
where a chi-squared test at 1 % agrees. A finding of level high makes a promotion gate fail; each names its remedy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2_contingency
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from features.blocks import learn_code
from features.cohort import Cohort
from training.assess import event_bar
from training.leaks import BATCH
from training.people import people_needed
from training.problem import Problem

Labels = npt.NDArray[np.str_]
LEVELS = ("low", "medium", "high")
MEDIUM, HIGH = 0.3, 0.6  # Cramer's V of a batch with the outcome's class
ARM_HIGH = 0.8  # of an arm with a batch: from there on the arm cannot be told from it
PREDICTED = (
    0.4,
    0.8,
)  # balanced accuracy above chance, as a share of what is left to perfect, of covariates telling a batch
SMALLEST = 10  # people a level of a batch needs to be counted
ASSUMED_R2 = 0.3  # what baseline, arm and lifestyle usually explain; only for the sample size before anything is known
EVENTS = 10  # events per candidate parameter below which a class is thin


@dataclass(frozen=True)
class Finding:
    """One look at the design: what was found (`figure`), how bad it is, and what to do."""

    code: str
    level: str
    figure: float | None
    says: str
    remedy: str


def audit(cohort: Cohort, problem: Problem, *, folds: int, repeats: int) -> dict[str, Any]:
    """Return the worst level, the validation scheme to be used, and every finding as JSON."""
    people = problem.take(np.sort(np.unique(problem.subjects.astype(str), return_index=True)[1]))
    found = [_repeats(problem), *_sample_size(people), *_alignments(cohort, people)]
    worst = max((LEVELS.index(one.level) for one in found), default=0)
    return {
        "level": LEVELS[worst],
        "scheme": _scheme(problem, folds, repeats),
        "findings": [vars(one) for one in found],
    }


def lines(found: Mapping[str, Any]) -> list[str]:
    """Return the audit as lines for a terminal: the scheme, then whatever is not low."""
    said = [f"design: risk {found['level']}; {found['scheme']}"]
    return said + [
        f"  {f['level']} {f['code']}: {f['says']}. {f['remedy']}" for f in found["findings"] if f["level"] != "low"
    ]


def high(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the codes of the findings of level high."""
    return tuple(one["code"] for one in found["findings"] if one["level"] == "high")


def _scheme(problem: Problem, folds: int, repeats: int) -> str:
    studies = len(set(problem.design.study.tolist()))
    whole = f", and each of {studies} studies left out whole" if studies > 1 else ""
    return f"nested cross-validation, {folds} outer folds by subject drawn {repeats} times{whole}"


def _repeats(problem: Problem) -> Finding:
    most = int(np.unique(problem.subjects.astype(str), return_counts=True)[1].max())
    says = f"{len(problem.y)} rows of {problem.people} people, at most {most} of one person"
    remedy = "Nothing to do" if most == 1 else "Nothing to do: folds, intervals and bootstrap are by person"
    return Finding("repeated_measures", "low", float(most), says, remedy)


def _sample_size(people: Problem) -> list[Finding]:
    """People against the parameters of the pre-specified covariates model, and events against them for the response."""
    design, n = people.design, len(people.y)
    codes = [code for name, column in design.covariates.items() if (code := learn_code(name, column))]
    parameters = 1 + max(len(set(design.arm.tolist())) - 1, 0) + sum(len(code.columns) for code in codes)
    needed = people_needed(parameters, ASSUMED_R2) or 0
    says = f"{n} people for {parameters} parameters of baseline, arm and lifestyle; an unpenalised model would need {needed} at R2 {ASSUMED_R2}"
    remedy = "Read intervals rather than estimates; `vagus learning-curve` tells how many more people would help"
    found = [Finding("sample_size", "medium" if n < needed else "low", n / parameters, says, remedy)]
    happened = _class(people)
    if happened is None:
        return found
    events = int(min((happened == name).sum() for name in ("yes", "no")))
    thin = events < EVENTS * parameters
    says = (
        f"the rarer class of the outcome holds {events / parameters:.1f} people per parameter (usual: {EVENTS} or more)"
    )
    return [*found, Finding("events_per_parameter", "medium" if thin else "low", events / parameters, says,
                            "Read the response probabilities with their calibration slope and its interval")]  # fmt: skip


def _alignments(cohort: Cohort, people: Problem) -> list[Finding]:
    """Arm and outcome's class against every batch column and the study, and covariates telling the batch."""
    arm, outcome = people.design.arm.astype(str), _class(people, halves=True)
    found = [] if outcome is None else [_against_outcome("arm", arm, outcome, "arm_aligned_with_outcome")]
    if cohort.info.randomised:  # then it is an effect
        found = [replace(one, level=min(one.level, "medium", key=LEVELS.index)) for one in found]
    for name, batch in _batches(cohort, people).items():
        v = cramers_v(arm, batch)
        remedy = f"Give every arm in every {name}, or analyse within {name}; otherwise an effect of one cannot be told from the other"
        level = "high" if v >= ARM_HIGH else "medium" if v >= MEDIUM else "low"
        found.append(Finding("arm_aligned_with_batch", level, v, f"arm and {name}: Cramer's V {v:.2f}", remedy))
        if outcome is not None:
            found.append(_against_outcome(name, batch, outcome, "batch_aligned_with_outcome"))
        found.extend(_told_by_covariates(people, name, batch))
    return found


def _against_outcome(name: str, labels: Labels, outcome: Labels, code: str) -> Finding:
    v = cramers_v(labels, outcome)
    level = "high" if v >= HIGH else "medium" if v >= MEDIUM else "low"
    remedy = f"Look whether {name} was settled by, or after, the outcome; if it is a batch, spread the outcomes over it"
    return Finding(code, level, v, f"{name} and the outcome's class: Cramer's V {v:.2f}", remedy)


def _class(people: Problem, *, halves: bool = False) -> Labels | None:
    """Responder or not, or the class of a label; with `halves`, above or below the median where there is no rule."""
    seen = people.y if people.task == "label" else event_bar(people, "response")[1]
    if np.isnan(seen).all() and halves:
        seen = (people.y > np.median(people.y)).astype(float)
    if np.isnan(seen).any() or len(np.unique(seen)) < 2:
        return None
    return np.where(seen > 0, "yes", "no")


def _batches(cohort: Cohort, people: Problem) -> dict[str, Labels]:
    """Return the study and the batch columns of samples.tsv that have at least two levels with enough people."""
    at = {sample: i for i, sample in enumerate(cohort.samples["sample_id"])}
    rows = [at.get(sample, -1) for sample in people.design.sample]
    columns = {"study": people.design.study.astype(str)}
    for name, column in cohort.samples.items():
        if BATCH.search(name):
            columns[name] = np.array([str(column[i]) if i >= 0 and column[i] is not None else "" for i in rows])
    return {name: column for name, column in columns.items() if len(_large(column)) > 1}


def _large(labels: Labels) -> list[str]:
    names, counts = np.unique(labels, return_counts=True)
    return [str(name) for name, n in zip(names, counts, strict=True) if n >= SMALLEST and name != ""]


def _told_by_covariates(people: Problem, name: str, batch: Labels) -> list[Finding]:
    """How well baseline and lifestyle alone tell the batch (logistic regression, 3 folds, balanced accuracy)."""
    rows = np.flatnonzero(np.isin(batch, _large(batch)))
    design = people.design.take(rows)
    columns = (
        [np.nan_to_num(design.baseline - np.nanmean(design.baseline))[:, None]]
        if not np.isnan(design.baseline).all()
        else []
    )
    columns += [code.encode(column) for key, column in design.covariates.items() if (code := learn_code(key, column))]
    if not columns:
        return []
    X = np.concatenate(columns, axis=1)
    X = (X - X.mean(axis=0)) / np.where(X.std(axis=0) > 0, X.std(axis=0), 1.0)
    model = LogisticRegression(max_iter=200, class_weight="balanced")
    told = cross_val_predict(model, X, batch[rows], cv=StratifiedKFold(3, shuffle=True, random_state=0))
    chance = 1.0 / len(_large(batch))
    share = float((balanced_accuracy_score(batch[rows], told) - chance) / (1.0 - chance))
    level = LEVELS[sum(share >= bar for bar in PREDICTED)]
    says = f"baseline and lifestyle alone tell {name} with {100 * max(share, 0.0):.0f} % of the way from chance to certainty"
    remedy = f"People differ between levels of {name}: read figures with each left out whole, and do not compare across {name}"
    return [Finding("covariates_tell_batch", level, share, says, remedy)]


def cramers_v(a: Labels, b: Labels) -> float:
    """Return the bias-corrected Cramer's V of two labellings, 0 where a chi-squared test does not reject at 1 %."""
    table = np.array([[np.sum((a == x) & (b == y)) for y in np.unique(b)] for x in np.unique(a)], dtype=float)
    n, (r, k) = table.sum(), table.shape
    if min(r, k) < 2:
        return 0.0
    found = chi2_contingency(table, correction=False)
    phi2 = max(0.0, found.statistic / n - (k - 1) * (r - 1) / (n - 1))
    least = min(r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)) - 1
    return float(np.sqrt(phi2 / least)) if found.pvalue < 0.01 and least > 0 else 0.0
