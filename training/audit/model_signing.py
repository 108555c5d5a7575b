"""OpenSSF model signatures: read and judge those of other tools, and write one for a bundle.

A signature is a Sigstore bundle around a DSSE envelope around an in-toto statement that lists every file of a model
with its SHA-256. Judged here: form, statement, the digest over all files, the signature where its key is at hand (in
the bundle's certificate, or given), the chain's inner consistency, and the inclusion proof of a transparency log. Who
stands behind a certificate is not judged: pin the key. Reference: OpenSSF model signing specification 1.0.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from features.digest import canonical_json, folder_digests
from features.errors import VerificationFailed
from models.manifest import read_manifest
from models.merkle import leaf_hash, verify_inclusion
from models.seal import public_bytes, public_text

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"

_HASH_OF_CURVE = {"secp256r1": hashes.SHA256(), "secp384r1": hashes.SHA384(), "secp521r1": hashes.SHA512()}
_MATERIALS = ("publicKey", "certificate", "x509CertificateChain")


@dataclass(frozen=True)
class ModelSignature:
    """What a signature says: the files of a model and their digests, how it was made, whether it was checked."""

    material: str
    name: str
    digest: str
    files: Mapping[str, str]
    ignored: tuple[str, ...]
    checked: bool


def read_signature(content: bytes, public_key: bytes | None = None) -> ModelSignature:
    """Return a model signature after judging all that can be judged; `public_key` is a PEM, for key signatures.

    Raises VerificationFailed naming the part that is missing or does not hold. Without a key at hand the signature
    itself stays unchecked, and the result says so.
    """
    try:
        bundle = json.loads(content)
        material = _material(bundle)
        envelope = bundle["dsseEnvelope"]
        payload = base64.b64decode(envelope["payload"], validate=True)
        if envelope["payloadType"] != PAYLOAD_TYPE or len(envelope["signatures"]) != 1:
            raise VerificationFailed("model signature: not one signature over an in-toto statement")
        signature = base64.b64decode(envelope["signatures"][0]["sig"], validate=True)
        found = _statement(json.loads(payload), material)
        key = _key(bundle["verificationMaterial"], material, public_key)
        if key is not None:
            _verify(key, signature, _encoded(payload))
        _transparency(bundle["verificationMaterial"], payload)
    except VerificationFailed:
        raise
    except InvalidSignature as error:
        raise VerificationFailed("model signature: the signature does not hold") from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise VerificationFailed("model signature: a part is missing or has the wrong form") from error
    return ModelSignature(**{**vars(found), "checked": key is not None})


def verify_model(folder: Path, signature: ModelSignature) -> None:
    """Raise VerificationFailed naming the first file of a folder that the signature does not cover as it is."""
    ignored = set(signature.ignored)
    found = {
        name: digest.removeprefix("sha256:")
        for name, digest in folder_digests(folder).items()
        if not ignored.intersection({name, *Path(name).parts})
    }
    for name in sorted(found.keys() | signature.files.keys()):
        if found.get(name) != signature.files.get(name):
            raise VerificationFailed(f"{name}: not the file that was signed")


def sign_model(folder: Path, key: Ed25519PrivateKey) -> bytes:
    """Return the model signature of a sealed folder, to be kept beside it; Ed25519, as the seal."""
    files = folder_digests(folder)
    resources = [{"algorithm": "sha256", "digest": d.removeprefix("sha256:"), "name": n} for n, d in files.items()]
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [
            {"name": str(read_manifest(folder).get("name", folder.name)), "digest": {"sha256": _digest(resources)}}
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "resources": resources,
            "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False, "ignore_paths": []},
        },
    }
    payload = canonical_json(statement)
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    signed = base64.b64encode(key.sign(_encoded(payload))).decode()
    bundle = {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": hashlib.sha256(pem).hexdigest()}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": signed, "keyid": public_text(key)}],
        },
    }
    return canonical_json(bundle)


def key_pem(public_key: str) -> bytes:
    """Return an `ed25519:` public key as PEM, the form that other tools read."""
    key = Ed25519PublicKey.from_public_bytes(public_bytes(public_key))
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _material(bundle: Mapping[str, Any]) -> str:
    if not str(bundle["mediaType"]).startswith("application/vnd.dev.sigstore.bundle"):
        raise VerificationFailed("model signature: not a Sigstore bundle")
    given = [name for name in _MATERIALS if name in bundle["verificationMaterial"]]
    if len(given) != 1:
        raise VerificationFailed("model signature: names no key or certificate, or several")
    entries = bundle["verificationMaterial"]["tlogEntries"]
    # A short-lived certificate proves nothing without a log that saw it in time.
    if given[0] == "certificate" and not entries:
        raise VerificationFailed("model signature: a certificate without an entry of a transparency log")
    return given[0]


def _statement(statement: Mapping[str, Any], material: str) -> ModelSignature:
    if statement["_type"] != STATEMENT_TYPE or statement["predicateType"] != PREDICATE_TYPE:
        raise VerificationFailed("model signature: the statement is not about a model")
    resources, subject = statement["predicate"]["resources"], statement["subject"]
    if len(subject) != 1 or subject[0]["digest"]["sha256"] != _digest(resources):
        raise VerificationFailed("model signature: the digest is not that of the files listed")
    files = {item["name"]: item["digest"] for item in resources if item["algorithm"] == "sha256"}
    if len(files) != len(resources) or not files:
        raise VerificationFailed("model signature: files are listed twice, not at all, or not by SHA-256")
    ignored = tuple(statement["predicate"].get("serialization", {}).get("ignore_paths", ()))
    return ModelSignature(material, subject[0]["name"], subject[0]["digest"]["sha256"], files, ignored, False)


def _key(
    material: Mapping[str, Any], kind: str, public_key: bytes | None
) -> Ed25519PublicKey | ec.EllipticCurvePublicKey | None:
    if kind == "publicKey":
        key = None if public_key is None else serialization.load_pem_public_key(public_key)
    else:
        listed = [material[kind]] if kind == "certificate" else material[kind]["certificates"]
        chain = [x509.load_der_x509_certificate(base64.b64decode(item["rawBytes"])) for item in listed]
        for own, issuer in pairwise(chain):
            own.verify_directly_issued_by(issuer)
        key = chain[0].public_key()
    if key is not None and not isinstance(key, Ed25519PublicKey | ec.EllipticCurvePublicKey):
        raise VerificationFailed("model signature: a kind of key that this format does not use")
    return key


def _verify(key: Ed25519PublicKey | ec.EllipticCurvePublicKey, signature: bytes, content: bytes) -> None:
    if isinstance(key, Ed25519PublicKey):
        key.verify(signature, content)
    else:
        key.verify(signature, content, ec.ECDSA(_HASH_OF_CURVE[key.curve.name]))


def _transparency(material: Mapping[str, Any], payload: bytes) -> None:
    """Check the inclusion proof of each log entry, and that the entry is about this payload."""
    for entry in material["tlogEntries"]:
        body, proof = base64.b64decode(entry["canonicalizedBody"]), entry["inclusionProof"]
        if json.loads(body)["spec"]["payloadHash"]["value"] != hashlib.sha256(payload).hexdigest():
            raise VerificationFailed("model signature: the log entry is about another statement")
        hashes_up = [base64.b64decode(item) for item in proof["hashes"]]
        root = base64.b64decode(proof["rootHash"])
        verify_inclusion(leaf_hash(body), int(proof["logIndex"]), int(proof["treeSize"]), hashes_up, root)


def _encoded(payload: bytes) -> bytes:
    """Return DSSE's pre-authentication encoding."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def _digest(resources: list[dict[str, str]]) -> str:
    return hashlib.sha256(b"".join(bytes.fromhex(item["digest"]) for item in resources)).hexdigest()
