"""The 31 source attributes of the HTI-1 rule: each `value` or not available. A list, no claim of a present duty."""

from __future__ import annotations

from collections.abc import Mapping

from training.audit import checklist
from training.audit.checklist import Check, Judge, stated, unstated
from training.audit.tripod_ai import subgroups_judged


def _card(name: str) -> Judge:
    """Return the judge that reads one field of the model card in the bundle."""

    def judged(evidence: checklist.Evidence) -> checklist.Judgement:
        value = evidence.bundle.get("card", {}).get(name)
        return (
            (checklist.PASS, str(value)[:100]) if value else (checklist.CANNOT, f"the model card does not state {name}")
        )

    return judged


def _demographic_inputs(evidence: checklist.Evidence) -> checklist.Judgement:
    inputs = (evidence.record.get("missing_data") or {}).get("share_of_rows")
    if inputs is None:
        return checklist.CANNOT, "run.json does not list the inputs"
    return (
        checklist.PASS,
        f"of age and sex: {', '.join(name for name in ('age_years', 'sex') if name in inputs) or 'none'}",
    )


#: Group -> its attributes with the judge of each; 31 in all.
GROUPS: Mapping[str, tuple[tuple[str, Judge], ...]] = {
    "1 details and output": (
        ("name and contact of the developer", stated("cohort", "contact")),
        ("funding of the development", stated("cohort", "funding")),
        ("value that is produced as output", stated("instrument")),
        ("type of output", stated("claim")),
    ),
    "2 purpose": (
        ("intended use", _card("intended_use")),
        ("intended patient population", stated("cohort", "title")),
        ("intended users", unstated("intended users")),
        ("intended role in decisions", _card("intended_use")),
    ),
    "3 out-of-scope use": (
        ("tasks and populations to keep away from", _card("intended_use")),
        ("known risks and limitations", _card("words")),
    ),
    "4 development and inputs": (
        ("inclusion and exclusion criteria", stated("cohort", "eligibility")),
        ("demographic variables among the inputs", _demographic_inputs),
        ("demographic representativeness", stated("cohort", "demographics")),
        ("relevance of the training data to the place of use", unstated("relevance to the place of use")),
    ),
    "5 fairness in development": (
        ("approach to fairness", subgroups_judged),
        ("approach to bias", checklist.gate("no_leak")),
    ),
    "6 external validation": (
        ("source of external data", checklist.several_studies),
        ("party that validated", unstated("who validated")),
        ("representativeness of the external data", unstated("external representativeness")),
        ("process of external validation", checklist.several_studies),
    ),
    "7 measures": (
        ("validity in data of the same source", checklist.interval_of("r2", "mae", "coverage")),
        ("fairness in data of the same source", subgroups_judged),
        ("validity in external data", stated("leave_one_study_out")),
        ("fairness in external data", unstated("external fairness")),
        ("evaluations of use on outcomes", unstated("studies of use")),
    ),
    "8 maintenance": (
        ("how validity is monitored", checklist.logged("evaluation")),
        ("validity in local data", unstated("local validity")),
        ("how fairness is monitored", unstated("monitoring of fairness")),
        ("fairness in local data", unstated("local fairness")),
    ),
    "9 updates": (
        ("how and how often the model is updated", checklist.logged("plan")),
        ("how often performance is corrected", unstated("schedule of corrections")),
    ),
}

CHECKS = tuple(
    Check(f"HTI-{group[0]}.{number}", text, judge, group)
    for group, attributes in GROUPS.items()
    for number, (text, judge) in enumerate(attributes, start=1)
)
