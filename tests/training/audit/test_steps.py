"""Two run folders compared step by step: one planted change is named at its step."""

import json

import pytest

from features.digest import canonical_json
from models.manifest import write_manifest
from training.audit import steps
from training.audit.runs import read_run

RECORD = {
    "code_digest": "sha256:c",
    "versions": {"numpy": "2.4.6"},
    "gates": {"coverage": {"status": "pass", "reason": "refused only outside 0.86-0.94"}},
    "metrics": {"mae": {"estimate": 3.25}},
}


def in_record(change):
    def plant(folder):
        record = json.loads((folder / "run.json").read_text())
        change(record)
        (folder / "run.json").write_bytes(canonical_json(record))

    return plant


def in_table(name, line, old, new):
    def plant(folder):
        lines = (folder / name).read_text().splitlines()
        changed = lines[line].replace(old, new, 1)
        assert changed != lines[line]
        lines[line] = changed
        (folder / name).write_text("\n".join(lines) + "\n")

    return plant


def in_bundle(folder):
    (folder / "bundle" / "arrays.npz").write_bytes(b"other weights")
    write_manifest(folder / "bundle", {"kind": "bundle"})


def drop_row(folder):
    lines = (folder / "rows.tsv").read_text().splitlines()
    (folder / "rows.tsv").write_text("\n".join(lines[:-1]) + "\n")


PLANTED = {
    "a line of code": (in_record(lambda r: r.update(code_digest="sha256:x")), "code"),
    "a library version": (in_record(lambda r: r["versions"].update(numpy="2.4.5")), "library"),
    "the lock": (in_record(lambda r: r.update(lock_digest="sha256:x")), "library"),
    "the seed": (in_record(lambda r: r["config"].update(seed=1)), "settings"),
    "the data digest": (in_record(lambda r: r.update(data_digest="sha256:x")), "data"),
    "a row removed": (drop_row, "features"),
    "a value in a row": (in_table("rows.tsv", 5, "\t", "\t0"), "features"),
    "a person's fold": (in_table("splits.tsv", 3, "0\t", "1\t"), "split"),
    "a prediction": (in_table("oof.tsv", 9, "fibre", "placebo"), "predictions"),
    "a weight": (in_bundle, "model"),
    "a metric": (in_record(lambda r: r["metrics"]["mae"].update(estimate=3.2)), "figures"),
    "a threshold": (in_record(lambda r: r["gates"]["coverage"].update(reason="outside 0.80-0.99")), "thresholds"),
}


def write(simulation, folder):
    simulation.write(folder, record=RECORD)
    (folder / "bundle").mkdir()
    (folder / "bundle" / "arrays.npz").write_bytes(b"weights")
    write_manifest(folder / "bundle", {"kind": "bundle", "run_id": folder.name})
    write_manifest(folder, {"kind": "run"})
    return folder


def test_equal_folders_are_identical_whatever_run_id_and_time(simulation, tmp_path):
    first, second = (read_run(write(simulation, tmp_path / name)) for name in "ab")
    found = steps.judge(first, second)
    assert found.verdict == "identical"
    assert [step.status for step in found.steps] == ["equal"] * len(steps.STEPS)


@pytest.mark.parametrize("planted", PLANTED)
def test_one_planted_change_is_located_at_its_step(simulation, tmp_path, planted):
    change, name = PLANTED[planted]
    first, second = (write(simulation, tmp_path / name) for name in "ab")
    change(second)
    write_manifest(second, {"kind": "run"})
    found = steps.judge(read_run(first), read_run(second))
    assert found.verdict == f"differs at {name}"
    assert [item.name for item in found.steps if item.status == "differs"] == [name]


def nudge(folder, by):
    lines = (folder / "oof.tsv").read_text().splitlines()
    cells = lines[4].split("\t")
    cells[9] = repr(float(cells[9]) + by)
    lines[4] = "\t".join(cells)
    (folder / "oof.tsv").write_text("\n".join(lines) + "\n")
    write_manifest(folder, {"kind": "run"})
    return read_run(folder)


def test_the_bound_between_processors_is_declared_and_used_only_on_request(simulation, tmp_path):
    first = read_run(write(simulation, tmp_path / "a"))
    near = nudge(write(simulation, tmp_path / "b"), 1e-9)
    assert steps.judge(first, near).verdict == "differs at predictions"
    found = steps.judge(first, near, bound=steps.CPU_BOUND)
    assert found.verdict == "within bound"
    far = nudge(write(simulation, tmp_path / "c"), 1e-3)
    assert steps.judge(first, far, bound=steps.CPU_BOUND).verdict == "differs at predictions"


def test_the_first_differing_cell_is_named_without_its_value(simulation, tmp_path):
    first = read_run(write(simulation, tmp_path / "a"))
    found = steps.judge(first, nudge(write(simulation, tmp_path / "b"), 0.5))
    detail = next(step.detail for step in found.steps if step.status == "differs")
    assert detail.startswith("oof.tsv: line 5, column prediction is the first of 1 values that differ")


def elsewhere(simulate, tmp_path):
    """The same run on an installation with another secret: other names of people, so another order of splits.tsv."""
    other = simulate()
    other.subject = [f"{(int(who, 16) * 7919) % 100003 + 7:016x}" for who in other.subject]
    folder = write(other, tmp_path / "elsewhere")
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_bytes(canonical_json({**record, "subject_key_id": "another"}))
    return folder


def test_an_installation_with_another_secret_can_still_prove_equality(simulation, simulate, tmp_path):
    first, second = write(simulation, tmp_path / "a"), elsewhere(simulate, tmp_path)
    assert (first / "splits.tsv").read_text() != (second / "splits.tsv").read_text()
    write_manifest(second, {"kind": "run"})
    assert steps.judge(read_run(first), read_run(second)).verdict == "identical"


@pytest.mark.parametrize(
    ("table", "line", "step"), [("rows.tsv", 5, "split"), ("splits.tsv", 9, "split"), ("oof.tsv", 12, "predictions")]
)
def test_and_a_person_under_another_name_is_still_found(simulation, simulate, tmp_path, table, line, step):
    first, second = write(simulation, tmp_path / "a"), elsewhere(simulate, tmp_path)
    in_table(table, line, "0000000", "f000000")(second)
    write_manifest(second, {"kind": "run"})
    assert steps.judge(read_run(first), read_run(second)).verdict == f"differs at {step}"
