"""Ten planted leaks, each in an otherwise clean cohort folder, each caught by the command a data scientist would run."""

import gzip
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from features.importers.folder import read_cohort, write_cohort
from features.synthetic import simulate
from training.leaks import find_leaks
from training.problem import pose


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clean") / "cohort"
    write_cohort(simulate(subjects=60, seed=21)[0], folder)
    return folder


def _edit(folder, name, change):
    table = pd.read_csv(folder / name, sep="\t", dtype={"subject_id": str, "sample_id": str})
    change(table).to_csv(folder / name, sep="\t", index=False)


def _scores(folder):
    return pd.read_csv(folder / "outcomes.tsv", sep="\t").set_index("subject_id")


def follow_up_column(folder):
    _edit(
        folder,
        "lifestyle.tsv",
        lambda t: t.assign(phq9_week_8=_scores(folder).loc[t.subject_id, "followup_score"].to_numpy()),
    )


def target_copied(folder):
    _edit(
        folder,
        "lifestyle.tsv",
        lambda t: t.assign(wellbeing=3 - 2 * _scores(folder).loc[t.subject_id, "change"].to_numpy()),
    )


def scaled_before(folder):
    _edit(
        folder,
        "lifestyle.tsv",
        lambda t: t.assign(fitness=((t.age_years - t.age_years.mean()) / t.age_years.std()).to_numpy()),
    )


def batch_is_outcome(folder):
    def change(table):
        rank = _scores(folder).loc[table.subject_id, "change"].rank(method="first").to_numpy()
        return table.assign(
            seq_batch=np.where(rank <= 15, "a", np.where(rank <= 30, "b", np.where(rank <= 45, "c", "d")))
        )

    _edit(folder, "samples.tsv", change)


def arm_after(folder):
    def change(table):
        better = _scores(folder).loc[table.subject_id, "change"] < -3
        return table.assign(arm=np.where(better, "completed", "stopped"))

    text = (folder / "cohort.toml").read_text()
    (folder / "cohort.toml").write_text(
        text.replace('comparator = "placebo"', "") + '\n[columns.arm]\nmeasured_at = 8\nrole = "post_baseline"\n'
    )
    _edit(folder, "samples.tsv", change)


def twin_subject(folder):
    """The first person's answers once more, under another name and without stool."""
    for name in ("lifestyle.tsv", "outcomes.tsv"):
        _edit(folder, name, lambda t: pd.concat([t, t.iloc[[0]].assign(subject_id="TWIN")]))
    _edit(folder, "outcomes.tsv", lambda t: t.assign(sample_id=t.sample_id.where(t.subject_id != "TWIN")))
    _edit(
        folder, "samples.tsv", lambda t: pd.concat([t, t.iloc[[0]].assign(subject_id="TWIN", sample_id="TWIN.stool")])
    )
    with gzip.open(folder / "counts.tsv.gz", "rt") as handle:
        lines = handle.read().splitlines()
    other = lines[2].split("\t")
    with gzip.open(folder / "counts.tsv.gz", "wt") as handle:
        handle.write("\n".join([*lines, "\t".join(["TWIN.stool", str(int(float(other[1])) + 7), *other[2:]])]) + "\n")


def same_sample(folder):
    _edit(folder, "samples.tsv", lambda t: pd.concat([t, t.iloc[[0]].assign(subject_id="X1", sample_id="X1.stool")]))
    for name in ("lifestyle.tsv", "outcomes.tsv"):
        _edit(folder, name, lambda t: pd.concat([t, t.iloc[[3]].assign(subject_id="X1")]))
    _edit(folder, "outcomes.tsv", lambda t: t.assign(sample_id=t.sample_id.where(t.subject_id != "X1", "X1.stool")))
    with gzip.open(folder / "counts.tsv.gz", "rt") as handle:
        lines = handle.read().splitlines()
    with gzip.open(folder / "counts.tsv.gz", "wt") as handle:
        handle.write("\n".join([*lines, "\t".join(["X1.stool", *lines[1].split("\t")[1:]])]) + "\n")


def selected_outside(folder):
    """Twenty of two thousand noise taxa, those that go with the outcome best."""
    rng = np.random.default_rng(0)
    outcomes = _scores(folder)
    noise = rng.poisson(30, size=(len(outcomes), 2000))
    score = np.abs([np.corrcoef(noise[:, j], outcomes.change)[0, 1] for j in range(2000)])
    best = np.argsort(-score)[:20]
    names = [f"g__Genus{j}" for j in range(20)]
    table = pd.DataFrame(noise[:, best], columns=names)
    table.insert(0, "sample_id", outcomes.sample_id.to_numpy())
    table.to_csv(folder / "counts.tsv.gz", sep="\t", index=False)


