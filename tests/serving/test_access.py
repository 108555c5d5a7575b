"""Keys, tokens and budgets: what is stored, what is believed, how much is allowed."""

from __future__ import annotations

import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from features.errors import InvalidInput
from serving.__main__ import main
from serving.access import Access, read_keys
from serving.budget import Budget
from serving.faults import RequestError
from serving.tokens import Provider, Replays, Tokens


def enters(access, key):
    try:
        return access.principal({b"authorization": f"Bearer {key}".encode()})
    except RequestError as fault:
        return {401: None}[fault.status]


def grant(path, capsys, *options):
    assert main(["keys", "grant", "--file", str(path), *options]) == 0
    return capsys.readouterr().out.strip()


def test_a_granted_key_enters_with_its_role_and_is_stored_nowhere(tmp_path, capsys):
    path = tmp_path / "keys.jsonl"
    key = grant(path, capsys, "--role", "clinic", "--tenant", "north")
    holder = enters(Access(read_keys(path)), key)
    assert (holder.role, holder.tenant) == ("clinic", "north")
    assert key not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0


def test_a_rotated_key_works_until_its_grace_ends_and_a_revoked_one_no_more(tmp_path, capsys):
    path = tmp_path / "keys.jsonl"
    old = grant(path, capsys, "--role", "auditor")
    key_id = read_keys(path)[0].key_id
    assert main(["keys", "rotate", key_id, "--file", str(path), "--hours", "0"]) == 0
    new = capsys.readouterr().out.strip()
    access = Access(read_keys(path))
    assert enters(access, old) is None
    assert enters(access, new).role == "auditor"
    new_id = next(p.key_id for p in read_keys(path) if p.key_id != key_id)
    assert main(["keys", "revoke", new_id, "--file", str(path)]) == 0
    assert enters(Access(read_keys(path)), new) is None
    with pytest.raises(InvalidInput):
        main(["keys", "revoke", new_id, "--file", str(path)])


def test_a_damaged_key_file_is_refused_by_line(tmp_path):
    path = tmp_path / "keys.jsonl"
    path.write_text('{"key_id": "a", "digest": "b", "role": "clinic"}\n{"key_id": "a"}\n')
    with pytest.raises(InvalidInput) as caught:
        read_keys(path)
    assert caught.value.problems[0].row == 2


SECRET = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())


def token(key=SECRET, algorithm="ES256", kid="k1", drop=(), **changes):
    now = time.time()
    claims = {"iss": "https://id.test", "aud": "vagus", "iat": now, "exp": now + 60, "jti": str(now),
              "sub": "ann", "vagus_role": "clinic", "tenant": "north"}  # fmt: skip
    claims = {name: value for name, value in {**claims, **changes}.items() if name not in drop}
    return jwt.encode(claims, key, algorithm, headers={"kid": kid})


@pytest.fixture
def reader(tmp_path):
    public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(SECRET.public_key()))
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [{**public, "kid": "k1"}]}))
    provider = Provider("https://id.test", "vagus", tmp_path / "jwks.json")
    return Tokens(provider, Replays(tmp_path / "used.db"))


def test_a_good_token_speaks_for_its_subject_once(reader):
    good = token()
    access = Access([], reader)
    holder = enters(access, good)
    assert (holder.key_id, holder.role, holder.tenant) == ("jwt:ann", "clinic", "north")
    assert enters(access, good) is None  # replayed


BAD = {
    "another signer": lambda: token(OTHER),
    "a shared secret": lambda: token("a shared secret of thirty-two bytes", "HS256"),
    "no signature": lambda: token(None, "none"),
    "an unknown key": lambda: token(kid="k2"),
    "another issuer": lambda: token(iss="https://evil.test"),
    "another audience": lambda: token(aud="other"),
    "expired": lambda: token(exp=time.time() - 120),
    "not yet issued": lambda: token(iat=time.time() + 600),
    "no id": lambda: token(drop=("jti",)),
    "no expiry": lambda: token(drop=("exp",)),
    "no role": lambda: token(drop=("vagus_role",)),
    "an invented role": lambda: token(vagus_role="root"),
    "RSA under an EC key id": lambda: token(rsa.generate_private_key(65537, 2048), "RS256"),
    "no token": lambda: "a.b.c",
}


@pytest.mark.parametrize("name", BAD)
def test_a_token_with_anything_wrong_does_not_enter(reader, name):
    assert enters(Access([], reader), BAD[name]()) is None


def test_a_bucket_empties_refills_and_says_how_long_to_wait():
    budget = Budget(rate=2.0, burst=3.0)
    for _ in range(3):
        budget.spend("a", now=0.0)
    with pytest.raises(RequestError) as caught:
        budget.spend("a", now=0.0)
    assert (caught.value.status, caught.value.retry_after) == (429, 1)
    budget.spend("b", now=0.0)
    budget.spend("a", now=0.5)  # half a second at two per second is one token
    with pytest.raises(RequestError):
        budget.spend("a", now=0.5)
