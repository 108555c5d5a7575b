"""The promotion gates: figures in, verdicts out. Pure; changing an alias is `training.tracking`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any

LEAST_PEOPLE = 20  # below: the run is recorded with its reference rows, nothing is promoted
COVERAGE_PEOPLE = 100  # below: coverage cannot be told from the nominal level
COVERAGE_BAND = (0.86, 0.94)
MAE_MARGIN = 0.03  # share of the baseline-only MAE that may be lost at most


@dataclass(frozen=True)
class Verdict:
    """What one gate says of a run: `pass`, `fail` or `not_applicable`, and why."""

    status: str
    reason: str

    def as_dict(self) -> dict[str, str]:
        """Return the JSON object of the contract."""
        return dict(vars(self))


@dataclass(frozen=True)
class Figures:
    """What the gates look at."""

    people: int
    gain_lower: float
    mae_loss_upper: float
    baseline_mae: float
    coverage: float
    coverage_lower: float
    coverage_upper: float
    increments: tuple[str, ...]
    has_baseline: bool = True
    design_risks: tuple[str, ...] = ()


def _people(f: Figures) -> Verdict:
    if f.people >= LEAST_PEOPLE:
        return Verdict("pass", f"{f.people} people")
    return Verdict("fail", f"too few people: {f.people}, at least {LEAST_PEOPLE} are needed")


def _better_than_mean(f: Figures) -> Verdict:
    text = f"lower 95 % bound of the R2 gained over the mean is {f.gain_lower:+.3f}"
    return Verdict("pass" if f.gain_lower > 0 else "fail", f"{text}; it must be above 0")


def _not_worse_than_baseline(f: Figures) -> Verdict:
    if not f.has_baseline:
        return Verdict("not_applicable", "this task has no baseline score to compare with")
    share = f.mae_loss_upper / f.baseline_mae if f.baseline_mae else float("inf")
    text = f"upper 95 % bound of the MAE lost against baseline severity alone is {100 * share:+.1f} %"
    if share <= MAE_MARGIN:
        return Verdict("pass", f"{text}, at most {100 * MAE_MARGIN:.0f} % is allowed")
    return Verdict(
        "fail",
        f"{text}, at most {100 * MAE_MARGIN:.0f} % is allowed: the baseline-only model is the one to promote (train with --model baseline)",
    )


def _coverage(f: Figures) -> Verdict:
    low, high = COVERAGE_BAND
    text = f"90 % intervals cover {f.coverage:.3f} [{f.coverage_lower:.3f}, {f.coverage_upper:.3f}]"
    if isnan(f.coverage):
        return Verdict("not_applicable", "no group is large enough for an interval")
    if f.people < COVERAGE_PEOPLE:
        return Verdict("not_applicable", f"not established below {COVERAGE_PEOPLE} people ({text})")
    outside = f.coverage_upper < low or f.coverage_lower > high
    return Verdict("fail" if outside else "pass", f"{text}; refused only when that lies wholly outside {low}-{high}")


def _increment(f: Figures) -> Verdict:
    if "microbiome" in f.increments:
        return Verdict("pass", "the increment of the microbiome is stated")
    return Verdict("not_applicable", "the model does not use the microbiome, or the cohort has no stool")


def _sound_design(f: Figures) -> Verdict:
    if f.design_risks:
        return Verdict(
            "fail", f"the design audit found a high risk: {', '.join(f.design_risks)}; its remedy is in the report"
        )
    return Verdict("pass", "the design audit found no high risk")


GATES: Mapping[str, Callable[[Figures], Verdict]] = {
    "enough_people": _people,
    "better_than_mean": _better_than_mean,
    "not_worse_than_baseline": _not_worse_than_baseline,
    "coverage": _coverage,
    "no_leak": lambda f: Verdict("pass", "no leak was found in the cohort or the splits"),  # a leak stops training before this
    "increment_stated": _increment,
    "sound_design": _sound_design,
}  # fmt: skip


def judge(figures: Figures) -> dict[str, Verdict]:
    """Return the verdict of every gate."""
    return {name: gate(figures) for name, gate in GATES.items()}


def failed(gates: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return one line per failed gate of a recorded run."""
    return [f"{name}: {verdict['reason']}" for name, verdict in gates.items() if verdict["status"] == "fail"]
