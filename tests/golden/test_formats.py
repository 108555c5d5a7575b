"""Every past format is read and verified for ever: these files were written once and never change."""

import json
from pathlib import Path

import pandas as pd
import pytest

from features.design import Design
from models.bundle import Bundle
from models.log_audit import verify_log
from models.log_reader import LogReader
from models.log_store import open_store
from models.receipt import verify_receipt
from models.seal import read_public_key, verify_seal
from training.audit.verify_receipt import verify_receipt as verify_alone

FORMATS = Path(__file__).resolve().parent / "formats"


@pytest.fixture(params=sorted(path.name for path in FORMATS.iterdir()))
def past(request):
    return FORMATS / request.param


@pytest.fixture
def signer(past):
    return read_public_key(past / "signer.pub")


def test_a_past_receipt_verifies_with_both_verifiers(past, signer):
    content = (past / "receipt.json").read_bytes()
    receipt, checkpoint = verify_receipt(content, [signer])
    assert verify_alone(content, signer) == receipt
    assert receipt["answer"] == {"id": "invented-1", "change": -3.25}
    assert (receipt["index"], checkpoint.size) == (1, 2)


def test_a_past_sealed_folder_verifies(past, signer):
    report = verify_seal(past / "sealed-folder", [signer])
    assert (report.status, report.digest) == (
        "trusted",
        "sha256:2cf3ad91028120b26c9b14b187ebe95fd53ff127b43865b1dd538c613d61f4ae",
    )


def test_a_past_log_verifies_with_its_erasure_and_rotation(past, signer):
    store = open_store(past / "log-backup" / "log.sqlite", create=False)
    report = verify_log(LogReader(store), [signer], [verify_receipt((past / "receipt.json").read_bytes())[1]])
    store.close()
    assert (report.size, report.erased, len(report.keys)) == (6, (2,), 2)
    assert verify_seal(past / "log-backup", [signer]).status == "trusted"


@pytest.mark.parametrize("name", ["random_forest", "xgboost"])
def test_a_past_bundle_of_trees_answers_as_it_did(past, name):
    """Written before covers were kept: the trees are one contribution."""
    expected = json.loads((past / "trees" / "answers.json").read_text())[name]
    people = Design.from_frame(pd.read_csv(past / "trees" / "people.tsv", sep="\t", keep_default_na=False), "counts")
    found = Bundle.load(past / "trees" / f"bundle-{name}").predict(people)
    assert found.change.tolist() == pytest.approx(expected["change"], abs=1e-12)
    assert list(found.contributions) == ["origin", "trees", "range"]
    for part, points in found.contributions.items():
        assert points.tolist() == pytest.approx(expected["contributions"][part], abs=1e-12), part


@pytest.mark.parametrize("kind", ["additive", "residual_trees"])
def test_a_past_bundle_answers_as_it_did(past, kind):
    """The additive one was written before squares and blanks of lifestyle were blocks of their own: all are `life`."""
    expected = json.loads((past / kind / "answers.json").read_text())
    people = Design.from_frame(pd.read_csv(past / kind / "people.tsv", sep="\t"), "counts")
    found = Bundle.load(past / kind / "bundle").predict(people)
    assert found.change.tolist() == pytest.approx(expected["change"], abs=1e-12)
    assert found.lower.tolist() == pytest.approx(expected["lower"], abs=1e-12)
    for part, points in found.contributions.items():
        assert points.tolist() == pytest.approx(expected["contributions"][part], abs=1e-12), part
