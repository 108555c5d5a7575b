"""Guidelines as checks: what is computed is computed, what is silent is no pass, and no bare verdict."""

import json
import re
import shutil

import pytest

from features.errors import InvalidInput
from models.ledger import open_ledger, prepare_ledger
from models.manifest import write_manifest
from models.record import Event
from training.audit import checklist, hti_1, ml_test_score
from training.audit.checklist import CANNOT, FAIL, NOT_APPLICABLE, PASS, judge
from training.audit.runs import read_run

SPAN = {"estimate": 0.3, "lower": 0.1, "upper": 0.5, "level": 0.95}
RECORD = {
    "subjects": 120,
    "rows": 120,
    "dropped_rows": 2,
    "genera": 40,
    "stool_rows": 120,
    "arms": {"fibre": 60, "placebo": 60},
    "claim": "prognostic",
    "sources": {"outcomes.tsv": "sha256:o"},
    "lag": {"low": 8.0, "median": 8.0, "high": 8.0},
    "cohort": {"title": "Simulated", "licence": "none", "outcome_time_unit": "week"},
    "metrics": {"r2": SPAN, "mae": SPAN, "coverage": SPAN},
    "reference_rows": {"baseline": {"r2": SPAN}},
    "code_digest": "sha256:c",
    "gates": {
        "no_leak": {"status": "pass", "reason": "no leak was found"},
        "not_worse_than_baseline": {"status": "fail", "reason": "it is worse"},
    },
    "noise": [{"nested_r2": 0.01}, {"nested_r2": -0.02}],
    "leave_one_study_out": {"additive": {}},
}


@pytest.fixture
def make(simulation, tmp_path):
    def make(name="run", **record):
        folder = simulation.write(tmp_path / name, record={**RECORD, **record})
        (folder / "bundle").mkdir()
        (folder / "bundle" / "model.json").write_text("{}")
        card = {"intended_use": "Decision support for research", "words": ["a"]}
        write_manifest(folder / "bundle", {"kind": "bundle", "card": card})
        write_manifest(folder, {"kind": "run", "run_id": name})
        return read_run(folder)

    return make


def findings(run, profile, reader=None):
    return {item["id"]: item for item in judge(run, profile, reader)["findings"]}


@pytest.mark.parametrize("profile", checklist.PROFILES)
def test_every_line_has_one_of_four_findings_and_its_evidence(make, profile):
    found = judge(make(), profile)
    assert {item["status"] for item in found["findings"]} <= {PASS, FAIL, NOT_APPLICABLE, CANNOT}
    assert all(item["evidence"] and item["requirement"] for item in found["findings"])
    assert len({item["id"] for item in found["findings"]}) == len(found["findings"])
    assert sum(found["counts"].values()) == len(found["findings"])
    assert found["run_digest"].startswith("sha256:")
    assert not re.search(r"complian|conform to|recommend", json.dumps(found).lower())


def test_an_empty_record_passes_nothing_that_must_be_stated(simulation, tmp_path):
    run = read_run(simulation.write(tmp_path / "bare", record={"increment": []}))
    stated = {"TR-3c", "TR-5b", "TR-10", "TR-18a", "TR-22", "TR-23a", "TR-23b", "TR-12e"}
    found = findings(run, "tripod-ai")
    assert {found[name]["status"] for name in stated} <= {CANNOT, FAIL}


def test_overlap_of_people_is_computed_from_the_table(make, simulate, tmp_path):
    assert findings(make(), "tripod-ai")["TR-12a"]["status"] == PASS
    leaking = simulate(people=30, rows_each=2)
    leaking.fold[0, 5] = (leaking.fold[0, 5] + 1) % 5
    found = findings(read_run(leaking.write(tmp_path / "leak")), "probast-ai")["PB-12"]
    assert (found["status"], found["evidence"].split()[0]) == (FAIL, "1")


def test_gates_are_repeated_not_softened(make):
    found = findings(make(), "eu-ai-act-12")["EU-15"]
    assert (found["status"], found["evidence"]) == (FAIL, "it is worse")


def test_metrics_without_intervals_fail(make):
    run = make(metrics={"r2": {**SPAN, "lower": None}, "mae": SPAN, "coverage": SPAN})
    assert findings(run, "tripod-ai")["TR-23a"] == {
        "id": "TR-23a",
        "section": "",
        "requirement": "performance with intervals",
        "status": FAIL,
        "evidence": "without an interval: r2",
    }


def test_noise_that_is_learned_fails(make):
    assert findings(make(), "probast-ai")["PB-10"]["status"] == PASS
    assert findings(make("leaky", noise=[{"nested_r2": 0.4}]), "probast-ai")["PB-10"]["status"] == FAIL


def test_few_people_fail_the_size_check(make):
    assert findings(make(subjects=60), "probast-ai")["PB-9"]["status"] == FAIL


