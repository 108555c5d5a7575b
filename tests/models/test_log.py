"""What the log acknowledges stays, provably, whatever happens around it."""

import json
import multiprocessing
import os
import signal
import sqlite3
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from features.errors import InvalidInput, Refused, VerificationFailed
from models.checkpoint import read_checkpoint
from models.log import open_log
from models.log_audit import verify_log
from models.log_reader import LogReader
from models.log_store import LogError, open_store
from models.merkle import verify_consistency, verify_inclusion
from models.receipt import verify_receipt
from models.record import Event, create_secret, subject_digest
from models.seal import create_key, load_key


@pytest.fixture
def keys(tmp_path):
    return load_key(create_key(tmp_path / "keys", "log")), create_secret(tmp_path / "keys" / "secret")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log.sqlite"


@pytest.fixture
def log(path, keys):
    log = open_log(path, key=keys[0], secret=keys[1])
    yield log
    log.close()


def prediction(subject, answer=0):
    return Event("prediction", "clinic-a", {"model_digest": "sha256:0"}, subject, {"q": subject}, answer)


def audit(path, **options):
    store = open_store(path, create=False)
    try:
        return verify_log(LogReader(store), **options)
    finally:
        store.close()


def test_entries_keep_their_order_and_the_log_verifies(log, path):
    log.append([Event("load", "service", {"n": 0}), Event("config", "admin", {"n": 1})])
    log.append([prediction("p")])
    assert [entry["kind"] for _, entry in log.reader.entries()] == ["load", "config", "prediction"]
    report = audit(path, trusted=[log.public_key])
    assert (report.size, report.checkpoints, report.erased, report.purged) == (3, 2, (), ())


def test_inclusion_and_consistency_between_any_two_sizes(log):
    roots = {}
    for n in range(9):
        content, checkpoint = verify_receipt(log.append([Event("load", "s", {"n": n})])[0])
        roots[checkpoint.size] = (checkpoint.root, content)
    for new, (root, _) in roots.items():
        for old in range(1, new + 1):
            verify_consistency(roots[old][0], old, root, new, log.reader.consistency(old, new))
    with pytest.raises(InvalidInput):
        log.reader.consistency(4, 99)
    with pytest.raises(InvalidInput):
        log.reader.inclusion(9, 9)


def test_proofs_of_old_entries_under_new_checkpoints(log):
    from models.merkle import leaf_hash

    log.append([Event("load", "s", {"n": n}) for n in range(20)])
    note, key = log.reader.head()
    checkpoint = read_checkpoint(note, key)
    store = log.reader.store
    for place, content in store.read("SELECT place, content FROM entries"):
        proof = log.reader.inclusion(place, 20)
        verify_inclusion(leaf_hash(content), place, 20, proof, checkpoint.root)


def test_reopening_goes_on_where_it_stopped(path, keys):
    for n in range(3):
        log = open_log(path, key=keys[0], secret=keys[1])
        log.append([Event("load", "s", {"n": n})])
        log.close()
    assert audit(path).size == 3


