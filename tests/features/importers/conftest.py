"""A small cohort folder that is right in everything, and a way to break it in one place."""

import gzip

import pytest

from features.importers.folder import check_cohort

TOML = 'title = "a trial"\nrandomised = true\nabundance_unit = "counts"\ntime_unit = "week"\n'
TABLES = {
    "samples.tsv": """sample_id\tsubject_id\tvisit\ttime\ttime_unit\tarm
A1\tA\tw0\t0\tweek\tactive
A2\tA\tw8\t8\tweek\tactive
B1\tB\tw0\t0\tweek\tplacebo
""",
    "lifestyle.tsv": """subject_id\tsample_id\tage_years\tsex\tfibre_g_day\tpet
A\t\t41\tFemale\t9.5\tcat
B\t\t\tm\t22\t
""",
    "outcomes.tsv": """subject_id\tsample_id\tinstrument\tbaseline_time\tbaseline_score\tfollowup_time\t\
followup_score\tchange
A\tA1\tPHQ-9\t0\t14\t8\t9\t-5
B\tB1\tPHQ-9\t0\t12\t8\t\t
""",
    "counts.tsv.gz": "sample_id\tf1\tf2\tf3\nA1\t3\t0\t5\nA2\t1\t2\t0\nB1\t0\t7\t1\n",
    "taxonomy.tsv": """feature_id\tKingdom\tPhylum\tFamily\tGenus
f1\tk__Bacteria\tBacillota\tLachnospiraceae\tBlautia
f2\tk__Bacteria\tBacillota\tLachnospiraceae\tBlautia
f3\tk__Bacteria\tBacteroidota\tBacteroidaceae\t
""",
    "cohort.toml": TOML,
}


def put(path, text):
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


@pytest.fixture
def folder(tmp_path):
    home = tmp_path / "cohort"
    home.mkdir()
    for name, text in TABLES.items():
        put(home / name, text)
    return home


@pytest.fixture
def write(folder):
    """Replace a file of the folder."""
    return lambda name, text: put(folder / name, text)


@pytest.fixture
def edit(folder):
    """Change one place of a file of the folder."""

    def change(name, old, new):
        path = folder / name
        text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
        assert old in text
        put(path, text.replace(old, new, 1))

    return change


@pytest.fixture
def found(folder):
    """What the check finds, as (code, file, row, column)."""
    return lambda: [(p.code, p.file, p.row, p.column) for p in check_cohort(folder)]