def test_storms_is_not_applicable_without_stool(make):
    assert {f["status"] for f in findings(make(stool_rows=0), "storms").values() if "STORMS" in f["id"]} == {
        NOT_APPLICABLE
    }
    cohort = {"sequencing": {"platform": "MiSeq"}}
    found = findings(make("seq", cohort=cohort), "storms")
    assert (found["STORMS-platform"]["status"], found["STORMS-region"]["status"]) == (PASS, CANNOT)


def test_the_31_source_attributes():
    assert len(hti_1.CHECKS) == 31
    assert len(hti_1.GROUPS) == 9


def test_the_ml_test_score_is_its_lowest_section(make):
    assert len(ml_test_score.CHECKS) == 28
    score = judge(make(), "ml-test-score")["score"]
    assert score["final"] == min(value for name, value in score.items() if name != "final")
    assert set(score) == {"data", "model", "infrastructure", "monitoring", "final"}


def test_the_log_is_judged_where_one_is_given(make, tmp_path):
    run = make()
    assert findings(run, "eu-ai-act-12")["EU-12f"]["status"] == CANNOT
    log = open_ledger(prepare_ledger(tmp_path / "log"))
    log.append([Event("prediction", "clinic", {"model_digest": "sha256:0"}, "p", {}, {})])
    found = findings(run, "eu-ai-act-12", log.reader)
    assert {found[name]["status"] for name in ("EU-12a", "EU-12b", "EU-12f", "EU-19")} == {PASS}
    assert found["EU-12d"]["status"] == CANNOT
    log.append([Event("prediction", "clinic", {}, "p", {}, {})])
    found = findings(run, "eu-ai-act-12", log.reader)["EU-12b"]
    assert (found["status"], found["evidence"]) == (FAIL, "1 of 2 lack one of them")
    log.close()


def test_an_unknown_profile_is_bad_input(make):
    with pytest.raises(InvalidInput, match="tripod-ai"):
        judge(make(), "iso-9001")


@pytest.mark.parametrize(
    ("aliases", "status"),
    [(["canary", "champion"], PASS), (["champion", "canary"], FAIL), (["canary"], CANNOT), ([], CANNOT)],
)
def test_a_canary_counts_only_before_the_champion(make, tmp_path, aliases, status):
    log = open_ledger(prepare_ledger(tmp_path / "log"))
    for alias in aliases:
        log.append([Event("promotion", "ann", {"run_id": "run", "alias": alias})])
    found = findings(make(), "ml-test-score", log.reader)
    log.close()
    assert {item["requirement"]: item["status"] for item in found.values()}["a canary goes first"] == status


def status(run, profile, check):
    return findings(run, profile)[check]["status"]


def test_declared_groups_pass_only_with_their_results(make):
    declared = {"config": {"subgroups": ["sex"]}}
    assert status(make(), "tripod-ai", "TR-14") == CANNOT
    assert status(make("silent", **declared), "tripod-ai", "TR-14") == FAIL
    rows = [{"by": "sex", "group": "female", "people": 60, "mae": 3.0, "mean_error": 0.1}]
    run = make("judged", **declared, subgroups=rows)
    assert {
        status(run, "tripod-ai", "TR-14"),
        status(run, "probast-ai", "PB-15"),
        status(run, "eu-ai-act-12", "EU-10b"),
    } == {PASS}


def test_sample_size_is_judged_by_the_shrinkage_it_lets_expect(make):
    size = {"people": 120, "candidate_columns": 9, "held_out_r2": 0.3, "shrinkage_target": 0.9, "people_needed": 240,
            "met": False, "source": "Riley 2019"}  # fmt: skip
    assert status(make(), "tripod-ai", "TR-10") == CANNOT
    assert status(make("few", sample_size=size), "tripod-ai", "TR-10") == FAIL
    assert status(make("many", sample_size={**size, "people": 300, "met": True}), "tripod-ai", "TR-10") == PASS


def test_every_trial_is_counted_in_the_table(make):
    run = make("trials", configurations_tried=2)
    assert status(run, "tripod-ai", "TR-12c") == CANNOT
    for lines, expected in ((4, PASS), (3, FAIL)):
        rows = "".join(f"{i // 2}\tadditive\t{{}}\t4.0\t0\n" for i in range(lines))
        (run.folder / "trials.tsv").write_text("outer_fold\tentry\tparams\tinner_rmse\tchosen\n" + rows)
        assert status(run, "tripod-ai", "TR-12c") == expected
    in_time = make("in-time", configurations_tried=2, search={"budget_s": 60.0})
    shutil.copy(run.folder / "trials.tsv", in_time.folder)
    assert status(in_time, "tripod-ai", "TR-12c") == PASS


def test_words_that_state_nothing_are_no_evidence(make):
    assert status(make("words", cohort={"licence": "None stated"}), "tripod-ai", "TR-18e") == CANNOT
    assert status(make("licence", cohort={"licence": "CC BY 4.0"}), "tripod-ai", "TR-18e") == PASS
