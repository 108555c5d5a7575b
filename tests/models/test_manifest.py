"""A folder is what its manifest says, or the first difference is named."""

import hashlib
import json
import os

import pytest

from features.errors import InvalidInput, VerificationFailed
from models.manifest import folder_digest, read_manifest, verify_folder, write_manifest


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "arrays").mkdir()
    (tmp_path / "arrays" / "weights.npy").write_bytes(b"\x00\x01")
    (tmp_path / "card.md").write_text("A card\n")
    return tmp_path


def test_manifest_lists_every_file_with_its_digest(folder):
    manifest = write_manifest(folder, {"instrument": "PHQ-9"})
    assert manifest["format_version"] == 1
    assert manifest["instrument"] == "PHQ-9"
    assert manifest["files"] == {
        "arrays/weights.npy": "sha256:" + hashlib.sha256(b"\x00\x01").hexdigest(),
        "card.md": "sha256:" + hashlib.sha256(b"A card\n").hexdigest(),
    }
    assert read_manifest(folder) == verify_folder(folder) == manifest


def test_writing_twice_gives_the_same_bytes(folder):
    write_manifest(folder, {"b": 1, "a": [2.5, None]})
    first = (folder / "manifest.json").read_bytes()
    write_manifest(folder, {"a": [2.5, None], "b": 1})
    assert (folder / "manifest.json").read_bytes() == first


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "card.md").unlink(), "card.md: missing"),
        (lambda f: (f / "aaa.txt").write_text("x"), "aaa.txt: added"),
        (lambda f: (f / "arrays" / "weights.npy").write_bytes(b"\x00\x02"), "arrays/weights.npy: changed"),
        (lambda f: os.symlink(f / "card.md", f / "link.md"), "link.md: a symbolic link"),
    ],
)
def test_first_difference_is_named(folder, spoil, message):
    write_manifest(folder, {})
    spoil(folder)
    with pytest.raises(VerificationFailed, match=message):
        verify_folder(folder)


def test_folder_digest_ignores_who_and_when_but_not_what(folder):
    first = write_manifest(folder, {"run_id": "a", "created_at": "2026-01-01", "config": {"seed": 1}})
    again = write_manifest(folder, {"run_id": "b", "created_at": "2026-02-02", "config": {"seed": 1}})
    other = write_manifest(folder, {"run_id": "a", "created_at": "2026-01-01", "config": {"seed": 2}})
    assert folder_digest(first) == folder_digest(again)
    assert folder_digest(first) != folder_digest(other)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b"\xff", b'{"files": {}}', b'{"files":{},"files":{}}', b"[" * 99999]
)
def test_a_manifest_that_is_not_canonical_is_refused(folder, content):
    (folder / "manifest.json").write_bytes(content)
    with pytest.raises(VerificationFailed, match=r"manifest\.json"):
        read_manifest(folder)


@pytest.mark.parametrize("version", [0, 2, "1", None, True])
def test_an_unknown_format_version_is_refused(folder, version):
    text = json.dumps({"files": {}, "format_version": version}, sort_keys=True, separators=(",", ":"))
    (folder / "manifest.json").write_text(text)
    with pytest.raises(VerificationFailed, match="format_version"):
        read_manifest(folder)


def test_a_missing_manifest_is_said(tmp_path):
    with pytest.raises(VerificationFailed, match=r"manifest\.json: missing"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("fields", [{"files": {}}, {"format_version": 3}, {"x": float("nan")}, {"x": object()}])
def test_fields_that_cannot_be_written_are_refused(folder, fields):
    with pytest.raises(InvalidInput):
        write_manifest(folder, fields)


def test_links_are_refused_when_the_manifest_is_written(folder):
    os.symlink(folder / "card.md", folder / "link.md")
    with pytest.raises(InvalidInput, match=r"link\.md"):
        write_manifest(folder, {})
