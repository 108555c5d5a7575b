"""What is to be learned from a cohort: the rows that count, the target, the people they belong to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from features.cohort import Cohort
from features.counts import Array
from features.derived import DerivedBlock
from features.design import Design
from features.errors import Refused, invalid
from features.instruments import Instrument, find
from models.literature import LITERATURE, SMALL, Literature, effects_for
from training.repeats import Outcomes, outcomes_of

TASKS = ("change", "score", "label")
NEGATIVE = frozenset(
    {"healthy", "control", "controls", "none", "no", "no_remission", "neurotypical", "nr", "false", "0"}
)


@dataclass(frozen=True, eq=False)
class Problem:
    """A supervised problem: n rows, `y` in points of the instrument (or 0/1 for a label), groups = `design.subject`.

    `derived` are the further feature blocks that every fold learns; `literature`, published effects as prior means.
    """

    design: Design
    y: Array
    instrument: Instrument
    task: str
    comparator: str
    positive: str = ""
    dropped: int = 0
    derived: tuple[DerivedBlock, ...] = ()
    literature: Literature | None = None

    @property
    def subjects(self) -> npt.NDArray[np.object_]:
        """Return the subject of each row: the group that no split may cut."""
        return self.design.subject

    @property
    def people(self) -> int:
        """Return the number of distinct subjects."""
        return len(set(self.subjects.tolist()))

    @cached_property
    def outcome(self) -> Outcomes | None:
        """Return the number of each row's outcome, None where no two rows share one."""
        return outcomes_of(self.design, self.y)

    def take(self, rows: npt.NDArray[np.int64]) -> Problem:
        """Return the problem of some rows."""
        return replace(self, design=self.design.take(rows), y=self.y[rows])

    def with_y(self, y: Array) -> Problem:
        """Return the problem with another target (the shuffled-outcome row), of which nothing is published."""
        return replace(self, y=y, literature=None)


def pose(
    cohort: Cohort, instrument: str, *, task: str = "change", follow_up: float | None = None, positive: str = ""
) -> Problem:
    """Return the problem of one instrument; raises InvalidInput when the cohort cannot pose it.

    `change`: follow-up minus baseline, from the baseline. `score`: the baseline score itself, never a feature. `label`:
    membership of one class.
    """
    design = cohort.design(_known_as(cohort, instrument), follow_up)
    comparator = cohort.info.comparator or ("placebo" if "placebo" in design.arm else "")
    found = find(instrument)
    if task == "label":
        return _label_problem(design, found, comparator, positive)
    y = design.change if task == "change" else design.baseline
    if task == "change":
        _one_follow_up(design)
    rows = np.flatnonzero(~np.isnan(y))
    if not len(rows):
        raise invalid(
            "no_outcome",
            f"no row has the scores that task '{task}' needs",
            "Use --task score for one-time cohorts, --task label for labels",
            file="outcomes.tsv",
        )
    kept = design.take(rows)
    if task == "score":
        kept = replace(kept, baseline=np.full(len(rows), np.nan))
    return Problem(kept, y[rows], found, task, comparator, dropped=len(design) - len(rows))


def literature_for(problem: Problem, wanted: str) -> Literature | None:
    """Return the published effects to use: a named set, none, or (`auto`) the first set for a change in a small cohort.

    A set that has nothing for the instrument and its arms is none.
    """
    if problem.task != "change" or wanted == "none" or (wanted == "auto" and problem.people >= SMALL):
        return None
    known = next(iter(LITERATURE.values())) if wanted == "auto" else LITERATURE[wanted]
    arms = sorted(set(problem.design.arm.tolist()))
    return known if effects_for(known, problem.instrument.name, arms, problem.comparator) else None


def _known_as(cohort: Cohort, instrument: str) -> str:
    """Accept an alias (PSS for PSS-10) either way round."""
    if instrument in cohort.instruments:
        return instrument
    wanted = find(instrument).name
    return next((name for name in cohort.instruments if find(name).name == wanted), instrument)


def _one_follow_up(design: Design) -> None:
    """Raise where one baseline has two follow-ups; two samples of one baseline, with one follow-up, are no such thing."""
    there = np.flatnonzero(~np.isnan(design.change))
    people, began, samples = (
        column[there].tolist() for column in (design.subject, design.baseline_time, design.sample)
    )
    ends = [None if np.isnan(lag) else lag for lag in design.lag[there].tolist()]
    baselines = set(zip(people, began, strict=True))
    follow_ups = set(zip(people, began, ends, strict=True))
    if len(follow_ups) > len(baselines) or len(set(zip(people, began, samples, strict=True))) < len(there):
        times = ", ".join(f"{time:g}" for time in np.unique(design.baseline_time + design.lag) if not np.isnan(time))
        raise invalid(
            "several_follow_ups",
            "one baseline has several follow-ups",
            f"Choose one with --follow-up: {times}",
            file="outcomes.tsv",
            column="followup_time",
        )


def _label_problem(design: Design, instrument: Instrument, comparator: str, positive: str) -> Problem:
    rows = np.flatnonzero([label is not None for label in design.label])
    classes = sorted({str(label) for label in design.label[rows]})
    if not positive and len(classes) == 2:
        positive = next((name for name in classes if name.lower() not in NEGATIVE), classes[-1])
    if positive not in classes or len(classes) < 2:
        raise invalid(
            "which_label",
            f"the label has {len(classes)} classes and no positive one was named",
            'Name it in the run config: positive = "..."',
            file="outcomes.tsv",
            column="label",
        )
    kept = replace(design.take(rows), baseline=np.full(len(rows), np.nan))
    y = np.array([float(label == positive) for label in kept.label])
    return Problem(kept, y, instrument, "label", comparator, positive, dropped=len(design) - len(rows))


def refuse_if_untestable(problem: Problem) -> None:
    """Raise Refused when the outcome does not vary: no model can be judged on it."""
    if np.ptp(problem.y) == 0:
        raise Refused("constant_outcome", "every person has the same outcome, so nothing can be learned or tested.")
