"""Plans bind only when they came first; a log cannot be back-dated."""

import pytest

from features.errors import InvalidInput, Refused
from models.ledger import open_ledger, prepare_ledger
from models.receipt import verify_receipt
from training.audit.plan import check_plan, note_evaluation, read_plan, seal_plan
from training.audit.runs import read_run

PLAN = """
model_name = "vagus-phq-9"
planned_change = "the lifestyle block is added"
holdout_digest = "sha256:s"
[thresholds.mae]
at_most = 4.0
"""
METRICS = {"metrics": {"mae": {"estimate": 3.5, "lower": 3.0, "upper": 4.1, "level": 0.95}}}


@pytest.fixture
def log(tmp_path):
    log = open_ledger(prepare_ledger(tmp_path / "log"))
    yield log
    log.close()


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    return path


@pytest.fixture
def run(simulation, tmp_path):
    return read_run(simulation.write(tmp_path / "run", record=METRICS, noise=1.0))


def test_a_plan_sealed_before_the_evaluation_lets_the_run_pass(plan, run, log):
    receipt = seal_plan(plan, log, actor="ann")
    note_evaluation(run, log, actor="ann")
    said = check_plan(plan, run, log.reader)
    assert said[0] == "plan at place 0 of the log, evaluation at place 1"
    assert "mae is 3.5, planned between -inf and 4" in said
    assert verify_receipt(receipt)[0]["entry"]["facts"]["thresholds"] == {"mae": {"at_most": 4.0}}


def test_a_plan_sealed_after_the_evaluation_is_refused(plan, run, log):
    note_evaluation(run, log, actor="ann")
    seal_plan(plan, log, actor="ann")
    with pytest.raises(Refused, match="plan at place 1 of the log, evaluation at place 0"):
        check_plan(plan, run, log.reader)


def test_recording_a_seen_evaluation_again_does_not_help(simulation, plan, run, log, tmp_path):
    note_evaluation(run, log, actor="ann")
    seal_plan(plan, log, actor="ann")
    again = read_run(simulation.write(tmp_path / "again", record=METRICS, noise=1.0))
    note_evaluation(again, log, actor="ann")
    with pytest.raises(Refused, match="evaluation at place 0"):
        check_plan(plan, again, log.reader)


def test_nor_does_recording_it_under_another_secret(simulation, simulate, plan, run, log, tmp_path):
    note_evaluation(run, log, actor="ann")
    seal_plan(plan, log, actor="ann")
    other = simulate()
    other.subject = [f"{int(who, 16) + 4096:016x}" for who in other.subject]
    again = read_run(other.write(tmp_path / "again", record={**METRICS, "subject_key_id": "another"}, noise=1.0))
    assert (again.folder / "oof.tsv").read_bytes() != (run.folder / "oof.tsv").read_bytes()
    note_evaluation(again, log, actor="ann")
    with pytest.raises(Refused, match="plan at place 1 of the log, evaluation at place 0"):
        check_plan(plan, again, log.reader)


def test_an_edited_plan_was_never_sealed(plan, run, log):
    seal_plan(plan, log, actor="ann")
    note_evaluation(run, log, actor="ann")
    plan.write_text(PLAN.replace("4.0", "5.0"))
    with pytest.raises(Refused, match="edited after"):
        check_plan(plan, run, log.reader)


def test_without_a_logged_evaluation_there_is_no_order(plan, run, log):
    seal_plan(plan, log, actor="ann")
    with pytest.raises(Refused, match="nothing proves what came first"):
        check_plan(plan, run, log.reader)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("4.0", "3.0", "mae is 3.5"),
        ("sha256:s", "sha256:other", "another model or hold-out"),
        ("vagus-phq-9", "vagus-gad-7", "another model or hold-out"),
        ("thresholds.mae", "thresholds.auc", "auc: the run does not state it"),
    ],
)
def test_what_was_planned_is_held_against_the_run(plan, run, log, old, new, message):
    plan.write_text(PLAN.replace(old, new))
    seal_plan(plan, log, actor="ann")
    note_evaluation(run, log, actor="ann")
    with pytest.raises(Refused, match=message):
        check_plan(plan, run, log.reader)


def test_the_champion_is_met_in_a_paired_test(simulation, plan, run, log, tmp_path):
    plan.write_text(PLAN + '[against]\nverdict = ["better"]\n')
    seal_plan(plan, log, actor="ann")
    note_evaluation(run, log, actor="ann")
    poor = read_run(simulation.write(tmp_path / "poor", noise=5.0))
    assert any(line.startswith("against poor: better") for line in check_plan(plan, run, log.reader, poor))
    with pytest.raises(Refused, match="against run: cannot tell"):
        check_plan(plan, run, log.reader, run)
    with pytest.raises(Refused, match="name its run"):
        check_plan(plan, run, log.reader)


@pytest.mark.parametrize(
    "text",
    [
        "not toml",
        "",
        PLAN + "extra = 1\n",
        PLAN.replace("at_most", "around"),
        PLAN.replace("4.0", '"four"'),
        PLAN + '[against]\nverdict = ["splendid"]\n',
        PLAN.replace('"sha256:s"', "7"),
    ],
)
def test_a_plan_that_says_nothing_is_bad_input(plan, text):
    plan.write_text(text)
    with pytest.raises(InvalidInput):
        read_plan(plan)
