"""What a run says in sentences of what a block adds."""

from training.report import words

SPAN = {"estimate": 0.3, "lower": 0.2, "upper": 0.4}


def _record(*increments):
    return {
        "instrument": "PHQ-9", "task": "change", "reference_rows": {"baseline": {"r2": SPAN, "mae": SPAN}},
        "metrics": dict.fromkeys(("r2_gain_over_mean", "r2", "mae", "coverage", "interval_width"), SPAN),
        "increment": increments,
    }  # fmt: skip


def _row(block, lower, p, verdict):
    return {"block": block, "estimate": 0.05, "lower": lower, "upper": 0.1, "p_value": p, "verdict": verdict}


def test_an_interval_above_nothing_that_is_not_enough_says_why():
    *_, micro, life, arm = words(
        _record(
            _row("microbiome", 0.007, 0.012, "not shown"),
            _row("lifestyle", 0.03, 0.001, "shown"),
            _row("arm", -0.01, 0.3, "not shown"),
        )
    )
    assert "with 3 tested at once one-sided p 0.012 is not enough" in micro
    assert "is shown here" in life
    assert "at once" not in life + arm
    assert arm.endswith("That is not proof that it adds nothing.")
