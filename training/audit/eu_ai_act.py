"""Articles 10 to 19 of the EU AI Act as checks on a run and its log. A list of what is there, no legal opinion."""

from __future__ import annotations

from models.log import MIN_RETENTION_DAYS
from models.log_audit import verify_log
from training.audit import checklist
from training.audit.checklist import CANNOT, FAIL, PASS, Check, Evidence, Judgement, stated
from training.audit.tripod_ai import subgroups_judged

_NO_LOG = (CANNOT, "no log was given (--log)")


def _whole(evidence: Evidence) -> Judgement:
    if evidence.reader is None:
        return _NO_LOG
    report = verify_log(evidence.reader)
    text = f"{report.size} entries, {report.checkpoints} signed checkpoints, {len(report.erased)} erased, {len(report.purged)} purged"
    return PASS, f"recomputed: {text}"


def _complete(evidence: Evidence) -> Judgement:
    """Judge that every prediction and refusal names time, actor, model, and digests of input and answer."""
    if evidence.reader is None:
        return _NO_LOG
    about = [entry for _, entry in evidence.reader.entries() if entry["kind"] in ("prediction", "refusal")]
    if not about:
        return CANNOT, "the log holds no prediction yet"
    lacking = sum(
        not (entry["time"] and entry["actor"] and entry["facts"].get("model_digest") and entry["private"])
        for entry in about
    )
    text = f"{len(about)} predictions and refusals with time, actor, model digest and keyed digests"
    return (FAIL, f"{lacking} of {len(about)} lack one of them") if lacking else (PASS, text)


def _retention(evidence: Evidence) -> Judgement:
    """Judge that nothing inside the window is gone; a log cannot be opened with a shorter retention."""
    if evidence.reader is None:
        return _NO_LOG
    report = verify_log(evidence.reader)  # raises where an entry was emptied too early
    return PASS, f"at least {MIN_RETENTION_DAYS} days are enforced; {len(report.purged)} older entries were emptied"


CHECKS = (
    Check("EU-10", "data governance: cohort, sources and consent by digest", stated("data_digest"), "Article 10"),
    Check("EU-10b", "examination of bias in declared groups", subgroups_judged, "Article 10"),
    Check(
        "EU-11",
        "technical documentation: code, lock, data and split by digest",
        checklist.versions_stated,
        "Article 11",
    ),
    Check("EU-12a", "predictions and refusals are logged", checklist.logged("prediction"), "Article 12"),
    Check("EU-12b", "each with time, actor, model digest and input digest", _complete, "Article 12"),
    Check("EU-12c", "loads of a model are logged", checklist.logged("load"), "Article 12"),
    Check("EU-12d", "promotions and exports are logged", checklist.logged("promotion", "export"), "Article 12"),
    Check(
        "EU-12e", "changes of configuration and accesses are logged", checklist.logged("config", "access"), "Article 12"
    ),
    Check("EU-12f", "the log is whole and cannot be rewritten unseen", _whole, "Article 12"),
    Check(
        "EU-13",
        "accuracy with intervals and limits of use",
        checklist.interval_of("r2", "mae", "coverage"),
        "Article 13",
    ),
    Check("EU-14", "oversight: overrides and the stop switch leave a trace", checklist.logged("stop"), "Article 14"),
    Check("EU-15", "accuracy against a simpler model", checklist.gate("not_worse_than_baseline"), "Article 15"),
    Check("EU-15b", "the model is whole: every file as its manifest says", checklist.left_a_model, "Article 15"),
    Check("EU-19", "logs are kept at least six months", _retention, "Article 19"),
)
