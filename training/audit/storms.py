"""STORMS (Mirzayi et al. 2021): what must be known of samples, sequencing and processing."""

from __future__ import annotations

from collections.abc import Mapping

from training.audit import checklist
from training.audit.checklist import NOT_APPLICABLE, Check, Evidence, Judge, Judgement, stated

#: Field of `[sequencing]` in cohort.toml -> what it says.
FIELDS: Mapping[str, str] = {
    "body_site": "body site",
    "collection_method": "collection method",
    "storage": "storage buffer and time to freezing",
    "shipping": "shipping",
    "extraction_kit": "DNA extraction kit and version",
    "region": "primer and region, or shotgun",
    "platform": "sequencing platform",
    "positive_control": "positive control",
    "negative_control": "negative control",
    "contaminants": "handling of contaminants",
    "replicates": "replicates",
    "quantification": "relative or absolute quantification",
    "batch": "batch of every sample",
    "antibiotics": "antibiotics in the months before",
    "pipeline": "processing pipeline and version",
    "zero_handling": "handling of zeros",
    "rarefaction": "rarefaction, or none",
    "multiplicity": "control of multiplicity",
}


def _with_stool(judge: Judge) -> Judge:
    def judged(evidence: Evidence) -> Judgement:
        if evidence.record.get("stool_rows") == 0:
            return NOT_APPLICABLE, "the cohort has no stool samples"
        return judge(evidence)

    return judged


CHECKS = (
    *(
        Check(f"STORMS-{name}", text, _with_stool(stated("cohort", "sequencing", name)), "sample and sequencing")
        for name, text in FIELDS.items()
    ),
    Check("ST-1", "batch alone does not predict the outcome", _with_stool(stated("cohort", "batch_test")), "analysis"),
    Check("ST-3", "taxonomy database and version", _with_stool(stated("cohort", "taxonomy_database")), "analysis"),
    Check("ST-4", "compositional transform, as served", _with_stool(checklist.left_a_model), "analysis"),
    Check("ST-5", "depth is alike across arms", _with_stool(stated("cohort", "depth_test")), "analysis"),
    Check("ST-6", "performance with whole studies held out", _with_stool(checklist.several_studies), "analysis"),
    Check("ST-arms", "arms and their sizes", stated("arms"), "design"),
    Check("ST-dropout", "rows without an outcome are counted", stated("rows"), "design"),
    Check("ST-geography", "geography and dates", stated("cohort", "geography"), "design"),
)
