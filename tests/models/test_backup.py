"""Backups come back whole, every altered bit is seen, and a restore never loses entries unasked."""

import random
import sqlite3
import stat

import pytest

from features.errors import InvalidInput, Refused, VerificationFailed
from models.backup import backup_keys, backup_log, restore_keys, restore_log
from models.log import open_log
from models.receipt import verify_receipt
from models.record import Event, create_secret
from models.seal import create_key, load_key, public_text, verify_seal


@pytest.fixture
def keys(tmp_path):
    return load_key(create_key(tmp_path / "keys", "log")), create_secret(tmp_path / "keys" / "log.secret")


@pytest.fixture
def log(tmp_path, keys):
    log = open_log(tmp_path / "log.sqlite", key=keys[0], secret=keys[1])
    log.append([Event("load", "service", {"n": n}) for n in range(5)])
    yield log
    log.close()


def test_a_backup_is_restored_and_written_on(log, keys, tmp_path):
    assert backup_log(tmp_path / "log.sqlite", tmp_path / "backup", keys[0]).size == 5
    report = restore_log(tmp_path / "backup", tmp_path / "new" / "log.sqlite", [public_text(keys[0])])
    assert report.size == 5
    assert verify_seal(tmp_path / "backup").status == "signed"  # looking at a backup leaves it as it was
    again = open_log(tmp_path / "new" / "log.sqlite", key=keys[0], secret=keys[1])
    receipt = again.append([Event("load", "service", {})])[0]
    again.close()
    assert verify_receipt(receipt)[0]["index"] == 5


def test_a_sound_log_with_later_entries_is_not_replaced(log, keys, tmp_path):
    backup_log(tmp_path / "log.sqlite", tmp_path / "backup", keys[0])
    log.append([Event("load", "service", {})])
    with pytest.raises(Refused, match="the backup lacks"):
        restore_log(tmp_path / "backup", tmp_path / "log.sqlite")
    assert log.reader.size == 6


def test_a_damaged_log_is_replaced(log, keys, tmp_path):
    backup_log(tmp_path / "log.sqlite", tmp_path / "backup", keys[0])
    log.close()
    with sqlite3.connect(tmp_path / "log.sqlite") as db:
        db.execute("DELETE FROM entries WHERE place = 2")
    assert restore_log(tmp_path / "backup", tmp_path / "log.sqlite").size == 5


def test_every_flipped_bit_of_a_backup_is_seen(log, keys, tmp_path):
    backup_log(tmp_path / "log.sqlite", tmp_path / "backup", keys[0])
    files = sorted((tmp_path / "backup").iterdir())
    assert [file.name for file in files] == ["log.sqlite", "manifest.json", "manifest.sig.json"]
    draw = random.Random(2)
    for _ in range(200):
        file = draw.choice(files)
        whole = file.read_bytes()
        spoiled = bytearray(whole)
        spoiled[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        file.write_bytes(bytes(spoiled))
        with pytest.raises(VerificationFailed):
            verify_seal(tmp_path / "backup", [public_text(keys[0])])
        file.write_bytes(whole)
    assert verify_seal(tmp_path / "backup", [public_text(keys[0])]).status == "trusted"


def test_backups_go_to_new_folders_only(log, keys, tmp_path):
    with pytest.raises(InvalidInput, match="not empty"):
        backup_log(tmp_path / "log.sqlite", tmp_path / "keys", keys[0])
    with pytest.raises(InvalidInput, match="no log"):
        backup_log(tmp_path / "absent.sqlite", tmp_path / "backup", keys[0])


def test_keys_come_back_private(log, tmp_path):
    names = backup_keys(tmp_path / "keys", tmp_path / "safe")
    assert names == ["log.key", "log.pub", "log.secret"]
    assert restore_keys(tmp_path / "safe", tmp_path / "restored") == names
    for name in names:
        assert (tmp_path / "restored" / name).read_bytes() == (tmp_path / "keys" / name).read_bytes()
        assert stat.S_IMODE((tmp_path / "restored" / name).stat().st_mode) == 0o600
    restore_keys(tmp_path / "safe", tmp_path / "restored")  # the same keys again: nothing to do


def test_another_key_is_not_overwritten(log, tmp_path):
    backup_keys(tmp_path / "keys", tmp_path / "safe")
    create_key(tmp_path / "other", "log")
    with pytest.raises(Refused, match=r"log\.key exists"):
        restore_keys(tmp_path / "safe", tmp_path / "other")
    with pytest.raises(InvalidInput):
        backup_keys(tmp_path / "backup-of-nothing", tmp_path / "safe2")
