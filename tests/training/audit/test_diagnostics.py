"""Calibration, coverage, decision curve, subgroups and people, by hand and against statsmodels."""

import numpy as np
import pytest
import statsmodels.api as sm

from training.audit import diagnostics
from training.audit.runs import read_run
from training.metrics import resamples


def answers(simulation, folder, **options):
    return read_run(simulation.write(folder, **options)).answers()


def test_net_benefit_by_hand():
    # N 200, TP 60, FP 40 at threshold 0.30: 60/200 - 40/200 * 0.3/0.7 = 0.2143
    y = np.array([1.0] * 60 + [0.0] * 40 + [0.0] * 100)
    p = np.array([0.9] * 100 + [0.1] * 100)
    place = list(diagnostics.THRESHOLDS).index(0.3)
    benefit = diagnostics.net_benefit(y, p, np.ones((1, 200)))[0]
    assert benefit[place] == pytest.approx(0.2142857, abs=1e-7)
    assert benefit[-1] == 0.0  # nobody reaches 0.95


def test_calibration_is_the_regression_of_outcome_on_prediction(simulation, tmp_path):
    own = answers(simulation, tmp_path / "a")
    found = diagnostics.calibration(own, resamples(own.subject, seed=0, draws=50))
    fit = sm.OLS(own.y, sm.add_constant(own.prediction.mean(axis=0))).fit()
    assert [found["intercept"].estimate, found["slope"].estimate] == pytest.approx(fit.params, abs=1e-9)
    assert found["slope"].lower < found["slope"].estimate < found["slope"].upper


def test_logistic_calibration_equals_statsmodels():
    rng = np.random.default_rng(0)
    p = rng.uniform(0.05, 0.95, 300)
    y = (rng.random(300) < p**2).astype(float)
    found = diagnostics.response_calibration(y, p)
    fit = sm.Logit(y, sm.add_constant(np.log(p / (1 - p)))).fit(disp=0)
    assert [found["intercept"], found["slope"]] == pytest.approx(fit.params, abs=1e-6)
    assert found["expected_observed"] == pytest.approx(p.sum() / y.sum())


def test_logistic_calibration_of_separated_outcomes_is_not_a_number():
    found = diagnostics.response_calibration(np.array([0, 0, 1, 1.0]), np.array([0.1, 0.2, 0.8, 0.9]))
    assert np.isnan(found["slope"])


def test_coverage_counts_outcomes_inside(simulation, tmp_path):
    own = answers(simulation, tmp_path / "a")
    found = diagnostics.coverage(own, resamples(own.subject, seed=0, draws=50))
    assert found["coverage"].estimate == pytest.approx(np.mean((own.y >= own.lower) & (own.y <= own.upper)))


def test_small_groups_are_named_not_judged(simulate, tmp_path):
    simulation = simulate(people=60)
    simulation.study = ["tiny"] * 19 + ["large"] * 41
    first, second = (answers(simulation, tmp_path / name, seed=k) for k, name in enumerate("ab"))
    weights = resamples(first.subject, seed=0, draws=200)
    rows = {(row["by"], row["group"]): row for row in diagnostics.subgroups(first, second, ("study",), weights)}
    assert rows["study", "tiny"] == {"by": "study", "group": "tiny", "people": 19, "enough": False}
    large = rows["study", "large"]
    assert large["first"] == pytest.approx(np.abs(first.y - first.prediction)[:, 19:].mean())
    assert large["difference"]["difference"] == pytest.approx(large["second"] - large["first"])


def test_people_affected_counts_persons(simulation, tmp_path):
    first = answers(simulation, tmp_path / "a", noise=0.0)
    second = answers(simulation, tmp_path / "b", noise=0.0, bias=1.5)
    found = diagnostics.people_affected(first, second)
    assert (found["people"], found["worse"], found["worse_by_1"], found["better_by_1"]) == (120, 1.0, 1.0, 0.0)
    assert found["percentiles"]["50"] == pytest.approx(1.5)
    assert len(found["most_worsened"]) == 10
