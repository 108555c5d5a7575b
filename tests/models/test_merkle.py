"""RFC 6962 trees: hand-computed roots, every proof of small trees, and the published vectors."""

import base64
import hashlib
import json
from pathlib import Path

import pytest

from features.errors import VerificationFailed
from models.merkle import (
    EMPTY_ROOT,
    completed_nodes,
    leaf_hash,
    node_hash,
    prove,
    prove_each,
    range_hash,
    verify_consistency,
    verify_inclusion,
    verify_range,
)

VECTORS = Path(__file__).resolve().parents[2].parent / "shared" / "vectors" / "merkle"


def build(entries):
    nodes = {}
    for index, entry in enumerate(entries):
        for level, position, value in completed_nodes(index, leaf_hash(entry), lambda h, j: nodes[h, j]):
            nodes[level, position] = value
    return lambda level, index: nodes[level, index]


def test_published_constants():
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"


def test_root_of_five_entries_by_hand():
    def sha(data):
        return hashlib.sha256(data).digest()

    leaves = [sha(b"\x00" + bytes([i])) for i in range(5)]
    pairs = [sha(b"\x01" + leaves[0] + leaves[1]), sha(b"\x01" + leaves[2] + leaves[3])]
    four = sha(b"\x01" + pairs[0] + pairs[1])
    root = sha(b"\x01" + four + leaves[4])
    read = build([bytes([i]) for i in range(5)])
    assert range_hash(0, 5, read) == root
    assert prove(2, 3, 5, read) == [leaves[3], pairs[0], leaves[4]]
    assert prove(0, 3, 5, read) == [
        leaves[2],
        leaves[3],
        pairs[0],
        leaves[4],
    ]  # RFC 6962 2.1.2: PROOF(3, D[5])


def test_root_of_nothing_is_the_empty_root():
    assert range_hash(0, 0, build([])) == EMPTY_ROOT


def test_every_inclusion_and_consistency_proof_up_to_33_entries():
    entries = [str(i).encode() for i in range(33)]
    read = build(entries)
    for size in range(1, 34):
        root = range_hash(0, size, read)
        for index in range(size):
            verify_inclusion(leaf_hash(entries[index]), index, size, prove(index, index + 1, size, read), root)
        for old in range(1, size + 1):
            verify_consistency(range_hash(0, old, read), old, root, size, prove(0, old, size, read))


def test_any_change_to_a_proof_fails():
    entries = [str(i).encode() for i in range(13)]
    read = build(entries)
    root, leaf, proof = range_hash(0, 13, read), leaf_hash(b"6"), prove(6, 7, 13, read)
    wrong = [
        (leaf, 5, 13, proof, root),
        (leaf, 6, 8, proof, root),
        (leaf_hash(b"7"), 6, 13, proof, root),
        (leaf, 6, 13, proof[:-1], root),
        (leaf, 6, 13, [*proof, root], root),
        (leaf, 6, 13, proof[::-1], root),
        (leaf, 6, 13, proof, node_hash(root, root)),
        (leaf, -1, 13, proof, root),
        (leaf, 6, 1 << 70, proof, root),
    ]
    for case in wrong:
        with pytest.raises(VerificationFailed):
            verify_inclusion(*case)


def judge(vector, kind):
    decode = base64.b64decode
    proof = [decode(item) for item in vector["proof"] or []]
    part = decode(vector["leafHash" if kind == "inclusion" else "root1"])
    root = decode(vector["root" if kind == "inclusion" else "root2"])
    if kind == "inclusion" and "start" in vector:  # an entry of a subtree, the subtree's hash as the root
        start, end = vector["start"], vector["end"]
        if not 0 <= start < end < 1 << 63 or start % (1 << (end - start - 1).bit_length()):
            raise VerificationFailed("not a subtree")
        verify_inclusion(part, vector["leafIdx"] - start, end - start, proof, root)
    elif kind == "inclusion":
        verify_inclusion(part, vector["leafIdx"], vector["treeSize"], proof, root)
    elif "start" in vector:
        verify_range(part, (vector["start"], vector["end"]), vector["size"], proof, root)
    else:
        verify_consistency(part, vector["size1"], root, vector["size2"], proof)


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
        except VerificationFailed:
            valid = False
        if valid is vector["wantErr"]:
            misjudged.append(vector["name"])
    assert misjudged == []


@pytest.mark.parametrize(("first", "end", "size"), [(0, 1, 1), (0, 13, 13), (5, 9, 13), (12, 13, 13), (3, 8, 8)])
def test_proofs_of_neighbours_are_those_of_each(first, end, size):
    nodes = {}
    for i in range(size):
        for level, place, value in completed_nodes(i, leaf_hash(b"%d" % i), lambda *at: nodes[at]):
            nodes[level, place] = value
    read = lambda *at: nodes[at]  # noqa: E731
    assert prove_each(first, end, size, read) == [prove(i, i + 1, size, read) for i in range(first, end)]
