"""Two runs before the court: the better one is found, the incomparable refused, nothing invented."""

import json

import numpy as np
import pytest

from features.errors import InvalidInput, VerificationFailed
from features.importers.folder import read_cohort
from features.withdrawn import without
from models.manifest import write_manifest
from models.seal import create_key, load_key, public_text, sign_folder
from training import runfolder
from training.assess import held_out
from training.audit.compare import compare
from training.audit.runs import read_run
from training.keyring import secret_id, subject_name
from training.problem import pose
from training.protocol import evaluate, outer_splits


def runs(*folders):
    return [read_run(folder) for folder in folders]


def test_the_better_run_is_named_better_and_the_other_worse(simulation, tmp_path):
    poor, good = runs(simulation.write(tmp_path / "a", noise=4.0), simulation.write(tmp_path / "b", noise=1.0, seed=2))
    found = compare(poor, good)
    assert found.verdict == "better"
    tests = {item.measure: item for item in found.tests}
    assert set(tests) == {"mae", "rmse", "r2", "interval_width", "fold_error", "auc", "brier", "right_answers"}
    assert tests["mae"].paired.upper < 0 < tests["r2"].paired.lower
    assert tests["mae"].paired.difference == pytest.approx(tests["mae"].second - tests["mae"].first)
    assert compare(good, poor).verdict == "worse"


def test_measures_are_those_of_the_tables(simulation, tmp_path):
    first, second = runs(simulation.write(tmp_path / "a"), simulation.write(tmp_path / "b", seed=2))
    table = first.held_out[first.held_out["model"] == "chosen"]
    tests = {item.measure: item for item in compare(first, second).tests}
    assert tests["mae"].first == pytest.approx((table["y"] - table["prediction"]).abs().mean())
    assert tests["interval_width"].first == pytest.approx((table["upper"] - table["lower"]).mean())


def test_a_run_against_itself_cannot_be_told_apart(simulation, tmp_path):
    run = read_run(simulation.write(tmp_path / "a"))
    found = compare(run, run)
    assert found.verdict == "cannot tell"
    assert found.differences == ()
    assert all(item.paired.difference in (0, None) or np.isnan(item.paired.difference) for item in found.tests)


def test_equally_good_models_cannot_be_told_apart(simulation, tmp_path):
    found = compare(*runs(simulation.write(tmp_path / "a", seed=3), simulation.write(tmp_path / "b", seed=4)))
    assert found.verdict == "cannot tell"
    assert "Holm" in found.reasons[0]


def test_holm_stands_between_one_small_p_and_a_verdict(simulation, tmp_path):
    found = compare(*runs(simulation.write(tmp_path / "a", seed=3), simulation.write(tmp_path / "b", seed=4)))
    assert all(item.adjusted >= item.paired.p for item in found.tests)


def test_other_people_are_refused_and_the_overlap_compared_on_request(simulation, tmp_path):
    gone = {f"{i:016x}" for i in range(7)}
    first, second = runs(
        simulation.write(tmp_path / "a", noise=4.0), simulation.write(tmp_path / "b", noise=1.0, drop=gone)
    )
    refused = compare(first, second)
    assert (refused.verdict, refused.tests) == ("not comparable", ())
    assert refused.reasons == ("the people differ: 7 only in the first run, 0 only in the second",)
    assert refused.rows == {"both": 113, "removed": 7, "added": 0}
    found = compare(first, second, common=True)
    assert found.verdict == "better"
    assert found.aligned.people == 113
    assert "only the overlap is compared: 7 outcome rows are left out" in found.reasons
    assert found.as_dict()["common_only"] is True


def test_rows_are_paired_by_person_not_by_position(simulation, tmp_path):
    """The second run lists the same people, the first of them missing: positions are shifted by one."""
    first = simulation.write(tmp_path / "a", noise=2.0, seed=5)
    second = simulation.write(tmp_path / "b", noise=2.0, seed=5, drop={f"{0:016x}"})
    found = compare(*runs(first, second), common=True)
    assert {item.paired.difference for item in found.tests if item.measure != "fold_error"} == {0.0}


