"""The stand-alone verifier agrees with the published proofs and with Vagus, and needs nothing of Vagus."""

import ast
import base64
import importlib.util
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from features.digest import canonical_json
from models.log import open_log
from models.record import Event, create_secret
from models.seal import create_key, load_key

ROOT = Path(__file__).resolve().parents[3]
VERIFIER = ROOT / "training" / "audit" / "verify_receipt.py"
VECTORS = ROOT.parent / "shared" / "vectors" / "merkle"
INPUT = {"baseline": {"instrument": "PHQ-9", "score": 14}}

spec = importlib.util.spec_from_file_location("stand_alone_verifier", VERIFIER)
verifier = importlib.util.module_from_spec(spec)
spec.loader.exec_module(verifier)


@pytest.fixture
def log(tmp_path):
    key = load_key(create_key(tmp_path / "keys", "log"))
    log = open_log(tmp_path / "log.sqlite", key=key, secret=create_secret(tmp_path / "keys" / "secret"))
    yield log
    log.close()


def predictions(count):
    return [
        Event(
            "prediction",
            "clinic-a",
            {"model_digest": "sha256:0"},
            f"p{n}",
            INPUT,
            {"change": -n / 7, "id": n},
        )
        for n in range(count)
    ]


def run(*arguments):
    # -I: no environment, no working directory, hence no way to reach the packages of Vagus.
    command = [sys.executable, "-I", str(VERIFIER), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_it_is_short_and_imports_nothing_of_vagus():
    text = VERIFIER.read_text()
    assert len(text.splitlines()) < 200
    imported = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            imported |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.split(".")[0])
    assert imported <= sys.stdlib_module_names | {"cryptography"}


def judge(vector, kind):
    proof = [base64.b64decode(item) for item in vector["proof"] or []]
    part, root = (
        base64.b64decode(vector[name]) for name in (("leafHash", "root") if kind == "inclusion" else ("root1", "root2"))
    )
    if kind == "inclusion" and "start" in vector:
        start, end = vector["start"], vector["end"]
        width = 1 << max(end - start - 1, 0).bit_length()
        verifier.check(0 <= start < end < 1 << 63 and start % width == 0, "not a subtree")
        verifier.verify_inclusion(part, vector["leafIdx"] - start, end - start, proof, root)
    elif kind == "inclusion":
        verifier.verify_inclusion(part, vector["leafIdx"], vector["treeSize"], proof, root)
    elif "start" in vector:
        verifier.verify_subtree(part, (vector["start"], vector["end"]), vector["size"], proof, root)
    else:
        verifier.verify_consistency(part, vector["size1"], root, vector["size2"], proof)


@pytest.mark.shared
@pytest.mark.parametrize(("kind", "count"), [("inclusion", 302), ("consistency", 216)])
def test_published_proofs_are_judged_right(kind, count):
    path = VECTORS / f"{kind}.json"
    if not path.exists():
        pytest.skip(f"the published vectors are not at {path}")
    vectors = json.loads(path.read_text())
    assert len(vectors) == count
    misjudged = []
    for vector in vectors:
        try:
            judge(vector, kind)
            valid = True
        except verifier.NotVerifiedError:
            valid = False
        if valid is vector["wantErr"]:
            misjudged.append(vector["name"])
    assert misjudged == []


def test_receipts_of_every_place_verify_and_mutated_ones_do_not(log):
    draw = random.Random(3)
    receipts = [receipt for size in (1, 2, 5, 24, 68) for receipt in log.append(predictions(size))]
    for receipt in receipts:
        assert verifier.verify_receipt(receipt, log.public_key)["entry"]["kind"] == "prediction"
        spoiled = bytearray(receipt)
        spoiled[draw.randrange(len(spoiled))] ^= 1 << draw.randrange(8)
        with pytest.raises(verifier.NotVerifiedError):
            verifier.verify_receipt(bytes(spoiled), log.public_key)


def test_command_line_verifies_with_a_pinned_key_and_the_input(log, tmp_path):
    (tmp_path / "receipt.json").write_bytes(log.append(predictions(3))[2])
    (tmp_path / "input.json").write_text(json.dumps(INPUT, indent=1))
    done = run(tmp_path / "receipt.json", "--key", tmp_path / "keys" / "log.pub", "--input", tmp_path / "input.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("VERIFIED: prediction ")
    assert "the key you trust" in done.stdout
    assert "nobody pinned" in run(tmp_path / "receipt.json").stdout


def test_command_line_says_what_does_not_hold(log, tmp_path):
    receipt = log.append(predictions(1))[0]
    content = json.loads(receipt)
    cases = {
        "answer.json": (canonical_json({**content, "answer": {"change": 1}}), "the answer is not the one"),
        "pretty.json": (json.dumps(content, indent=2).encode(), "canonical form"),
        "empty.json": (b"", "wrong form"),
    }
    for name, (text, message) in cases.items():
        (tmp_path / name).write_bytes(text)
        done = run(tmp_path / name)
        assert (done.returncode, done.stderr) == (4, "")
        assert message in done.stdout
    assert run(tmp_path / "pretty.json", "--reformatted").returncode == 0
    assert run(tmp_path / "answer.json", "--reformatted").returncode == 4
    (tmp_path / "receipt.json").write_bytes(receipt)
    (tmp_path / "other.json").write_text("{}")
    assert "the input is not the one" in run(tmp_path / "receipt.json", "--input", tmp_path / "other.json").stdout
    other = "ed25519:" + "00" * 32
    assert "another key" in run(tmp_path / "receipt.json", "--key", other).stdout
    assert run(tmp_path / "absent.json").returncode == 4
    assert run().returncode == 2