FIRST_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE entries (place BIGINT PRIMARY KEY, id TEXT NOT NULL UNIQUE, leaf BLOB NOT NULL, content BLOB, private BLOB, subject TEXT);
CREATE INDEX entries_subject ON entries (subject);
CREATE TABLE nodes (level BIGINT, place BIGINT, hash BLOB NOT NULL, PRIMARY KEY (level, place));
CREATE TABLE checkpoints (size BIGINT PRIMARY KEY, note TEXT NOT NULL, public_key TEXT NOT NULL);
"""


def test_a_log_with_the_first_tables_is_read_and_goes_on(path, keys):
    with sqlite3.connect(path) as store:
        store.executescript(FIRST_TABLES)
    log = open_log(path, key=keys[0], secret=keys[1])
    receipts = [log.append([prediction(f"p{i}")])[0] for i in range(11)]
    log.append([prediction(f"q{i}") for i in range(70)])
    places = log.erase("p3", actor="operator")
    log.close()
    again = open_log(path, key=keys[0], secret=keys[1])
    receipts += again.append([prediction("r")])
    assert [verify_receipt(receipt)[0]["index"] for receipt in receipts] == [*range(11), 82]
    again.close()
    report = audit(path, trusted=[again.public_key])
    assert (report.size, list(report.erased), places) == (83, [3], [3])


def test_an_id_is_logged_once(log):
    event = prediction("p")
    log.append([event])
    with pytest.raises(Refused, match="already logged"):
        log.append([Event("load", "s", {}), event])
    twice = prediction("q")
    with pytest.raises(Refused, match="already logged"):
        log.append([twice, twice])
    assert log.reader.size == 1


def test_another_key_cannot_write(path, log, keys, tmp_path):
    log.append([Event("load", "s", {})])
    other = open_log(path, key=load_key(create_key(tmp_path / "keys", "other")), secret=keys[1])
    with pytest.raises(Refused, match="another key"):
        other.append([Event("load", "s", {})])
    other.close()


def test_a_rotated_key_is_announced_under_the_old_one(path, log, tmp_path):
    first = log.public_key
    log.append([Event("load", "s", {"n": 0})])
    new = load_key(create_key(tmp_path / "keys", "next"))
    log.rotate_key(new, actor="admin")
    receipt = log.append([prediction("p")])[0]
    assert verify_receipt(receipt)[0]["public_key"] == log.public_key != first
    assert audit(path, trusted=[first]).keys == (first, log.public_key)
    audit(path, trusted=[log.public_key])
    with pytest.raises(VerificationFailed, match="trusted"):
        audit(path, trusted=["ed25519:" + "00" * 32])


def test_erasing_a_person_leaves_every_proof_valid(path, log, keys):
    receipts = log.append([prediction("p", 1), prediction("q", 2), prediction("p", 3)])
    known = verify_receipt(receipts[2])[1]
    assert log.erase("p", actor="officer") == [0, 2]
    assert log.reader.places_of(subject_digest(keys[1], "p")) == []
    for receipt in receipts:
        verify_receipt(receipt)
    report = audit(path, known=[known])
    assert (report.size, report.erased) == (4, (0, 2))
    digest = subject_digest(keys[1], "p").encode()
    assert all(digest not in file.read_bytes() for file in path.parent.glob("log.sqlite*"))


def test_a_private_part_that_vanishes_without_an_erasure_is_seen(path, log):
    log.append([prediction("p")])
    with sqlite3.connect(path) as db:
        db.execute("UPDATE entries SET private = NULL, subject = NULL")
    with pytest.raises(VerificationFailed, match="without an erasure"):
        audit(path)


def test_retention_is_enforced(path, keys, log):
    with pytest.raises(InvalidInput, match="183"):
        open_log(path, key=keys[0], secret=keys[1], retention_days=182)
    receipt = log.append([prediction("p"), Event("load", "s", {})])[0]
    assert log.purge(actor="admin") == []
    assert log.purge(actor="admin", now=datetime.now(UTC) + timedelta(days=182)) == []
    assert log.reader.size == 2
    verify_receipt(receipt)


def test_what_is_past_retention_is_emptied_and_said(tmp_path, keys, monkeypatch):
    import models.log

    class Past(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) - timedelta(days=200)

    path = tmp_path / "old.sqlite"
    monkeypatch.setattr(models.log, "datetime", Past)
    log = open_log(path, key=keys[0], secret=keys[1])
    receipt = log.append([prediction("p"), prediction("q")])[0]
    monkeypatch.undo()
    log.append([prediction("r")])
    assert log.purge(actor="admin") == [0, 1]
    assert audit(path, known=[verify_receipt(receipt)[1]]).purged == (0, 1)
    with pytest.raises(InvalidInput, match="retention"):
        log.reader.entry(0)
    log.close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE entries SET content = NULL, private = NULL, subject = NULL WHERE place = 2")
    with pytest.raises(VerificationFailed, match="without a purge"):
        audit(path)


SPOIL = [
    (
        "UPDATE entries SET content = replace(content, 'clinic-a', 'clinic-b') WHERE place = 1",
        "entry 1: changed",
    ),
    ("DELETE FROM entries WHERE place = 1", "entry 1: missing"),
    ("DELETE FROM entries WHERE place = 4", "signed are missing"),
    ("UPDATE entries SET id = 'x' WHERE place = 2", "entry 2: filed under another id"),
    ("UPDATE entries SET subject = 'x' WHERE place = 2", "entry 2: its private part"),
    (
        "UPDATE entries SET private = replace(private, 'a', 'b') WHERE place = 3",
        "entry 3: a part has the wrong form",
    ),
    ("UPDATE nodes SET hash = zeroblob(32) WHERE level = 1 AND place = 0", "tree node 1/0"),
    ("DELETE FROM nodes WHERE level = 0 AND place = 2", "tree node 0/2 is missing"),
    ("UPDATE checkpoints SET note = replace(note, 'time 20', 'time 21') WHERE size = 2", "signature"),
    ("DELETE FROM checkpoints WHERE size = 5", "does not fit"),
    ("UPDATE meta SET value = 'vagus-log-x' WHERE name = 'origin'", "belongs elsewhere"),
    ("UPDATE meta SET value = '9' WHERE name = 'format_version'", "format_version"),
    ("UPDATE entries SET content = NULL WHERE place = 0", "emptied in part"),
]


@pytest.mark.parametrize(("statement", "message"), SPOIL)
def test_every_kind_of_tampering_is_named(path, log, statement, message):
    for n in range(5):
        log.append([prediction(f"p{n}", n)])
    log.close()
    with sqlite3.connect(path) as db:
        # `replace` turns a blob into text; the cast keeps what a careful forger would write.
        db.execute(
            statement.replace("replace(content", "CAST(replace(content").replace("'clinic-b')", "'clinic-b') AS BLOB)")
        )
    with pytest.raises(VerificationFailed, match=message):
        audit(path)


def test_a_log_cut_back_is_seen_by_whoever_kept_a_checkpoint(path, log, tmp_path):
    log.append([prediction("p")])
    log.reader.store.backup(tmp_path / "old.sqlite")
    receipt = log.append([prediction("q")])[0]
    assert audit(tmp_path / "old.sqlite").size == 1
    with pytest.raises(VerificationFailed, match="entries were lost"):
        audit(tmp_path / "old.sqlite", known=[verify_receipt(receipt)[1]])


def test_two_logs_under_one_key_are_told_apart(path, log, keys, tmp_path):
    log.append([prediction("p")])
    other = open_log(tmp_path / "other.sqlite", key=keys[0], secret=keys[1])
    checkpoint = verify_receipt(other.append([prediction("p")])[0])[1]
    other.close()
    with pytest.raises(VerificationFailed, match="not the log of"):
        audit(path, known=[checkpoint])


def test_threads_share_commits_and_lose_nothing(path, log):
    receipts = []

    def write(name):
        for n in range(25):
            receipts.extend(log.append([prediction(f"{name}-{n}", n)]))

    threads = [threading.Thread(target=write, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    places = sorted(verify_receipt(receipt)[0]["index"] for receipt in receipts)
    assert places == list(range(200))
    report = audit(path, trusted=[log.public_key])
    assert report.size == 200
    assert report.checkpoints < 200, "waiting writers share a commit"


def test_one_bad_event_does_not_harm_those_that_wait_with_it(log):
    event = prediction("p")
    log.append([event])
    errors, done = [], []

    def write(events):
        try:
            done.extend(log.append(events))
        except Refused as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=([event] if n % 2 else [prediction(str(n))],)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (len(errors), len(done), log.reader.size) == (5, 5, 6)


def _write_forever(path, key_path, secret, number, acknowledged):
    log = open_log(path, key=load_key(key_path), secret=secret)
    with open(acknowledged, "a") as file:
        for n in range(100_000):
            event = prediction(f"w{number}-{n}")
            receipt = log.append([event])[0]
            file.write(f"{event.id} {json.loads(receipt)['index']}\n")
            file.flush()


def test_kill_9_under_four_writers_loses_and_doubles_nothing(tmp_path, keys):
    path, known = tmp_path / "log.sqlite", []
    context = multiprocessing.get_context("spawn")
    open_log(path, key=keys[0], secret=keys[1]).close()
    for turn in range(2):
        arguments = [(path, tmp_path / "keys" / "log.key", keys[1], n, tmp_path / f"ack-{turn}-{n}") for n in range(4)]
        writers = [context.Process(target=_write_forever, args=argument) for argument in arguments]
        for writer in writers:
            writer.start()
        deadline = time.monotonic() + 60
        while not all(a[4].exists() and a[4].stat().st_size for a in arguments) and time.monotonic() < deadline:
            time.sleep(0.02)
        for writer in writers:
            os.kill(writer.pid, signal.SIGKILL)
            writer.join(10)
        log = open_log(path, key=keys[0], secret=keys[1])
        lines = [line.split() for file in tmp_path.glob("ack-*") for line in file.read_text().splitlines()]
        assert len(lines) >= 4 * (turn + 1)
        assert len({name for name, _ in lines}) == len(lines)
        assert all(log.reader.place(name) == int(place) for name, place in lines)
        known.append(read_checkpoint(*log.reader.head()))
        assert audit(path, known=known).size >= len(lines)
        log.close()


def test_a_store_that_cannot_be_written_acknowledges_nothing(path, log):
    log.append([prediction("p")])
    blocker = sqlite3.connect(path)
    log.reader.store._writer.execute("PRAGMA busy_timeout=50")
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(LogError, match="not available"):
        log.append([prediction("q")])
    blocker.execute("ROLLBACK")
    blocker.close()
    log.append([prediction("r")])
    assert log.reader.size == 2


def test_a_full_disk_acknowledges_nothing_and_recovers(path, log):
    log.append([prediction("p")])
    writer = log.reader.store._writer
    pages = writer.execute("PRAGMA page_count").fetchone()[0]
    writer.execute(f"PRAGMA max_page_count={pages}")
    events = [prediction(f"q{n}") for n in range(200)]
    with pytest.raises(LogError, match="full"):
        log.append(events)
    size = log.reader.size
    writer.execute("PRAGMA max_page_count=1000000")
    log.append([prediction("r")])
    assert log.reader.size == size + 1
    audit(path)


def test_a_truncated_or_foreign_file_is_refused_with_a_reason(path, log, tmp_path, keys):
    for n in range(30):
        log.append([prediction(str(n))])
    log.reader.store.backup(tmp_path / "whole.sqlite")
    whole = (tmp_path / "whole.sqlite").read_bytes()
    for cut in range(1, len(whole), len(whole) // 23):
        (tmp_path / "cut.sqlite").write_bytes(whole[:cut])
        with pytest.raises((VerificationFailed, LogError)):
            audit(tmp_path / "cut.sqlite")
    (tmp_path / "text.sqlite").write_text("not a database, but long enough to be looked at\n" * 40)
    with pytest.raises(VerificationFailed):
        open_log(tmp_path / "text.sqlite", key=keys[0], secret=keys[1])
    with pytest.raises(InvalidInput, match="no log"):
        open_store(tmp_path / "absent.sqlite", create=False)