def test_other_folds_are_refused_and_fold_tests_left_out_on_request(simulation, tmp_path):
    first, second = runs(simulation.write(tmp_path / "a"), simulation.write(tmp_path / "b", refold=True))
    refused = compare(first, second)
    assert (refused.verdict, refused.reasons) == (
        "not comparable",
        ("the people are the same, but were held out in other folds",),
    )
    found = compare(first, second, common=True)
    assert "fold_error" not in {item.measure for item in found.tests}
    assert found.tests


def test_fewer_repeats_are_other_folds_and_common_repeats_are_kept(simulate, tmp_path):
    first, second = simulate(repeats=3).write(tmp_path / "a"), simulate(repeats=3)
    second.fold = second.fold[:2]
    pair = runs(first, second.write(tmp_path / "b", seed=9))
    assert compare(*pair).verdict == "not comparable"
    found = compare(*pair, common=True)
    assert len(found.aligned.first.fold) == len(found.aligned.second.fold) == 2


def test_another_target_is_never_compared(simulation, tmp_path):
    first, second = runs(
        simulation.write(tmp_path / "a"), simulation.write(tmp_path / "b", record={"instrument": "GAD-7"})
    )
    for common in (False, True):
        found = compare(first, second, common=common)
        assert (found.verdict, found.reasons) == ("not comparable", ("the runs have another instrument",))


def test_a_changed_outcome_of_the_same_person_is_refused(simulate, tmp_path):
    first = simulate().write(tmp_path / "a")
    other = simulate()
    other.y = other.y.copy()
    other.y[4] += 1
    found = compare(*runs(first, other.write(tmp_path / "b")))
    assert found.reasons == ("the people are the same, but some of their outcome rows differ",)


def test_only_what_differs_is_shown(simulation, tmp_path):
    config = {"seed": 1, "model": "search"}
    found = compare(
        *runs(
            simulation.write(tmp_path / "a"),
            simulation.write(tmp_path / "b", record={"config": config, "code_commit": "d", "genera": 40}),
        )
    )
    assert [(item.part, item.name, item.first, item.second) for item in found.differences] == [
        ("code", "code_commit", "c", "d"),
        ("config", "config.seed", 0, 1),
        ("features", "genera", None, 40),
    ]


def test_without_a_response_rule_only_regression_is_tested(simulation, tmp_path):
    found = compare(
        *runs(simulation.write(tmp_path / "a", response=False), simulation.write(tmp_path / "b", response=False))
    )
    assert {item.measure for item in found.tests} == {"mae", "rmse", "r2", "interval_width", "fold_error"}
    assert "decision_curve" not in found.sections


def test_several_rows_of_a_person_are_one_person(simulate, tmp_path):
    simulation = simulate(people=40, rows_each=3)
    found = compare(*runs(simulation.write(tmp_path / "a", seed=3), simulation.write(tmp_path / "b", seed=4)))
    assert found.aligned.people == 40
    assert {item.paired.test for item in found.tests} >= {"McNemar, clustered"}


def test_a_spoiled_run_is_not_compared(simulation, tmp_path):
    folder = simulation.write(tmp_path / "a")
    text = (folder / "oof.tsv").read_text()
    (folder / "oof.tsv").write_text(text.replace("chosen", "chosem", 1))
    with pytest.raises(VerificationFailed, match=r"oof\.tsv: changed"):
        read_run(folder)


def test_pinned_keys_bind_both_runs(simulation, tmp_path):
    key = load_key(create_key(tmp_path / "keys", "team"))
    folder = simulation.write(tmp_path / "a")
    with pytest.raises(VerificationFailed, match="unsigned"):
        read_run(folder, [public_text(key)])
    sign_folder(folder, key)
    assert read_run(folder, [public_text(key)]).seal.status == "trusted"


