"""Guidelines as checks that run: each line PASS, FAIL, NOT-APPLICABLE or CANNOT-BE-JUDGED, with what was looked at.

A profile is a table of checks. A check computes where it can, reads what the run states where it cannot, and says
so where neither is possible: silence is never a pass. No profile ends in a single word about the whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib import import_module
from typing import Any

from features.errors import invalid
from models.log_reader import LogReader
from models.manifest import verify_folder
from training.audit.runs import Run

PASS, FAIL, NOT_APPLICABLE, CANNOT = "PASS", "FAIL", "NOT-APPLICABLE", "CANNOT-BE-JUDGED"

#: Name of a profile -> module that holds its table CHECKS, and what it follows.
PROFILES: Mapping[str, tuple[str, str]] = {
    "tripod-ai": ("tripod_ai", "TRIPOD+AI 2024, reporting of prediction models"),
    "probast-ai": ("probast_ai", "PROBAST+AI 2025, quality and risk of bias"),
    "storms": ("storms", "STORMS 2021, reporting of human microbiome studies"),
    "ml-test-score": ("ml_test_score", "The ML Test Score 2017; the final score is the lowest section's"),
    "eu-ai-act-12": (
        "eu_ai_act",
        "Regulation (EU) 2024/1689, Articles 10 to 19, as a list, dated 2026; no legal opinion",
    ),
    "hti-1": ("hti_1", "45 CFR 170.315(b)(11)(iv)(B), the 31 source attributes, as a list; no legal opinion"),
}

#: Words that fill a field and state nothing.
SILENT = frozenset({"none stated", "not stated", "not available", "unknown", "n/a", "tbd", "-", "as in taxonomy.tsv"})

Judgement = tuple[str, str]
Judge = Callable[["Evidence"], Judgement]


@dataclass(frozen=True)
class Check:
    """One line of a guideline: what must hold, and the function that judges it."""

    id: str
    requirement: str
    judge: Judge
    section: str = ""


@dataclass(frozen=True)
class Evidence:
    """What a check may look at: a verified run, and the log where one was given."""

    run: Run
    reader: LogReader | None = None

    @property
    def record(self) -> Mapping[str, Any]:
        """Return the run's record."""
        return self.run.record

    @cached_property
    def bundle(self) -> Mapping[str, Any]:
        """Return the manifest of the model the run left, verified; empty where it left none."""
        folder = self.run.folder / "bundle"
        return verify_folder(folder) if folder.is_dir() else {}

    @cached_property
    def events(self) -> Counter[str]:
        """Return how many events of each kind the log holds."""
        return Counter(entry["kind"] for _, entry in self.reader.entries()) if self.reader else Counter()


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    id: str
    section: str
    requirement: str
    status: str
    evidence: str


def judge(run: Run, profile: str, reader: LogReader | None = None) -> dict[str, Any]:
    """Return every finding of a profile about a run, with the run's digest and the count of each status."""
    if profile not in PROFILES:
        raise invalid("profile", "unknown profile", f"choose one of: {', '.join(PROFILES)}")
    module, source = PROFILES[profile]
    checks: Sequence[Check] = import_module(f"training.audit.{module}").CHECKS
    evidence = Evidence(run, reader)
    findings = [Finding(c.id, c.section, c.requirement, *c.judge(evidence)) for c in checks]
    counts = Counter(finding.status for finding in findings)
    found: dict[str, Any] = {
        "profile": profile,
        "source": source,
        "run": run.name,
        "run_digest": run.seal.digest,
        "seal": run.seal.status,
        "counts": {status: counts[status] for status in (PASS, FAIL, NOT_APPLICABLE, CANNOT)},
        "findings": [asdict(finding) for finding in findings],
        "card": evidence.bundle.get("card", {}),
    }
    if profile == "ml-test-score":
        found["score"] = section_scores(findings)
    return found


def section_scores(findings: Sequence[Finding]) -> dict[str, float]:
    """Return points per section (one per automated check that passes) and `final`, the lowest of them."""
    scores = {finding.section: 0.0 for finding in findings}
    for finding in findings:
        scores[finding.section] += finding.status == PASS
    return {**scores, "final": min(scores.values())}


def stated(*path: str) -> Judge:
    """Return the judge that passes where the record states something at a path, and cannot judge otherwise."""

    def judge_stated(evidence: Evidence) -> Judgement:
        value: Any = evidence.record
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        where = ".".join(path)
        if value in (None, "", [], {}) or str(value).strip().lower() in SILENT:
            return CANNOT, f"run.json does not state {where}"
        return PASS, f"{where}: {_short(value)}"

    return judge_stated


