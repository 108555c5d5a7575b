"""Checking a whole log: every entry, tree node and checkpoint, who signed, what was erased and purged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from features.digest import json_digest
from features.errors import VerificationFailed
from models.checkpoint import Checkpoint, read_checkpoint
from models.log_reader import LogReader, Nodes
from models.manifest import parse_canonical
from models.merkle import NodeReader, completed_nodes, leaf_hash, range_hash


@dataclass(frozen=True)
class LogReport:
    """What a full check found: `size` entries under `root` (hex), the signers, what was erased and purged."""

    origin: str
    size: int
    root: str
    checkpoints: int
    keys: tuple[str, ...]
    erased: tuple[int, ...]
    purged: tuple[int, ...]


@dataclass
class _State:
    """What is known after the entries read so far."""

    keys: list[str]
    peaks: dict[tuple[int, int], bytes] = field(default_factory=dict)
    announced: list[str] = field(default_factory=list)
    erased: list[int] = field(default_factory=list)
    emptied: list[int] = field(default_factory=list)
    erasures: set[int] = field(default_factory=set)
    purged_upto: int = -1


def verify_log(reader: LogReader, trusted: Sequence[str] | None = None, known: Sequence[Checkpoint] = ()) -> LogReport:
    """Recompute the whole log; `trusted` pins signers, `known` are checkpoints that were kept elsewhere.

    Raises VerificationFailed naming the first entry, node or checkpoint that does not hold.
    """
    signed = _checkpoints(reader)
    state, stored = _State([reader.meta.get("first_key", "")]), Nodes(reader.store.read)
    size = 0
    for place, *row in reader.rows("id, leaf, content, private, subject"):
        if place != size:
            raise VerificationFailed(f"log entry {size}: missing; restore a backup")
        try:
            _check_entry(state, place, row)
            _grow(state, stored, place, bytes(row[1]))
        except (TypeError, ValueError, KeyError) as error:
            raise VerificationFailed(f"log entry {place}: a part has the wrong form; it was altered") from error
        size = place + 1
        if size in signed:
            _check_checkpoint(state, size, *signed[size], origin=reader.meta["origin"])
        for kept in known:
            if kept.size == size and range_hash(0, size, _peaks(state)) != kept.root:
                raise VerificationFailed(f"log: not the log of the known checkpoint of size {size}")
    _check_end(reader, state, size, signed, known)
    _check_signers(state, reader, trusted)
    root = range_hash(0, size, _peaks(state)).hex()
    return LogReport(
        reader.meta["origin"],
        size,
        root,
        len(signed),
        tuple(state.keys),
        tuple(state.erased),
        tuple(state.emptied),
    )


def _checkpoints(reader: LogReader) -> Mapping[int, tuple[str, str]]:
    rows = reader.store.read("SELECT size, note, public_key FROM checkpoints ORDER BY size")
    return {int(size): (str(note), str(public_key)) for size, note, public_key in rows}


def _check_entry(state: _State, place: int, row: Sequence[Any]) -> None:
    event_id, leaf, content, private, subject = row
    if content is None:
        if private is not None or subject is not None:
            raise VerificationFailed(f"log entry {place}: emptied in part; restore a backup")
        state.emptied.append(place)
        return
    if leaf_hash(bytes(content)) != bytes(leaf):
        raise VerificationFailed(f"log entry {place}: changed after it was logged; restore a backup")
    entry = parse_canonical(bytes(content), f"log entry {place}")
    if entry["id"] != event_id:
        raise VerificationFailed(f"log entry {place}: filed under another id; restore a backup")
    _check_private(state, place, entry, private, subject)
    _note_event(state, entry)


def _check_private(
    state: _State, place: int, entry: Mapping[str, Any], private: bytes | None, subject: str | None
) -> None:
    if private is None:
        if subject is not None:
            raise VerificationFailed(f"log entry {place}: a subject without its private part")
        if entry["private"] is not None:
            state.erased.append(place)
        return
    part = parse_canonical(bytes(private), f"private part of log entry {place}")
    if json_digest(part) != entry["private"] or part["subject"] != subject:
        raise VerificationFailed(f"log entry {place}: its private part was changed; restore a backup")


def _note_event(state: _State, entry: Mapping[str, Any]) -> None:
    facts = entry["facts"]
    if entry["kind"] == "key":
        state.announced.append(facts["public_key"])
    elif entry["kind"] == "erasure":
        state.erasures.update(facts["places"])
    elif entry["kind"] == "purge":
        kept = timedelta(days=facts["retention_days"])
        if datetime.fromisoformat(facts["newest"]) + kept > datetime.fromisoformat(entry["time"]):
            raise VerificationFailed("log: entries were purged before their retention had passed")
        state.purged_upto = max(state.purged_upto, facts["upto"])


def _grow(state: _State, stored: Nodes, place: int, leaf: bytes) -> None:
    for level, position, value in completed_nodes(place, leaf, _peaks(state)):
        if stored.read(level, position) != value:
            raise VerificationFailed(f"log: tree node {level}/{position} was changed; restore a backup")
        state.peaks[level, position] = value
        for child in (2 * position, 2 * position + 1):
            state.peaks.pop((level - 1, child), None)
    stored.known.clear()


def _peaks(state: _State) -> NodeReader:
    return lambda level, place: state.peaks[level, place]


def _check_checkpoint(state: _State, size: int, note: str, public_key: str, *, origin: str) -> None:
    # A key announced in this very commit signs only from the next one on.
    if public_key not in state.keys:
        raise VerificationFailed(f"log: the checkpoint of size {size} is signed by a key never announced")
    checkpoint = read_checkpoint(note, public_key)
    if (checkpoint.origin, checkpoint.size) != (origin, size):
        raise VerificationFailed(f"log: the checkpoint of size {size} belongs elsewhere")
    if checkpoint.root != range_hash(0, size, _peaks(state)):
        raise VerificationFailed(f"log: the checkpoint of size {size} does not fit the entries")
    state.keys += [key for key in state.announced if key not in state.keys]


def _check_end(
    reader: LogReader,
    state: _State,
    size: int,
    signed: Mapping[int, tuple[str, str]],
    known: Sequence[Checkpoint],
) -> None:
    if max(signed, default=0) > size:
        raise VerificationFailed("log: entries that were signed are missing; restore a backup")
    reader.check_head()
    if any(kept.size > size for kept in known):
        raise VerificationFailed("log: shorter than a known checkpoint; entries were lost, restore a backup")
    if any(kept.origin != reader.meta["origin"] for kept in known):
        raise VerificationFailed("log: the known checkpoint is of another log")
    if not set(state.erased) <= state.erasures:
        raise VerificationFailed("log: a private part is gone without an erasure; restore a backup")
    if any(place > state.purged_upto for place in state.emptied):
        raise VerificationFailed("log: an entry was emptied without a purge; restore a backup")


def _check_signers(state: _State, reader: LogReader, trusted: Sequence[str] | None) -> None:
    if reader.meta.get("signing_key") != [*state.keys, *state.announced][-1]:
        raise VerificationFailed("log: the signing key is not the one that was announced last")
    if trusted is not None and not {state.keys[0], state.keys[-1]} & set(trusted):
        raise VerificationFailed("log: neither its first nor its latest key is trusted")
