"""The ML Test Score (Breck et al. 2017): 28 tests in four sections; a point is given for an automated one only."""

from __future__ import annotations

from pathlib import Path

from training.audit import checklist
from training.audit.checklist import CANNOT, FAIL, PASS, Check, Evidence, Judge, Judgement, stated, unstated
from training.audit.tripod_ai import subgroups_judged

ROOT = Path(__file__).resolve().parents[2]


def _tested(*paths: str) -> Judge:
    """Return the judge that passes where the automated tests of a subject stand in the repository."""

    def judged(evidence: Evidence) -> Judgement:
        missing = [path for path in paths if not (ROOT / path).exists()]
        if missing:
            return CANNOT, f"no automated test at {', '.join(missing)}"
        return PASS, f"automated: {', '.join(paths)}"

    return judged


def _simpler(evidence: Evidence) -> Judgement:
    rows = evidence.record.get("reference_rows", {})
    metrics = evidence.record.get("metrics", {})
    if "baseline" not in rows or "r2" not in metrics:
        return CANNOT, "the run does not state a baseline-only row beside its own"
    floor, own = rows["baseline"]["r2"]["estimate"], metrics["r2"]["estimate"]
    return (PASS if own >= floor else FAIL), f"R2 {own:.3f}, baseline alone {floor:.3f}"


def _canary_first(evidence: Evidence) -> Judgement:
    """Judge from the log whether this run was a canary before it became the champion."""
    if evidence.reader is None:
        return CANNOT, "no log was given (--log)"
    moves = [entry["facts"] for _, entry in evidence.reader.entries() if entry["kind"] == "promotion"]
    aliases = [facts.get("alias") for facts in moves if facts.get("run_id") == evidence.run.name]
    if "champion" not in aliases:
        return CANNOT, "the log holds no promotion of this run to champion"
    first = "canary" in aliases[: aliases.index("champion")]
    return (
        (PASS, "canary before champion, by the order of the log") if first else (FAIL, "it was never a canary before")
    )


DATA, MODEL, INFRASTRUCTURE, MONITORING = "data", "model", "infrastructure", "monitoring"
_TABLE: tuple[tuple[str, str, Judge], ...] = (
    (DATA, "expectations about data are checked", _tested("tests/features/importers", "tests/features/test_cohort.py")),
    (DATA, "every block of features earns its place", checklist.increment_tested),
    (DATA, "no feature costs too much", unstated("cost of a feature")),
    (DATA, "nothing measured after baseline is used", checklist.gate("no_leak")),
    (DATA, "privacy controls", _tested("tests/models/test_record.py")),
    (DATA, "a new feature takes a day", unstated("time to a new feature")),
    (DATA, "feature code is tested", _tested("tests/features")),
    (MODEL, "the specification is reviewed", unstated("review")),
    (MODEL, "the offline metric is tied to a clinical one", stated("instrument")),
    (MODEL, "tuning is recorded", stated("configurations_tried")),
    (MODEL, "the effect of staleness is known", unstated("staleness")),
    (MODEL, "a simpler model is not better", _simpler),
    (MODEL, "quality on slices", subgroups_judged),
    (MODEL, "considerations of inclusion are tested", unstated("inclusion")),
    (INFRASTRUCTURE, "training is reproducible", _tested("tests/training/audit/test_reproduce.py")),
    (INFRASTRUCTURE, "model code is tested", _tested("tests/models")),
    (INFRASTRUCTURE, "the whole pipeline is tested", _tested("tests/walks")),
    (INFRASTRUCTURE, "a gate stands before serving", stated("gates")),
    (INFRASTRUCTURE, "a single answer can be examined", _tested("tests/training/audit/test_lineage.py")),
    (INFRASTRUCTURE, "a canary goes first", _canary_first),
    (INFRASTRUCTURE, "a model can be rolled back", checklist.logged("rollback")),
    (MONITORING, "changes of dependencies are noticed", stated("lock_digest")),
    (MONITORING, "invariants of inputs hold when serving", _tested("tests/serving")),
    (MONITORING, "training and serving compute the same", _tested("tests/models/test_bundle.py")),
    (MONITORING, "the age of the model is known", checklist.logged("load")),
    (MONITORING, "numerical stability", _tested("tests/models/test_intervals.py")),
    (MONITORING, "speed and memory", unstated("speed in service")),
    (MONITORING, "quality of predictions in service", checklist.logged("override")),
)

CHECKS = tuple(
    Check(f"MLTS-{number}", requirement, judge, section)
    for number, (section, requirement, judge) in enumerate(_TABLE, start=1)
)