def test_reference_rows_may_be_compared(simulation, tmp_path):
    run = read_run(simulation.write(tmp_path / "a", noise=1.0))
    assert compare(run, run, models=("mean", "chosen")).verdict == "better"
    with pytest.raises(InvalidInput, match="chosen, mean"):
        compare(run, run, models=("oracle", "chosen"))


def test_the_comparison_is_plain_json(simulation, tmp_path):
    found = compare(*runs(simulation.write(tmp_path / "a"), simulation.write(tmp_path / "b", seed=2)))
    content = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert set(content) >= {"verdict", "reasons", "tests", "differences", "calibration", "subgroups", "decision_curve"}


def test_two_installations_meet_by_the_digests_of_the_rows(simulation, simulate, tmp_path):
    other = simulate()
    other.subject = [f"{int(who, 16) + 4096:016x}" for who in other.subject]
    second = other.write(tmp_path / "b", noise=1.0, seed=2, record={"subject_key_id": "another"})
    first = simulation.write(tmp_path / "a", noise=4.0)
    found = compare(*runs(first, second))
    assert (found.verdict, found.aligned.people) == ("better", 120)


def test_two_installations_on_other_data_cannot_recognise_anybody(simulation, simulate, tmp_path):
    other = simulate(seed=9)
    other.subject = [f"{int(who, 16) + 4096:016x}" for who in other.subject]
    second = other.write(tmp_path / "b", record={"subject_key_id": "another"})
    rows = (second / "rows.tsv").read_text().replace("\t", "\tffff")
    (second / "rows.tsv").write_text(rows.replace("\tffffsubject\tffffdigest", "\tsubject\tdigest"))
    write_manifest(second, {"kind": "run"})
    found = compare(*runs(simulation.write(tmp_path / "a"), second), common=True)
    assert found.verdict == "not comparable"
    assert found.reasons[-1] == "they name people under different secrets, so nobody can be recognised"


def recorded(cohort_folder, folder, secret, gone):
    """Write the run folder of the reference rows on a cohort without some people."""
    folder.mkdir()
    cohort = without(read_cohort(cohort_folder, instrument="PHQ-9"), gone)
    problem = pose(cohort, "PHQ-9", task="change", follow_up=None, positive="")
    evaluation = evaluate(problem, outer_splits(problem, repeats=1, seed=0, folds=2), seed=0, candidates=(), jobs=1)
    answers = {"baseline": held_out(problem, evaluation, "baseline")}
    runfolder.write_oof(folder, problem, evaluation, answers, secret)
    runfolder.write_rows(folder, problem, secret)
    record = {
        "instrument": "PHQ-9",
        "task": "change",
        "data_digest": cohort.digest,
        "subject_key_id": secret_id(secret),
    }
    runfolder.write_record(folder, record)
    runfolder.close(folder, record)
    return folder


def test_two_cohorts_that_share_sixty_people_are_compared_on_exactly_these(cohort_folder, tmp_path):
    people = sorted(set(read_cohort(cohort_folder, instrument="PHQ-9").outcomes["subject_id"].tolist()))
    assert len(people) == 80
    secret = bytes(range(32))
    first = recorded(cohort_folder, tmp_path / "a", secret, set(people[:10]))
    second = recorded(cohort_folder, tmp_path / "b", secret, set(people[-10:]))
    rows = ("baseline", "baseline")
    assert compare(*runs(first, second), models=rows).reasons[0] == (
        "the people differ: 10 only in the first run, 10 only in the second"
    )
    found = compare(*runs(first, second), models=rows, common=True)
    assert found.first.record["data_digest"] != found.second.record["data_digest"]
    assert found.aligned.people == 60
    assert set(found.aligned.first.subject) == {subject_name(who, secret) for who in people[10:-10]}
    assert found.as_dict()["common_only"] is True
