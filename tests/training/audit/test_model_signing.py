"""Model signatures: the published bundles judged right, our own read back, any change seen."""

import base64
import json
from pathlib import Path

import pytest

from features.errors import VerificationFailed
from models.manifest import write_manifest
from models.seal import create_key, load_key, public_text
from training.audit.model_signing import key_pem, read_signature, sign_model, verify_model

VECTORS = Path(__file__).resolve().parents[3].parent / "shared" / "vectors" / "model-signing" / "v1.0"


@pytest.mark.shared
def test_published_bundles_are_judged_right():
    if not VECTORS.is_dir():
        pytest.skip(f"the published vectors are not at {VECTORS}")
    judged = {}
    for path in sorted(VECTORS.glob("*/*.bundle.json")):
        try:
            read_signature(path.read_bytes())
            judged[path.relative_to(VECTORS).as_posix()] = True
        except VerificationFailed:
            judged[path.relative_to(VECTORS).as_posix()] = False
    assert judged == {name: name.startswith("valid/") for name in judged}
    assert len(judged) == 8


@pytest.mark.shared
@pytest.mark.parametrize("name", ["certificate", "sigstore"])
def test_a_spoiled_published_bundle_is_refused(name):
    path = VECTORS / "valid" / f"{name}.bundle.json"
    if not path.is_file():
        pytest.skip(f"the published vectors are not at {VECTORS}")
    assert read_signature(path.read_bytes()).checked
    bundle = json.loads(path.read_text())
    payload = bytearray(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    payload[payload.index(b"signme-1") + 7] = ord("3")
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(bytes(payload)).decode()
    with pytest.raises(VerificationFailed, match="signature does not hold"):
        read_signature(json.dumps(bundle).encode())


@pytest.fixture
def key(tmp_path):
    return load_key(create_key(tmp_path / "keys", "team"))


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "bundle"
    (folder / "arrays").mkdir(parents=True)
    (folder / "arrays" / "weights.npy").write_bytes(b"\x01\x02")
    (folder / "model.json").write_text("{}")
    write_manifest(folder, {"name": "vagus-phq-9"})
    return folder


def test_our_own_signature_reads_back_and_covers_every_file(folder, key):
    found = read_signature(sign_model(folder, key), key_pem(public_text(key)))
    assert (found.name, found.checked, found.material) == ("vagus-phq-9", True, "publicKey")
    assert set(found.files) == {"arrays/weights.npy", "manifest.json", "model.json"}
    verify_model(folder, found)


@pytest.mark.parametrize("spoil", ["change", "add", "remove"])
def test_a_changed_folder_is_not_the_one_that_was_signed(folder, key, spoil):
    found = read_signature(sign_model(folder, key), key_pem(public_text(key)))
    if spoil == "remove":
        (folder / "model.json").unlink()
    else:
        (folder / ("model.json" if spoil == "change" else "more.json")).write_text("[]")
    with pytest.raises(VerificationFailed, match=r"(model|more)\.json: not the file that was signed"):
        verify_model(folder, found)


def test_another_key_does_not_verify(folder, key, tmp_path):
    other = key_pem(public_text(load_key(create_key(tmp_path / "keys", "other"))))
    with pytest.raises(VerificationFailed, match="signature does not hold"):
        read_signature(sign_model(folder, key), other)


def test_without_the_key_the_result_says_unchecked(folder, key):
    assert read_signature(sign_model(folder, key)).checked is False


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b'{"mediaType": 5}', b"\xff"])
def test_other_files_are_no_signatures(content):
    with pytest.raises(VerificationFailed):
        read_signature(content)
