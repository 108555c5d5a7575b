"""One event as an immutable entry of the log.

An entry is public: what happened, when, by whom, with which model. What concerns a person stands in its
private part, as keyed digests only (HMAC-SHA256 with a secret kept outside the store), and the entry carries
the digest of that part. Erasing the private part therefore leaves the entry, the tree and every proof valid.
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from features.digest import canonical_json, sha256
from features.errors import Refused, invalid

RECORD_VERSION = 1

#: What is logged. Events about a person are those whose facts are limited to PERSON_FACTS.
KINDS: Mapping[str, str] = {
    "prediction": "an answer was given about a person",
    "refusal": "an answer about a person was declined",
    "load": "a bundle was verified and loaded",
    "export": "a bundle was written",
    "promotion": "an alias was moved to a run",
    "rollback": "an alias was moved back",
    "plan": "thresholds, hold-out digest and planned change were fixed before evaluation",
    "evaluation": "a run was evaluated and recorded",
    "config": "a setting changed",
    "access": "someone read or used a protected route",
    "stop": "the stop switch was set or released",
    "override": "a clinician decided otherwise",
    "withdrawal": "a person withdrew consent",
    "erasure": "the private parts of a person's entries were erased",
    "purge": "entries past retention were emptied",
    "key": "the log's signing key was replaced",
}
PERSON_KINDS = frozenset({"prediction", "refusal", "override", "withdrawal"})

#: The only facts an entry about a person may state: digests, names of versions, no value of a patient.
PERSON_FACTS = frozenset(
    {"model_name", "model_version", "model_digest", "run_id", "bundle_digest", "code_digest", "instrument"}
    | {"preprocessing_digest", "thresholds_digest", "consent_version", "site_reference", "answered", "route"}
)


@dataclass(frozen=True)
class Event:
    """Something that happened. `subject`, `input` and `answer` are never stored, only their keyed digests.

    `kind` is one of KINDS; `actor` names the key or account that acted; `facts` are plain JSON; `input` and `answer` are
    JSON values, or the canonical bytes of one.
    """

    kind: str
    actor: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    subject: str | None = None
    input: Any = None
    answer: Any = None
    id: str = field(default_factory=lambda: secrets.token_hex(16))

    def __post_init__(self) -> None:
        """Refuse an unknown kind, or a fact that could carry a patient's value."""
        if self.kind not in KINDS:
            raise invalid("event-kind", "unknown kind of event", f"use one of {', '.join(KINDS)}")
        about_person = self.kind in PERSON_KINDS or self.subject is not None or self.answer is not None
        if about_person and not self.facts.keys() <= PERSON_FACTS:
            extra = min(self.facts.keys() - PERSON_FACTS)
            raise Refused("event-facts", f"the log takes no fact {extra!r} about a person: digests only")


@dataclass(frozen=True)
class Entry:
    """An event in the form that is stored: canonical bytes, and the keyed digest of its subject.

    `answer` (canonical bytes) and `salt` are never stored: the receipt is made of them.
    """

    id: str
    content: bytes
    private: bytes | None
    subject: str | None
    answer: bytes
    salt: bytes


def create_secret(path: Path) -> bytes:
    """Create the file of the digest secret (64 hex digits, mode 0600), kept outside the store; return it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise Refused("secret-exists", f"{path.name} exists; a secret is never overwritten") from error
    secret = secrets.token_bytes(32)
    with os.fdopen(handle, "w") as file:
        file.write(secret.hex() + "\n")
    return secret


def read_secret(path: Path) -> bytes:
    """Return the digest secret of a file; raises InvalidInput where it is none."""
    try:
        secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise invalid("secret-unreadable", "no readable secret", "create one", file=path.name) from error
    if len(secret) != 32:
        raise invalid("secret-short", "a secret has 64 hex digits", "create a new one", file=path.name)
    return secret


def keyed_digest(key: bytes, label: str, value: object) -> str:
    """Return `hmac-sha256:<hex>` of a JSON value, or of its canonical bytes, under a key; `label` keeps uses apart."""
    # Not `hmac.digest`: it lets go of the interpreter at every call, and where threads wait for that, gets it back milliseconds later.
    return "hmac-sha256:" + hmac.new(key, label.encode() + b"\x00" + _content(value), "sha256").hexdigest()


def _content(value: object) -> bytes:
    """Canonical bytes of what is JSON; bytes, which no JSON value is, are canonical already."""
    return value if isinstance(value, bytes) else canonical_json(value)


def subject_digest(secret: bytes, subject: str) -> str:
    """Return the keyed digest under which a person's entries are found."""
    return keyed_digest(secret, "subject", subject)


def event_salt(secret: bytes, event_id: str) -> bytes:
    """Return the salt of one event: given in its receipt, derived again from the secret, never stored."""
    return hmac.new(secret, b"salt\x00" + event_id.encode(), "sha256").digest()


def make_entries(events: Sequence[Event], time: str, secret: bytes) -> list[Entry]:
    """Return the stored form of events at a UTC time; raises InvalidInput where a part is no JSON."""
    shared: dict[int, bytes] = {}  # the answers of one request state the same facts: they are written out once
    try:
        for event in events:
            if id(event.facts) not in shared:
                shared[id(event.facts)] = canonical_json(dict(event.facts))
        return [_entry(event, shared[id(event.facts)], time, secret) for event in events]
    except (TypeError, ValueError) as error:
        remedy = "use null for a number that does not exist"
        raise invalid("event-json", "facts, input and answer of an event are plain JSON", remedy) from error


def _entry(event: Event, facts: bytes, time: str, secret: bytes) -> Entry:
    answer = _content(event.answer)
    if event.subject is None and event.answer is None and event.input is None:
        return Entry(event.id, _public_part(event, facts, time, None), None, None, answer, b"")
    salt = event_salt(secret, event.id)
    subject = None if event.subject is None else subject_digest(secret, event.subject)
    private = _private_part(event, salt, subject, answer)
    return Entry(event.id, _public_part(event, facts, time, sha256(private)), private, subject, answer, salt)


# Both parts are canonical JSON, put together from parts that are: their keys in order, with nothing between them.
def _private_part(event: Event, salt: bytes, subject: str | None, answer: bytes) -> bytes:
    return (
        f'{{"answer":"{keyed_digest(salt, "answer", answer)}","input":"{keyed_digest(salt, "input", event.input)}",'
        f'"nonce":"{secrets.token_hex(16)}","subject":{_quoted(subject)}}}'
    ).encode()


def _public_part(event: Event, facts: bytes, time: str, private: str | None) -> bytes:
    head = b'{"actor":%b,"facts":%b,"format_version":%d,"id":%b' % (
        canonical_json(event.actor), facts, RECORD_VERSION, canonical_json(event.id)
    )  # fmt: skip
    return head + f',"kind":"{event.kind}","private":{_quoted(private)},"time":"{time}"}}'.encode()


def _quoted(digest: str | None) -> str:
    return "null" if digest is None else f'"{digest}"'