def cut_subject(folder):
    """Two outcome rows per person, dealt to folds row by row."""
    outcomes = pd.read_csv(folder / "outcomes.tsv", sep="\t")
    second = outcomes.assign(baseline_time=1, followup_time=9, sample_id=outcomes.sample_id + "2")
    samples = pd.read_csv(folder / "samples.tsv", sep="\t")
    pd.concat([samples, samples.assign(sample_id=samples.sample_id + "2", time=1)]).to_csv(
        folder / "samples.tsv", sep="\t", index=False
    )
    both = pd.concat([outcomes, second])
    both.to_csv(folder / "outcomes.tsv", sep="\t", index=False)
    counts = pd.read_csv(folder / "counts.tsv.gz", sep="\t")
    later = counts.assign(sample_id=counts.sample_id + "2")
    later.iloc[:, 1] += 3
    pd.concat([counts, later]).to_csv(folder / "counts.tsv.gz", sep="\t", index=False)
    both.assign(fold=np.arange(len(both)) // 7 % 5)[["sample_id", "fold"]].to_csv(
        folder / "folds.tsv", sep="\t", index=False
    )


PLANTED = {
    follow_up_column: ("undeclared_dated_column", 3, "phq9_week_8"),
    target_copied: ("outcome_among_features", 3, "wellbeing"),
    scaled_before: ("scaled_before_split", 3, "fitness"),
    batch_is_outcome: ("batch_is_outcome", 3, "seq_batch"),
    arm_after: ("arm_after_follow_up", 3, "arm"),
    twin_subject: ("duplicate_subject", 3, "answers"),
    same_sample: ("same_sample_two_ids", 2, "counts.tsv.gz"),
    selected_outside: ("selected_outside_folds", 3, "counts.tsv.gz"),
    cut_subject: ("two folds", 3, "subject"),
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_leak_stops_training(plant, clean, tmp_path, vagus):
    folder = tmp_path / "cohort"
    shutil.copytree(clean, folder)
    plant(folder)
    (tmp_path / "run.toml").write_text(
        f'repeats = 1\nsplits = "{folder / "folds.tsv"}"\n' if plant is cut_subject else "repeats = 1\njobs = 1\n"
    )
    done = vagus("train", folder, "--instrument", "PHQ-9", "--config", "run.toml", cwd=tmp_path, check=False)
    words, code, place = PLANTED[plant]
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert place in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.shared
def test_week_ten_fibre_is_stopped_once_it_is_not_declared(tmp_path, shared, vagus):
    folder = tmp_path / "fefifo"
    shutil.copytree(shared / "data" / "fefifo_wastyk_2021", folder)
    toml = folder / "cohort.toml"
    toml.chmod(0o644)
    folder.chmod(0o755)
    toml.write_text(toml.read_text().split("[columns.fiber_g_week_10]")[0])
    done = vagus(
        "train", folder, "--instrument", "olink_IL6", "--accept", "lifestyle_out_of_range", cwd=tmp_path, check=False
    )
    assert done.returncode == 3, done.stderr
    assert "fiber_g_week_10" in done.stderr
    assert '[columns."fiber_g_week_10"] role = "baseline"' in done.stderr


def test_a_column_declared_as_measured_later_is_not_a_feature_and_stops_nothing(clean, tmp_path):

    folder = tmp_path / "cohort"
    shutil.copytree(clean, folder)
    follow_up_column(folder)
    with (folder / "cohort.toml").open("a") as toml:
        toml.write("\n[columns.phq9_week_8]\nmeasured_at = 8\n")
    cohort = read_cohort(folder)
    problem = pose(cohort, "PHQ-9")
    assert "phq9_week_8" not in problem.design.covariates
    assert find_leaks(cohort, problem) == []


def test_the_clean_cohort_has_no_leak(clean):

    cohort = read_cohort(clean)
    assert find_leaks(cohort, pose(cohort, "PHQ-9")) == []


@pytest.mark.parametrize("seed", range(5))
def test_clean_worlds_raise_no_alarm(seed):

    cohort = simulate(subjects=150, seed=seed, studies=1 + 2 * (seed % 2))[0]
    assert find_leaks(cohort, pose(cohort, "PHQ-9")) == []


def _labelled(extra):
    """Eighty people of two classes with one more column."""
    cohort = simulate(subjects=80, seed=5)[0]
    label = np.array(["case" if i % 2 else "control" for i in range(80)], dtype=object)
    blank = np.full(80, None, dtype=object)
    outcomes = {**cohort.outcomes, "label": label, "followup_score": blank, "change": blank}
    return replace(cohort, outcomes=outcomes, lifestyle={**cohort.lifestyle, "extra": np.array(extra, dtype=object)})


CLASS = [i % 2 for i in range(80)]


@pytest.mark.parametrize(
    "extra",
    [
        ["ill" if case else "well" for case in CLASS],
        [float(3 + i % 7) if case else None for i, case in enumerate(CLASS)],
        [10.0 * case + (i % 9) for i, case in enumerate(CLASS)],
    ],
    ids=["its other name", "asked of cases only", "a number that separates"],
)
def test_a_column_that_tells_the_class_is_caught(extra):
    cohort = _labelled(extra)
    problem = pose(cohort, "PHQ-9", task="label", positive="case")
    found = [(leak.code, leak.column) for leak in find_leaks(cohort, problem)]
    assert found == [("outcome_among_features", "extra")]


def test_a_column_that_goes_with_the_class_is_no_leak():
    cohort = _labelled([float(2 * case + (i * 7) % 11) for i, case in enumerate(CLASS)])
    assert find_leaks(cohort, pose(cohort, "PHQ-9", task="label", positive="case")) == []
