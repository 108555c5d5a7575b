"""The log in PostgreSQL: the same promises, against a server of this test's own."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from features.errors import Refused
from models.backup import backup_log, restore_log
from models.log import open_log
from models.log_audit import verify_log
from models.log_reader import LogReader
from models.log_store import LogError, open_store
from models.receipt import verify_receipt
from models.record import Event, create_secret
from models.seal import create_key, load_key

pytest.importorskip("psycopg")


def as_postgres(*command):
    # The server refuses to run as root: it is given its own account where the tests run as root.
    account = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
    subprocess.run(command, check=True, capture_output=True, timeout=120, cwd="/", **account)


@pytest.fixture(scope="module")
def address():
    if shutil.which("initdb") is None or shutil.which("pg_ctl") is None:
        pytest.skip("no PostgreSQL server is installed (initdb, pg_ctl)")
    folder = Path(tempfile.mkdtemp(prefix="vagus-pg-"))
    if os.geteuid() == 0:
        try:
            account = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("running as root, and there is no account `postgres` for the server")
        os.chown(folder, account.pw_uid, account.pw_gid)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = folder / "data"
    as_postgres("initdb", "-D", str(data), "-U", "vagus", "-A", "trust", "--no-sync")
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder}"
    as_postgres("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "server.log"), "-o", options, "start")
    yield f"postgresql://vagus@127.0.0.1:{port}/postgres"
    as_postgres("pg_ctl", "-D", str(data), "-m", "fast", "-w", "stop")
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    return load_key(create_key(folder, "log")), create_secret(folder / "secret")


@pytest.fixture
def log(address, keys):
    log = open_log(address, key=keys[0], secret=keys[1])
    yield log
    log.close()


def prediction(subject):
    return Event("prediction", "clinic-a", {"model_digest": "sha256:0"}, subject, {"q": 1}, {"change": -1.5})


def test_appends_proves_erases_and_verifies(log):
    first, *_ = log.append([prediction("p"), prediction("q")])
    event = prediction("r")
    receipt = log.append([event])[0]
    for item in (first, receipt):
        verify_receipt(item, [log.public_key])
    with pytest.raises(Refused):
        log.append([event])
    place = verify_receipt(first)[0]["index"]
    assert log.erase("p", actor="officer") == [place]
    report = verify_log(log.reader, [log.public_key], [verify_receipt(receipt)[1]])
    assert report.erased == (place,)
    assert report.size == log.reader.size


def test_several_writers_take_turns(address, keys):
    receipts, before = [], LogReader(open_store(address)).size

    def write(name):
        own = open_log(address, key=keys[0], secret=keys[1])
        for n in range(10):
            receipts.extend(own.append([prediction(f"{name}-{n}")]))
        own.close()

    threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    places = sorted(verify_receipt(receipt)[0]["index"] for receipt in receipts)
    assert places == list(range(before, before + 40))


def test_a_backup_is_a_log_of_its_own(address, log, keys, tmp_path):
    log.append([prediction("b")])
    report = backup_log(address, tmp_path / "backup", keys[0])
    assert restore_log(tmp_path / "backup", tmp_path / "log.sqlite").root == report.root


def test_an_unreachable_server_is_said(keys):
    with pytest.raises(LogError, match="not available"):
        open_log("postgresql://vagus@127.0.0.1:1/postgres?connect_timeout=2", key=keys[0], secret=keys[1])
