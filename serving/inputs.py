"""What was asked, kept on demand (`vagus serve --keep-inputs`) so that outcomes that come back can train a model.

A file of its own in the state folder, readable by its owner alone: deleting it forgets every input and nothing else. It holds
the answered questions under the random ids of their predictions; the person's own id is replaced by a keyed digest.
"""

from __future__ import annotations

import hmac
import secrets
import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from serving.schemas import Patient

_SCHEMA = """
CREATE TABLE IF NOT EXISTS salt (only INTEGER PRIMARY KEY CHECK (only = 1), value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS inputs (id TEXT PRIMARY KEY, subject TEXT NOT NULL, patient BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS subjects ON inputs (subject);
"""
FILE = "inputs.db"


class Input(NamedTuple):
    """A question that was answered: the pseudonym of the person (one per tenant and id), and what was sent, under that name."""

    subject: str
    patient: Patient


class Inputs:
    """The store, shared by the workers of a service."""

    def __init__(self, path: Path) -> None:
        """Open or create the file."""
        path.touch(mode=0o600)
        self._store, self._lock = sqlite3.connect(path, timeout=10, check_same_thread=False), threading.Lock()
        with self._lock, self._store as store:
            store.execute("PRAGMA journal_mode=WAL")
            store.executescript(_SCHEMA)
            # What is erased is overwritten, not only unlinked.
            store.execute("PRAGMA secure_delete=ON")
            store.execute("INSERT OR IGNORE INTO salt VALUES (1, ?)", (secrets.token_bytes(32),))
            (self._salt,) = store.execute("SELECT value FROM salt").fetchone()

    def keep(self, tenant: str, patients: Sequence[Patient], told: Sequence[Mapping[str, Any]]) -> None:
        """Keep the patients that were answered, under the ids of their predictions."""
        rows = []
        for patient, prediction in zip(patients, told, strict=True):
            if prediction["answered"]:
                subject = self._pseudonym(tenant, patient.id)
                own = msgspec.structs.replace(patient, id=subject)
                rows.append((prediction["prediction_id"], subject, msgspec.json.encode(own, enc_hook=dict)))
        with self._lock, self._store as store:
            store.executemany("INSERT OR IGNORE INTO inputs VALUES (?, ?, ?)", rows)

    def of(self, ids: Iterable[str]) -> dict[str, Input]:
        """Return what is kept of some predictions, by id."""
        found = {}
        for one in ids:
            row = self._store.execute("SELECT subject, patient FROM inputs WHERE id = ?", (one,)).fetchone()
            if row is not None:
                found[one] = Input(row[0], msgspec.json.decode(row[1], type=Patient))
        return found

    def forget(self, prediction_id: str) -> list[str]:
        """Erase all that is kept of the person a prediction is about; return the ids of that person's predictions."""
        with self._lock, self._store as store:
            same = "SELECT id FROM inputs WHERE subject = (SELECT subject FROM inputs WHERE id = ?)"
            ids = [one for (one,) in store.execute(same, (prediction_id,))]
            store.executemany("DELETE FROM inputs WHERE id = ?", [(one,) for one in ids])
        with self._lock:
            self._store.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the write-ahead file held a copy
        return ids

    def _pseudonym(self, tenant: str, person: str) -> str:
        return "s-" + hmac.new(self._salt, f"{tenant}\0{person}".encode(), "sha256").hexdigest()[:16]
