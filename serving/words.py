"""A prediction in plain words, for a terminal, a card or a page. It states; it never advises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Reason code -> what it means for a reader. The codes of the model stand in `models.applicability`.
REASONS: Mapping[str, str] = {
    "under_18": "the person is under 18, outside the intended use",
    "pregnancy": "pregnancy is outside the intended use",
    "bipolar": "bipolar disorder is outside the intended use",
    "psychosis": "psychosis is outside the intended use",
    "consent_withdrawn": "consent was withdrawn",
    "eating_disorder": "with an eating disorder a change of diet needs specialist care",
    "immunocompromised": "live microbes are contraindicated in immunocompromised people",
    "central_line": "live microbes are contraindicated with a central line",
    "intensive_care": "live microbes are contraindicated in intensive care",
    "pancreatitis": "live microbes are contraindicated in pancreatitis",
    "histamine_intolerance": "fermented food conflicts with histamine intolerance",
    "milk_allergy": "fermented milk conflicts with a milk allergy",
    "fodmap_intolerance": "fermentable fibre conflicts with FODMAP intolerance",
    "coeliac_disease": "gluten conflicts with coeliac disease",
    "antibiotics_recent": "antibiotics were taken within the last 90 days",
    "sample_too_old": "the stool sample is older than 30 days",
    "sample_after_start": "the stool sample was taken after the start",
    "baseline_too_old": "the baseline score is older than 30 days",
    "baseline_after_start": "the baseline score was taken after the start",
    "weeks_outside_training": "the horizon is far from every follow-up the model was trained on",
    "unit_mismatch": "the unit of the taxa cannot be converted to the one the model was trained on",
    "direction_uncertain": "the interval crosses zero: better and worse are both possible",
    "not_randomised": "the arms were not assigned at random",
    "arm_effect_not_shown": "no effect of the arm was shown in training",
    "missing_baseline": "there is no baseline score",
    "baseline_outside_training": "the baseline score is outside the range of the training people",
    "arm_not_trained": "the intervention is not an arm of training",
    "unmapped_taxa": "more than half of the sample is in taxa the model does not know",
    "few_named_taxa": "less than a tenth of the sample is in taxa with a named genus",
    "many_unseen_taxa": "a fifth or more of the sample is in unknown taxa; the interval is wider",
    "no_stool_sample": "there is no stool sample; the interval is wider",
    "unseen_study": "the site is new to the model; the interval is wider",
    "new_study": "the site is new to the model; it is centred on its own samples, the interval is that of a new site",
    "no_interval_for_group": "too few people like this one were in training for an interval of their group; there is none",
    "protocol_mismatch": "the sample was taken or sequenced by a protocol the model never saw",
    "unlike_training": "the person is far from all people the model was trained on",
    "unusual_profile": "the person is unlike most people the model was trained on; the interval is wider",
    "covariate_outside_training": "a lifestyle value is well outside the range of the training people; the interval is wider",
    "no_functions": "gene families were not measured; the interval is wider",
}
SAFETY = {
    "positive": "SAFETY: the self-harm item is positive. Assess the person now; this comes first.",
    "not_assessed": "Safety: the self-harm item was not assessed.",
    "negative": "Safety: the self-harm item is negative.",
}
CLOSING = "An association seen in training data, not advice. Do not change medication on this basis."


def in_words(prediction: Mapping[str, Any], model: Mapping[str, Any]) -> str:
    """Return one entry of a reply's `predictions` as a few lines; the safety line comes first."""
    safety = [SAFETY[line["status"]] for line in prediction["safety"] if line["code"] == "self_harm_item"]
    body = _numbers(prediction) if prediction["answered"] else ["No prediction is given for this person."]
    reasons = [f"- {REASONS.get(code, code)}" for code in prediction["reasons"]]
    signed = f"Model {model['name']} version {model['version']}, {model['digest'][:19]}"
    return "\n".join([*safety, *body, *reasons, CLOSING, signed])


def _numbers(prediction: Mapping[str, Any]) -> list[str]:
    change, interval = prediction["change"], prediction["interval"]
    lines = [f"Expected change: {change:+.1f} points, to a score of {prediction['follow_up']:.1f}."]
    if interval is not None:
        share = f"{interval['level']:.0%}"
        lines.append(f"{share} interval: {interval['lower']:+.1f} to {interval['upper']:+.1f} points.")
    if prediction["floor_change"] is not None:
        lines.append(f"Baseline severity alone predicts {prediction['floor_change']:+.1f} points.")
    for name, word in (("response_probability", "response"), ("remission_probability", "remission")):
        if prediction[name] is not None:
            lines.append(f"Probability of {word}: {prediction[name]:.0%}.")
    parts = sorted((prediction["contributions"] or {}).items(), key=lambda part: -abs(part[1]))
    if parts:
        lines.append("Made up of: " + ", ".join(f"{name} {points:+.1f}" for name, points in parts) + ".")
    return lines
