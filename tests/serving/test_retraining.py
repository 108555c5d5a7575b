"""Outcomes that came back become a cohort: what passes is written whole and leaves quarantine, the rest keeps its reason."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

import vagus
from features.importers.folder import check_cohort, read_cohort
from serving.access import Access, Principal
from serving.answering import answer_patients
from serving.budget import Budget
from serving.desk import Desk
from serving.inputs import Inputs
from serving.outcomes import Outcome, Outcomes
from serving.schemas import PredictRequest, convert
from serving.settings import Settings
from serving.switch import Switch

ROOT = Path(__file__).resolve().parents[2]
NORTH, SOUTH = Principal("k1", "", "clinic", "north"), Principal("k2", "", "clinic", "south")
DAY = 86_400


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def desk(bundles, state):
    state.mkdir()
    stores = {"outcomes": Outcomes(state / "outcomes.db"), "inputs": Inputs(state / "inputs.db")}
    return Desk(Settings(), bundles, Access([]), Budget(0, 0), Switch(None), **stores)


@pytest.fixture
def asked(desk, state, patient):
    """Ask about a patient `weeks` ago, with taxa of their own; return the prediction id."""
    asked = iter(range(100))

    def act(name, who=NORTH, weeks=9.0, **changes):
        taxa = {"g__Blautia": 300 + next(asked), "g__Roseburia": 100}
        sample = {"microbiome": {"unit": "counts", "taxa": taxa}} | changes
        request = convert({"patients": [{**patient, "id": name} | sample]}, PredictRequest)
        (told,) = answer_patients(desk, who, request, "/predict")["predictions"]
        with sqlite3.connect(state / "outcomes.db") as store:
            moved = "UPDATE told SET time = ? WHERE id = ?"
            store.execute(moved, (time.time() - weeks * 7 * DAY, told["prediction_id"]))
        return told["prediction_id"]

    return act


@pytest.fixture
def export(state, tmp_path, capsys):
    """Run the verb; return its exit code, the folder and reason by prediction id."""

    def act(*options, out="cohort"):
        folder = tmp_path / out
        done = vagus.main(["cohort", "export-log", str(state), "--out", str(folder), *options])
        lines = capsys.readouterr().out.splitlines()
        return done, folder, dict(line.split("\t") for line in lines if "\t" in line)

    return act


def states(state):
    with sqlite3.connect(state / "outcomes.db") as store:
        return dict(store.execute("SELECT id, state FROM seen"))


def test_a_cohort_by_hand(desk, state, asked, export):
    ids = [asked("anna"), asked("ben", intervention="placebo", microbiome=None)]
    desk.outcomes.seen("north", [Outcome(ids[0], 9.0, False, days=63), Outcome(ids[1], 11.0, False)])
    done, folder, refused = export()
    assert (done, refused) == (0, {})
    assert check_cohort(folder) == []
    design = read_cohort(folder).design("PHQ-9")
    rows = sorted(zip(design.arm, design.baseline, design.follow_up, design.lag, design.stool, strict=True))
    assert rows == [("fermented_food", 14, 9, 9, True), ("placebo", 14, 11, 8, False)]
    assert set(design.study) == {"north"}
    assert set(design.covariates) == {"age_years", "sex", "fibre_g_day"}
    assert {tuple(row) for row in design.abundance.tolist()} == {(300, 100), (0, 0)}
    assert states(state) == dict.fromkeys(ids, "validated")
    text = b"".join(path.read_bytes() for path in folder.iterdir())
    assert b"anna" not in text + (state / "inputs.db").read_bytes()


def test_each_reason_leaves_its_outcome_in_quarantine(desk, state, asked, export):
    good = asked("a")
    expected = {
        asked("b"): ("steered", Outcome("", 9.0, True)),
        asked("c"): ("score_out_of_range", Outcome("", 28.0, False)),
        asked("d", weeks=2.0): ("follow_up_too_early", Outcome("", 9.0, False)),
        asked("e"): ("follow_up_before_baseline", Outcome("", 9.0, False, days=0)),
        asked("f", microbiome={"unit": "counts", "taxa": {"g__Blautia": 1.5}}): (
            "unit_disagrees",
            Outcome("", 9.0, False),
        ),
        asked("a"): ("second_outcome", Outcome("", 9.0, False)),
        asked("g", microbiome={"unit": "counts", "taxa": {"g__Blautia": 300, "g__Roseburia": 100}}): (
            "same_sample",
            Outcome("", 9.0, False),
        ),
    }
    desk.inputs = None
    lost = asked("h")
    expected[lost] = ("input_not_kept", Outcome("", 9.0, False))
    desk.outcomes.seen("north", [Outcome(good, 9.0, False)])
    desk.outcomes.seen("north", [Outcome(i, o.follow_up, o.steered, o.days) for i, (_, o) in expected.items()])
    done, folder, refused = export()
    assert done == 0
    assert refused == {i: code for i, (code, _) in expected.items()}
    assert len(read_cohort(folder).outcomes["subject_id"]) == 1
    assert states(state) == {good: "validated", **dict.fromkeys(expected, "quarantined")}
    steered = next(i for i, (code, _) in expected.items() if code == "steered")
    assert steered not in export("--with-steered", out="again")[2]


def test_where_none_passes_nothing_is_written(desk, state, asked, export, tmp_path):
    desk.outcomes.seen("north", [Outcome(asked("a"), 9.0, True)])
    done, _, refused = export()
    assert (done, list(refused.values())) == (2, ["steered"])
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    assert set(states(state).values()) == {"quarantined"}


def test_a_folder_that_is_in_use_moves_nothing(desk, state, asked, export, tmp_path):
    (tmp_path / "cohort").mkdir()
    (tmp_path / "cohort" / "notes.txt").touch()
    desk.outcomes.seen("north", [Outcome(asked("a"), 9.0, False)])
    assert export()[0] == 2
    assert set(states(state).values()) == {"quarantined"}


def test_who_withdrew_is_left_out_with_all_that_was_kept(desk, state, asked, export, tmp_path):
    gone, same_person, stays = asked("a"), asked("a", weeks=20.0), asked("b")
    desk.outcomes.seen("north", [Outcome(i, 9.0, False) for i in (gone, same_person, stays)])
    listed = tmp_path / "list.txt"
    listed.write_text(gone + "\n")
    done, folder, refused = export("--without", str(listed))
    assert (done, refused) == (0, dict.fromkeys([gone, same_person], "withdrawn"))
    assert len(read_cohort(folder).samples["subject_id"]) == 1
    assert set(desk.inputs.of([gone, same_person, stays])) == {stays}
    assert set(export(out="later")[2].values()) == {"withdrawn"}
    listed.write_text("nobody\n")
    assert export("--without", str(listed), out="other")[0] == 2


def test_tenants_are_never_mixed(desk, asked, export):
    ids = {who.tenant: asked("a", who) for who in (NORTH, SOUTH)}
    for tenant, one in ids.items():
        desk.outcomes.seen(tenant, [Outcome(one, 9.0, False)])
    assert export()[0] == 2
    done, folder, _ = export("--tenant", "south")
    assert done == 0
    assert set(read_cohort(folder).samples["study"]) == {"south"}


def test_units_are_brought_to_shares(desk, asked, export, half_bundle):
    desk.bundles = {"PHQ-9": half_bundle(unit="percent")}
    percent = {"unit": "percent", "taxa": {"g__Blautia": 25.0, "g__Roseburia": 75.0}}
    ids = [asked("a"), asked("b", microbiome=percent)]
    desk.outcomes.seen("north", [Outcome(i, 9.0, False) for i in ids])
    cohort = read_cohort(export()[1])
    assert cohort.info.abundance_unit == "proportion"
    assert sorted(cohort.counts.data) == [0.25, 0.25, 0.75, 0.75]


def test_inputs_are_kept_only_where_asked_and_readable_by_the_owner_alone(
    bundle_folder, start, person, tmp_path, cohort
):
    state = tmp_path / "lasting"
    running = start(bundle_folder, "--state", str(state), "--keep-inputs").wait()
    names = ["id", "intervention", "weeks", "baseline.instrument", "baseline.score", "microbiome.unit"]
    one = person(2)
    taxa = one["microbiome"]["taxa"]
    cells = ["q-2", one["intervention"], 8, "PHQ-9", one["baseline"]["score"], "counts", *taxa.values()]
    with running.client() as client:
        told = client.post("/predict", json={"patients": [person(1)]}).json()["predictions"]
        columns = {"columns": [*names, *(f"microbiome.taxa.{name}" for name in taxa)], "rows": [cells]}
        told += client.post("/predict", json=columns).json()["predictions"]
        sent = [{"prediction_id": p["prediction_id"], "follow_up": 7, "steered": False, "days": 0.5} for p in told]
        assert client.post("/outcomes", json={"outcomes": sent}).json()["new"] == 2
    assert (state / "inputs.db").stat().st_mode & 0o777 == 0o600
    command = [sys.executable, "-m", "vagus", "cohort", "export-log", str(state), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    written = read_cohort(tmp_path / "out")
    assert sorted(written.counts.data) == sorted(
        v for i in (1, 2) for v in person(i)["microbiome"]["taxa"].values() if v
    )


def test_without_the_switch_no_input_is_kept(server, person, tmp_path_factory):
    with server.client() as client:
        client.post("/predict", json={"patients": [person(1)]})
    assert not list(tmp_path_factory.getbasetemp().glob("server*/state/inputs.db"))


def test_keeping_needs_a_place(bundle_folder, capsys):
    assert vagus.main(["serve", "--model", str(bundle_folder), "--keep-inputs", "--no-log"]) == 2
    assert "--state" in capsys.readouterr().err


@pytest.mark.slow
def test_what_is_exported_can_be_trained_on(desk, asked, export, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for i in range(30):
        baseline = {"instrument": "PHQ-9", "score": 10 + i % 12, "days_ago": 3}
        one = asked(f"p{i}", intervention=("placebo", "fermented_food")[i % 2], baseline=baseline)
        desk.outcomes.seen("north", [Outcome(one, float(5 + i % 7), False)])
    done, folder, _ = export()
    assert done == 0
    command = ["train", str(folder), "--instrument", "PHQ-9", "--budget", "1", "--json"]
    code = vagus.main(command)
    out, err = capsys.readouterr()
    assert code == 0, err
    told = json.loads(out)
    assert told["run_id"]
    assert {"mean", "baseline"} <= set(told["reference_rows"])
