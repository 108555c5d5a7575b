"""A seal holds, or the folder is not believed."""

import json
import random
import stat

import pytest

from features.errors import InvalidInput, Refused, VerificationFailed
from models.manifest import write_manifest
from models.seal import create_key, key_id, load_key, public_text, read_public_key, sign_folder, verify_seal


@pytest.fixture
def key(tmp_path):
    return load_key(create_key(tmp_path / "keys", "team"))


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "weights.npy").write_bytes(bytes(range(64)))
    write_manifest(folder, {"instrument": "PHQ-9", "run_id": "r1"})
    return folder


def test_private_key_is_for_its_owner_only(tmp_path):
    path = create_key(tmp_path, "team")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_public_key(tmp_path / "team.pub") == public_text(load_key(path))


def test_a_key_is_never_overwritten(tmp_path):
    path = create_key(tmp_path, "team")
    before = path.read_bytes()
    with pytest.raises(Refused, match=r"team\.key exists"):
        create_key(tmp_path, "team")
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["", "../up", "a/b", "a b"])
def test_key_names_cannot_leave_the_folder(tmp_path, name):
    with pytest.raises(InvalidInput):
        create_key(tmp_path, name)


def test_key_id_is_the_head_of_the_sha256():
    # SHA-256 of 32 zero bytes is 66687aadf862bd77 6c8fc18b8e9f8e20 ...
    assert key_id("ed25519:" + "00" * 32) == "66687aadf862bd77"


@pytest.mark.parametrize("text", ["", "ed25519:00", "rsa:" + "00" * 32, "ed25519:" + "AB" * 32, "ed25519:" + "zz" * 32])
def test_other_texts_are_not_public_keys(text):
    with pytest.raises(VerificationFailed):
        key_id(text)


def test_unsigned_is_legal_and_said(folder):
    report = verify_seal(folder)
    assert (report.status, report.public_key) == ("unsigned", "")


def test_signed_then_trusted_when_the_key_is_pinned(folder, key):
    signed = sign_folder(folder, key)
    assert (signed.status, signed.public_key) == ("signed", public_text(key))
    assert signed.key_id == key_id(public_text(key))
    assert verify_seal(folder, [public_text(key)]).status == "trusted"


def test_pinned_key_refuses_other_signers_and_unsigned_folders(folder, key, tmp_path):
    other = load_key(create_key(tmp_path / "keys", "other"))
    with pytest.raises(VerificationFailed, match="unsigned"):
        verify_seal(folder, [public_text(key)])
    sign_folder(folder, other)
    with pytest.raises(VerificationFailed, match="not a trusted key"):
        verify_seal(folder, [public_text(key)])


def test_a_new_manifest_under_an_old_seal_is_seen(folder, key):
    sign_folder(folder, key)
    (folder / "weights.npy").write_bytes(b"other")
    write_manifest(folder, {"instrument": "PHQ-9", "run_id": "r1"})
    with pytest.raises(VerificationFailed, match="another manifest"):
        verify_seal(folder)


def test_the_signer_cannot_be_swapped(folder, key, tmp_path):
    sign_folder(folder, key)
    path = folder / "manifest.sig.json"
    seal = json.loads(path.read_text())
    seal["public_key"] = public_text(load_key(create_key(tmp_path / "keys", "other")))
    seal["key_id"] = key_id(seal["public_key"])
    path.write_text(json.dumps(seal, sort_keys=True, separators=(",", ":")))
    with pytest.raises(VerificationFailed, match="signature does not hold"):
        verify_seal(folder)


def test_every_flipped_bit_of_a_sealed_folder_is_seen(folder, key):
    sign_folder(folder, key)
    files = sorted(path for path in folder.iterdir())
    places = [(path, bit) for path in files for bit in range(8 * path.stat().st_size)]
    for path, bit in random.Random(5).sample(places, 400):
        whole = path.read_bytes()
        spoiled = bytearray(whole)
        spoiled[bit // 8] ^= 1 << bit % 8
        path.write_bytes(bytes(spoiled))
        with pytest.raises(VerificationFailed):
            verify_seal(folder, [public_text(key)])
        path.write_bytes(whole)
    assert verify_seal(folder, [public_text(key)]).status == "trusted"


def test_an_unreadable_key_is_bad_input(tmp_path):
    (tmp_path / "x.key").write_text("no key")
    for name in ("x.key", "absent.key"):
        with pytest.raises(InvalidInput, match="keys create"):
            load_key(tmp_path / name)
    with pytest.raises(InvalidInput):
        read_public_key(tmp_path / "x.key")
