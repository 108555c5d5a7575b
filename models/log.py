"""The append-only log: what is acknowledged is on disk, in a Merkle tree, under a signed checkpoint.

Writers in several threads and processes share one log. Entries that wait at the same time are written by one
of their threads in one transaction (group commit), with the tree nodes they complete and a checkpoint; so a
log never signs two states that do not follow from each other. A receipt leaves only after the commit.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from features.errors import Refused, VagusError, invalid
from models.checkpoint import Checkpoint, sign_checkpoint
from models.log_reader import LOG_VERSION, LogReader, Nodes
from models.log_store import ROWS_AT_ONCE, Execute, LogError, LogStore, insert_rows, open_store
from models.merkle import completed_nodes, leaf_hash, prove_each, range_hash
from models.receipt import make_receipts
from models.record import Entry, Event, make_entries, subject_digest
from models.seal import public_text

#: Logs are kept at least six months (EU AI Act, Articles 19 and 26(6)).
MIN_RETENTION_DAYS = 183

#: Kinds without which the rest could no longer be verified: never purged.
_KEPT_KINDS = frozenset({"key", "erasure", "purge"})

_HEAD = "SELECT value, (SELECT MAX(place) FROM entries) FROM meta WHERE name = ?"
_Change = Callable[[Execute], None]


@dataclass
class Batch:
    """What one caller has to log: its entries, and after the commit the place of the first and the checkpoint."""

    entries: Sequence[Entry]
    change: _Change | None = None
    first: int = 0
    size: int = 0
    note: str = ""
    public_key: str = ""
    nodes: Nodes | None = None
    error: Exception | None = None
    done: bool = False


def open_log(
    address: str | Path, *, key: Ed25519PrivateKey, secret: bytes, retention_days: int = MIN_RETENTION_DAYS
) -> Log:
    """Open or create the log at a path or a `postgresql://` address, and check its latest checkpoint.

    Raises InvalidInput for a retention under 183 days, Refused for another key than the log's, and
    VerificationFailed where the entries do not agree with what was signed.
    """
    if retention_days < MIN_RETENTION_DAYS:
        remedy = f"set at least {MIN_RETENTION_DAYS} days"
        raise invalid("retention", "the log's retention is too short", remedy)
    return Log(open_store(address), key, secret, retention_days)


class Log:
    """A log open for writing; `reader` looks up entries and proofs, `public_key` signs checkpoints now."""

    def __init__(self, store: LogStore, key: Ed25519PrivateKey, secret: bytes, retention_days: int) -> None:
        """Take over an open store; use `open_log`."""
        self._store, self._secret = store, secret
        self._key, self.public_key = key, public_text(key)
        self._edge: dict[tuple[int, int], bytes] = {}
        self._retention = timedelta(days=retention_days)
        self._queue: list[Batch] = []
        self._queue_lock, self._leader = threading.Lock(), threading.RLock()
        with store.write() as execute:
            if not execute("SELECT value FROM meta WHERE name = ?", ("format_version",)):
                self._create(execute)
        self.reader = LogReader(store)
        self.reader.check_head()

    def append(self, events: Sequence[Event]) -> list[bytes]:
        """Log events durably and return their receipts, in order.

        Raises Refused when an id is already logged and LogError when the store cannot be written: nothing of
        this call was then acknowledged.
        """
        return self._append(events, None)

    def prepare(self, events: Sequence[Event]) -> Batch:
        """Return events in the form that is stored, for `append_each`; what is wrong with one is its batch's error."""
        try:
            return Batch(make_entries(events, _now(), self._secret))
        except VagusError as error:
            return Batch([], error=error)

    def append_each(self, batches: Sequence[Batch]) -> list[list[bytes] | Exception]:
        """Log the events of several callers in one commit; each gets its receipts, or the error of its own."""
        with self._leader:
            self._commit([one for one in batches if one.error is None], _now())
        return [one.error or self._receipts(one) for one in batches]

    def erase(self, subject: str, *, actor: str) -> list[int]:
        """Erase the private parts of a person's entries; return their places. All proofs stay valid."""
        places = self.reader.places_of(subject_digest(self._secret, subject))
        statement = "UPDATE entries SET private = NULL, subject = NULL WHERE place = ?"
        self._append([Event("erasure", actor, {"places": places})], _each(statement, places))
        self._store.forget()
        return places

    def purge(self, *, actor: str, now: datetime | None = None) -> list[int]:
        """Empty the entries older than the retention; return their places. Leaf hashes and proofs stay."""
        now = now or datetime.now(UTC)
        limit = (now - self._retention).isoformat()
        old = list(takewhile(lambda item: item[1]["time"] < limit, self.reader.entries()))
        places = [place for place, entry in old if entry["kind"] not in _KEPT_KINDS]
        if not places:
            return []
        newest = max(entry["time"] for _, entry in old)
        facts = {"upto": places[-1], "newest": newest, "retention_days": self._retention.days}
        statement = "UPDATE entries SET content = NULL, private = NULL, subject = NULL WHERE place = ?"
        self._append([Event("purge", actor, facts)], _each(statement, places))
        self._store.forget()
        return places

    def rotate_key(self, key: Ed25519PrivateKey, *, actor: str) -> None:
        """Announce a new signing key under the old one, and sign with it from then on."""
        new = public_text(key)
        change = _each("UPDATE meta SET value = ? WHERE name = 'signing_key'", [new])
        with self._leader:  # no other commit may fall between the announcement and the new key
            self._append([Event("key", actor, {"public_key": new})], change)
            self._key, self.public_key = key, new

    def close(self) -> None:
        """Release the store."""
        self._store.close()

    def _create(self, execute: Execute) -> None:
        origin = f"vagus-log-{secrets.token_hex(8)}"
        meta = {"format_version": str(LOG_VERSION), "origin": origin, "first_key": self.public_key}
        for name, value in {**meta, "signing_key": self.public_key}.items():
            execute("INSERT INTO meta VALUES (?, ?)", (name, value))

    def _append(self, events: Sequence[Event], change: _Change | None) -> list[bytes]:
        time = _now()
        # Everything that can be wrong with an event is found here, before it joins others in a commit.
        waiting = Batch(make_entries(events, time, self._secret), change)
        with self._queue_lock:
            self._queue.append(waiting)
        with self._leader:
            if not waiting.done:
                with self._queue_lock:
                    batch, self._queue = self._queue, []
                self._commit(batch, time)
        if waiting.error is not None:
            raise waiting.error
        return self._receipts(waiting)

    def _commit(self, batch: Sequence[Batch], time: str) -> None:
        try:
            with self._store.write() as execute:
                nodes = Nodes(execute, self._edge)
                size = first = self._size(execute)
                for waiting in batch:
                    size = self._insert(waiting, size, nodes, execute)
                nodes.store()
                note = self._sign(execute, nodes, size, time) if size > first else ""
            self._edge = nodes.edge(size)
            for waiting in batch:
                waiting.size, waiting.note, waiting.nodes = size, note, nodes
                waiting.public_key = self.public_key
        except Exception as error:  # every waiting caller gets it, on its own thread
            for waiting in batch:
                waiting.error = waiting.error or error
        finally:
            for waiting in batch:
                waiting.done = True

    def _insert(self, waiting: Batch, size: int, nodes: Nodes, execute: Execute) -> int:
        ids = [entry.id for entry in waiting.entries]
        known = (execute(*_among(ids[i : i + ROWS_AT_ONCE])) for i in range(0, len(ids), ROWS_AT_ONCE))
        if len(set(ids)) < len(ids) or any(known):
            waiting.error = Refused("event-logged", "an event of this id is already logged")
            return size
        waiting.first, rows = size, []
        for entry in waiting.entries:
            leaf = leaf_hash(entry.content)
            rows.append((size, entry.id, leaf, entry.content, entry.private, entry.subject))
            for node in completed_nodes(size, leaf, nodes.read):
                nodes.add(*node)
            size += 1
        insert_rows(execute, "entries", rows)
        if waiting.change is not None:
            waiting.change(execute)
        return size

    def _sign(self, execute: Execute, nodes: Nodes, size: int, time: str) -> str:
        checkpoint = Checkpoint(self.reader.meta["origin"], size, range_hash(0, size, nodes.read), time)
        note = sign_checkpoint(checkpoint, self._key, self.public_key)
        execute("INSERT INTO checkpoints VALUES (?, ?, ?)", (size, note, self.public_key))
        return note

    def _size(self, execute: Execute) -> int:
        """Return the number of entries of a log that is still signed with our key."""
        signing, last = execute(_HEAD, ("signing_key",))[0]
        if signing != self.public_key:
            raise Refused("log-key", "the log is signed with another key; open it with that key or rotate")
        return 0 if last is None else int(last) + 1

    def _receipts(self, waiting: Batch) -> list[bytes]:
        if waiting.nodes is None:
            raise LogError("the log did not acknowledge the event; send it again")
        read, first = Nodes(self._store.read, waiting.nodes.known).read, waiting.first
        proofs = prove_each(first, first + len(waiting.entries), waiting.size, read)
        return make_receipts(waiting.entries, first, proofs, waiting.note, waiting.public_key)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _among(ids: Sequence[str]) -> tuple[str, Sequence[str]]:
    return f"SELECT 1 FROM entries WHERE id IN ({', '.join('?' * len(ids))}) LIMIT 1", ids  # noqa: S608 - places only


def _each(statement: str, values: Sequence[int | str]) -> _Change:
    """Return the change that runs one statement for each value, inside the commit of its event."""

    def change(execute: Execute) -> None:
        for value in values:
            execute(statement, (value,))

    return change
