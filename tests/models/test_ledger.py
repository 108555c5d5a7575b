"""A log folder is prepared once and opened by anyone who has its keys."""

import stat

import pytest

from features.errors import InvalidInput
from models.ledger import note, open_ledger, prepare_ledger, rotate_ledger_key
from models.log_audit import verify_log
from models.receipt import verify_receipt
from models.record import Event
from models.seal import create_key, load_key, public_text, read_public_key


def test_a_folder_is_prepared_once_and_keeps_its_keys(tmp_path):
    folder = prepare_ledger(tmp_path / "log")
    keys = {path.name: path.read_bytes() for path in (folder / "keys").iterdir()}
    assert set(keys) == {"log.key", "log.pub", "secret"}
    assert stat.S_IMODE((folder / "keys").stat().st_mode) == 0o700
    prepare_ledger(folder)
    assert {path.name: path.read_bytes() for path in (folder / "keys").iterdir()} == keys


def test_what_one_opening_wrote_the_next_one_reads(tmp_path):
    folder = prepare_ledger(tmp_path / "log")
    for n in range(2):
        log = open_ledger(folder)
        log.append([Event("config", "admin", {"n": n})])
        log.close()
    log = open_ledger(folder)
    assert [entry["facts"]["n"] for _, entry in log.reader.entries()] == [0, 1]
    log.close()


def test_without_keys_there_is_no_log(tmp_path):
    with pytest.raises(InvalidInput, match="private key"):
        open_ledger(tmp_path)


def test_a_note_prepares_the_folder_and_returns_its_receipt(tmp_path):
    receipts = [note("promotion", "ann", {"run_id": name}, tmp_path / "log") for name in ("r1", "r2")]
    assert [verify_receipt(receipt)[0]["index"] for receipt in receipts] == [0, 1]
    assert verify_receipt(receipts[1])[0]["entry"]["facts"] == {"run_id": "r2"}


def test_the_signing_key_rotates_and_the_old_one_is_kept(tmp_path):
    folder = tmp_path / "log"
    old = verify_receipt(note("config", "ann", {}, folder))[0]["public_key"]
    new = rotate_ledger_key(folder, actor="ann")
    assert read_public_key(folder / "keys" / "log.pub") == new != old
    assert verify_receipt(note("config", "ann", {}, folder))[0]["public_key"] == new
    log = open_ledger(folder)
    assert verify_log(log.reader, [old]).keys == (old, new)
    log.close()
    assert len(list((folder / "keys").glob("log-*.key"))) == 1


def test_a_rotation_that_was_cut_short_is_finished(tmp_path):
    folder = tmp_path / "log"
    note("config", "ann", {}, folder)
    fresh = load_key(create_key(folder / "keys", "log-next"))
    log = open_ledger(folder)
    log.rotate_key(fresh, actor="ann")
    log.close()  # here the machine stops: announced, but the files still bear the old names
    assert rotate_ledger_key(folder, actor="ann") == public_text(fresh)
    assert verify_receipt(note("config", "ann", {}, folder))[0]["public_key"] == public_text(fresh)
