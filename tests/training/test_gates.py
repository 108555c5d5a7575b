"""Each gate at its edge."""

from dataclasses import replace

import pytest

from training.gates import GATES, Figures, failed, judge

GOOD = Figures(150, 0.05, 0.02, 1.0, 0.9, 0.85, 0.94, ("microbiome",))


@pytest.mark.parametrize(
    ("gate", "change", "status"),
    [
        ("enough_people", {"people": 20}, "pass"),
        ("enough_people", {"people": 19}, "fail"),
        ("better_than_mean", {"gain_lower": 0.0}, "fail"),
        ("better_than_mean", {"gain_lower": 1e-6}, "pass"),
        ("not_worse_than_baseline", {"mae_loss_upper": 0.03}, "pass"),
        ("not_worse_than_baseline", {"mae_loss_upper": 0.0301}, "fail"),
        ("not_worse_than_baseline", {"has_baseline": False}, "not_applicable"),
        ("coverage", {"coverage_lower": 0.80, "coverage_upper": 0.859}, "fail"),
        ("coverage", {"coverage_lower": 0.80, "coverage_upper": 0.861}, "pass"),
        ("coverage", {"coverage_lower": 0.941, "coverage_upper": 0.99}, "fail"),
        ("coverage", {"people": 99, "coverage_upper": 0.5}, "not_applicable"),
        ("increment_stated", {"increments": ()}, "not_applicable"),
    ],
)
def test_edges(gate, change, status):
    assert GATES[gate](replace(GOOD, **change)).status == status


def test_a_good_run_passes_everything():
    assert {verdict.status for verdict in judge(GOOD).values()} == {"pass"}


def test_below_a_hundred_people_coverage_reads_not_established():
    assert "not established" in GATES["coverage"](replace(GOOD, people=60)).reason


def test_a_run_that_loses_to_the_baseline_is_told_what_to_promote():
    reason = GATES["not_worse_than_baseline"](replace(GOOD, mae_loss_upper=0.2)).reason
    assert "baseline-only model is the one to promote" in reason


def test_failed_gates_are_listed_with_their_reason():
    recorded = {name: verdict.as_dict() for name, verdict in judge(replace(GOOD, gain_lower=-0.1)).items()}
    assert failed(recorded) == [
        "better_than_mean: lower 95 % bound of the R2 gained over the mean is -0.100; it must be above 0"
    ]