def all_stated(*paths: tuple[str, ...]) -> Judge:
    """Return the judge that passes where the record states something at every path."""

    def judge_all(evidence: Evidence) -> Judgement:
        found = [stated(*path)(evidence) for path in paths]
        silent = [text for status, text in found if status != PASS]
        return (CANNOT, "; ".join(silent)) if silent else (PASS, "; ".join(text for _, text in found))

    return judge_all


def unstated(what: str) -> Judge:
    """Return the judge of what only people can answer."""
    return lambda evidence: (CANNOT, f"{what}: no machine can judge it from a run")


def gate(name: str) -> Judge:
    """Return the judge that repeats the verdict of one of the run's promotion gates."""
    words = {"pass": PASS, "fail": FAIL, "not_applicable": NOT_APPLICABLE}

    def judge_gate(evidence: Evidence) -> Judgement:
        verdict = evidence.record.get("gates", {}).get(name)
        return (
            (CANNOT, f"the run has no gate {name}")
            if verdict is None
            else (words[verdict["status"]], verdict["reason"])
        )

    return judge_gate


def interval_of(*names: str) -> Judge:
    """Return the judge that passes where every metric is stated with an interval."""

    def judge_metrics(evidence: Evidence) -> Judgement:
        metrics = evidence.record.get("metrics", {})
        missing = [name for name in names if (metrics.get(name) or {}).get("lower") is None]
        if missing:
            return FAIL, f"without an interval: {', '.join(missing)}"
        spans = (
            f"{name} {metrics[name]['estimate']:.3g} [{metrics[name]['lower']:.3g}, {metrics[name]['upper']:.3g}]"
            for name in names
        )
        return PASS, "; ".join(spans)

    return judge_metrics


def one_fold_each(evidence: Evidence) -> Judgement:
    """Judge from splits.tsv and oof.tsv that nobody is in two folds of one repeat."""
    table = evidence.run.held_out[["repeat", "subject", "fold"]].drop_duplicates()
    twice = int(table.duplicated(["repeat", "subject"]).sum())
    people = table["subject"].nunique()
    if twice:
        return FAIL, f"{twice} times a person is held out in two folds of one repeat"
    return PASS, f"computed from oof.tsv: {people} people, each in one fold of every repeat"


def left_a_model(evidence: Evidence) -> Judgement:
    """Judge whether the run left a model that can be loaded elsewhere."""
    if not evidence.bundle:
        return FAIL, "the run left no model (only a `change` task with at least 20 people leaves one)"
    return PASS, f"bundle of {len(evidence.bundle['files'])} files, verified against its manifest"


def several_studies(evidence: Evidence) -> Judgement:
    """Judge whether performance on studies that training never saw is stated."""
    studies = evidence.run.held_out["study"].nunique()
    if studies < 2:
        return NOT_APPLICABLE, "the cohort is one study: performance elsewhere is unknown, and must be called so"
    held = evidence.record.get("leave_one_study_out") or {}
    return (
        (PASS, f"{studies} studies, each held out whole: {_short(sorted(held))}")
        if held
        else (FAIL, "studies were not held out")
    )


def increment_tested(evidence: Evidence) -> Judgement:
    """Judge whether what the blocks of features add was tested against simpler rows."""
    rows = evidence.record.get("increment") or []
    if not rows:
        return FAIL, "no block of features was tested against the row without it"
    return PASS, "; ".join(f"{row['block']}: {row['verdict']} ({row['estimate']:+.3g} {row['metric']})" for row in rows)


def versions_stated(evidence: Evidence) -> Judgement:
    """Judge whether code, lock and data of the run are pinned by digests."""
    names = ("code_digest", "lock_digest", "data_digest", "split_digest")
    missing = [name for name in names if not str(evidence.record.get(name, "")).startswith("sha256:")]
    return (FAIL, f"without a digest: {', '.join(missing)}") if missing else (PASS, ", ".join(names))


def logged(*kinds: str) -> Judge:
    """Return the judge that passes where the log holds events of these kinds."""

    def judge_events(evidence: Evidence) -> Judgement:
        if evidence.reader is None:
            return CANNOT, "no log was given (--log)"
        missing = [kind for kind in kinds if not evidence.events[kind]]
        counted = ", ".join(f"{evidence.events[kind]} {kind}" for kind in kinds if evidence.events[kind])
        return (CANNOT, f"none in this log yet: {', '.join(missing)}") if missing else (PASS, counted)

    return judge_events


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 100 else text[:97] + "..."
