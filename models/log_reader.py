"""Looking things up in a log: entries, places, inclusion and consistency proofs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from features.errors import VerificationFailed, invalid
from models.checkpoint import read_checkpoint
from models.log_store import Execute, LogError, LogStore, insert_rows
from models.manifest import parse_canonical
from models.merkle import prove, range_hash

LOG_VERSION = 1
_PAGE = 5000


class Nodes:
    """The complete tree nodes of a log, read as needed and remembered; nodes never change once written."""

    def __init__(self, execute: Execute, known: Mapping[tuple[int, int], bytes] | None = None) -> None:
        """Read through `execute`; `known` are nodes already at hand."""
        self._execute = execute
        self.known: dict[tuple[int, int], bytes] = dict(known or {})
        self._new: list[tuple[int, int, bytes]] = []

    def read(self, level: int, place: int) -> bytes:
        """Return the hash of a node; raises VerificationFailed where it is missing."""
        found = self.known.get((level, place))
        if found is None:
            rows = self._execute("SELECT hash FROM nodes WHERE level = ? AND place = ?", (level, place))
            if not rows:
                raise VerificationFailed(f"log: tree node {level}/{place} is missing; restore a backup")
            found = self.known[level, place] = bytes(rows[0][0])
        return found

    def add(self, level: int, place: int, value: bytes) -> None:
        """Take in a node that became complete; `store` writes it."""
        self.known[level, place] = value
        self._new.append((level, place, value))

    def store(self) -> None:
        """Write the nodes taken in."""
        insert_rows(self._execute, "nodes", self._new)
        self._new = []

    def edge(self, size: int) -> dict[tuple[int, int], bytes]:
        """Return, of the nodes at hand, those that the next entry of a log of this size builds on."""
        places = [(level, (size >> level) - 1) for level in range(size.bit_length()) if size >> level & 1]
        return {place: self.known[place] for place in places if place in self.known}

    def size(self) -> int:
        """Return the number of entries."""
        rows = self._execute("SELECT MAX(place) FROM entries", ())
        return 0 if rows[0][0] is None else int(rows[0][0]) + 1


class LogReader:
    """Reads a store; never writes."""

    def __init__(self, store: LogStore) -> None:
        """Read the header of a log; raises VerificationFailed where there is none, or a later format."""
        self.store = store
        try:
            self.meta = {str(name): str(value) for name, value in store.read("SELECT name, value FROM meta")}
        except LogError as error:
            raise VerificationFailed("log: this file holds no log; give the path of a log") from error
        if self.meta.get("format_version") != str(LOG_VERSION):
            raise VerificationFailed("log: unknown format_version, or no log at all; update Vagus to read it")

    @property
    def size(self) -> int:
        """Return the number of committed entries."""
        return Nodes(self.store.read).size()

    def head(self) -> tuple[str, str]:
        """Return the latest signed note and its public key: what an auditor keeps; empty for an empty log."""
        rows = self.store.read("SELECT note, public_key FROM checkpoints ORDER BY size DESC LIMIT 1")
        return (str(rows[0][0]), str(rows[0][1])) if rows else ("", "")

    def check_head(self) -> None:
        """Raise VerificationFailed unless the latest checkpoint fits the entries and the tree."""
        # One statement, hence one snapshot: writers may be at work.
        latest = "(SELECT COALESCE(MAX(place) + 1, 0) FROM entries), (SELECT MAX(size) FROM checkpoints)"
        entries, signed = self.store.read(f"SELECT {latest}")[0]
        if entries == 0 and signed is None:
            return
        head = None if signed is None else read_checkpoint(*self._note(signed))
        nodes = Nodes(self.store.read)
        if head is None or head.size != entries or range_hash(0, head.size, nodes.read) != head.root:
            raise VerificationFailed("log: the latest checkpoint does not fit the entries; restore a backup")

    def entry(self, place: int) -> dict[str, Any]:
        """Return the entry at a place; raises InvalidInput where there is none or it was purged."""
        rows = self.store.read("SELECT content FROM entries WHERE place = ?", (place,))
        if not rows or rows[0][0] is None:
            raise invalid("log-entry", f"no entry at place {place}", "it does not exist or is past retention")
        return parse_canonical(bytes(rows[0][0]), f"log entry {place}")

    def entries(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield place and content of every entry that was not purged, in order."""
        for place, content, *_ in self.rows("content"):
            if content is not None:
                yield place, parse_canonical(bytes(content), f"log entry {place}")

    def place(self, event_id: str) -> int:
        """Return the place of an event's entry; raises InvalidInput where it was never logged."""
        rows = self.store.read("SELECT place FROM entries WHERE id = ?", (event_id,))
        if not rows:
            raise invalid("log-id", "no event of this id in the log", "check the id and the log's path")
        return int(rows[0][0])

    def places_of(self, subject: str) -> list[int]:
        """Return the places of the entries of one keyed subject digest."""
        rows = self.store.read("SELECT place FROM entries WHERE subject = ? ORDER BY place", (subject,))
        return [int(row[0]) for row in rows]

    def inclusion(self, place: int, size: int) -> list[bytes]:
        """Return the proof that the entry at a place is part of the log as it was at `size`."""
        self._check_size(place + 1, size)
        return prove(place, place + 1, size, Nodes(self.store.read).read)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Return the proof that the log at size `old` is a prefix of the log at size `new`."""
        self._check_size(old, new)
        return prove(0, old, new, Nodes(self.store.read).read)

    def _note(self, size: int) -> tuple[str, str]:
        rows = self.store.read("SELECT note, public_key FROM checkpoints WHERE size = ?", (size,))
        return str(rows[0][0]), str(rows[0][1])

    def _check_size(self, part: int, size: int) -> None:
        if not 0 <= part <= size <= self.size:
            raise invalid("log-size", "the log has no such size", f"give sizes up to {self.size}")

    def rows(self, columns: str) -> Iterator[tuple[Any, ...]]:
        """Yield place and the named columns of every entry committed so far, in order."""
        first, size = 0, self.size
        span = "place >= ? AND place < ? ORDER BY place"
        statement = f"SELECT place, {columns} FROM entries WHERE {span}"  # noqa: S608 - our own column names
        while first < size:
            yield from self.store.read(statement, (first, first + _PAGE))
            first += _PAGE
