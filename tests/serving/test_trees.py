"""A champion of trees from outside in: train, export, predict to a table, ask over HTTP; every answer says what it is made of."""

import json

import pandas as pd
import pytest

from features.importers.folder import read_cohort, write_cohort
from features.synthetic import World, simulate
from models.contributions import SHAPLEY

pytestmark = pytest.mark.slow
PARTS = {"origin", "baseline", "arm", "lifestyle", "microbiome", "range"}


@pytest.fixture(scope="module")
def cohort_folder(tmp_path_factory):
    """Eighty simulated people whose lifestyle matters enough for trees to find it."""
    folder = tmp_path_factory.mktemp("lifestyle") / "cohort"
    write_cohort(simulate(subjects=80, seed=3, world=World(lifestyle=2.5))[0], folder)
    return folder


@pytest.fixture(scope="module")
def exported(cohort_folder, tmp_path_factory, vagus):
    home = tmp_path_factory.mktemp("trees")
    (home / "run.toml").write_text('model = "xgboost"\nrepeats = 1\nfolds = 3\nshuffles = 0\njobs = 1\n')
    done = vagus("train", cohort_folder, "--instrument", "PHQ-9", "--config", "run.toml", "--json", cwd=home)
    found = json.loads(done.stdout)
    assert found["final_model"]["entry"] == "xgboost"
    vagus("export", found["run_id"], "--out", "bundle", cwd=home)
    return home / "bundle", found


def test_the_report_tells_how_points_are_found(exported):
    _, found = exported
    assert found["importance"]["how"] == SHAPLEY
    assert {"baseline", "arm", "lifestyle", "microbiome"} <= set(found["importance"]["blocks"])


def test_the_table_of_contributions_names_features_that_sum_to_the_change(exported, cohort_folder, tmp_path, vagus):
    files = ("--out", tmp_path / "p.tsv", "--contributions", tmp_path / "c.tsv")
    vagus("predict", cohort_folder, "--model", exported[0], *files, cwd=tmp_path)
    made = pd.read_csv(tmp_path / "c.tsv", sep="\t")
    told = pd.read_csv(tmp_path / "p.tsv", sep="\t").query("answered").set_index("subject_id").change
    assert made.groupby("subject_id").points.sum()[told.index].to_numpy() == pytest.approx(told.to_numpy(), abs=1e-6)
    assert set(made.block) == PARTS | {"other"}
    assert made.feature.nunique() > 20


def test_the_service_tells_the_blocks_of_one_and_of_many_alike(exported, cohort_folder, sent, start):
    cohort = read_cohort(cohort_folder)
    server = start(exported[0]).wait()
    with server.client() as client:
        card = client.get("/card").json()["models"][0]
        asked = [sent(cohort, i) for i in range(12)]
        many = client.post("/predict", json={"patients": asked}).json()["predictions"]
        for one, reply in zip(asked, many, strict=True):
            alone = client.post("/predict", json={"patients": [one]}).json()["predictions"][0]
            assert alone["contributions"] == reply["contributions"]
            assert alone["change"] == reply["change"]
    answered = [reply for reply in many if reply["answered"]]
    assert len(answered) > 6
    for reply in answered:
        assert set(reply["contributions"]) == PARTS
        assert sum(reply["contributions"].values()) == pytest.approx(reply["change"], abs=1e-6)
    assert card["contributions"] == SHAPLEY
