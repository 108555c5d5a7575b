"""What the log survives: kill -9 under four writers, and what its proofs catch.

    python benchmarks/log_durability.py [--kills 200] [--receipts 10000] [--flips 1000]

Prints one line per promise and ends with exit code 1 when one is broken: no acknowledged record lost, none doubled,
consistency from the last checkpoint proven after every kill; every receipt verifies with the stand-alone verifier,
every mutated one fails; every single-bit flip over model folder, log backup and receipt is detected.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from features.errors import VerificationFailed
from models.backup import backup_log
from models.checkpoint import read_checkpoint
from models.log import open_log
from models.log_audit import verify_log
from models.log_reader import LogReader
from models.log_store import open_store
from models.manifest import write_manifest
from models.merkle import verify_consistency
from models.receipt import verify_receipt
from models.record import Event, create_secret
from models.seal import create_key, load_key, public_text, sign_folder, verify_seal
from training.audit.verify_receipt import NotVerifiedError
from training.audit.verify_receipt import verify_receipt as verify_alone

WRITERS = 4


def prediction(name: str) -> Event:
    facts = {"model_digest": "sha256:0", "answered": True}
    return Event("prediction", "clinic-a", facts, name, {"score": 14}, {"id": name, "change": -len(name) / 7})


def write(path: Path, key_path: Path, secret: bytes, requests: Iterable[int], acknowledged: Path) -> None:
    """Append for ever; write down what was acknowledged, after it was."""
    log = open_log(path, key=load_key(key_path), secret=secret)
    with acknowledged.open("a") as file:
        for number in requests:
            event = prediction(f"{acknowledged.name}-{number}")
            index = json.loads(log.append([event])[0])["index"]
            file.write(f"{event.id} {index}\n")
            file.flush()


def kill_turn(folder: Path, turn: int, key: Ed25519PrivateKey, secret: bytes, draw: random.Random) -> list[list[str]]:
    """Let four writers run, kill them at a random moment, and return what they had been told."""
    context = multiprocessing.get_context("fork")
    files = [folder / f"ack-{turn}-{n}" for n in range(WRITERS)]
    arguments = [(folder / "log.sqlite", folder / "log.key", secret, range(10**6), file) for file in files]
    writers = [context.Process(target=write, args=argument) for argument in arguments]
    for writer in writers:
        writer.start()
    deadline = time.monotonic() + 30
    while not any(file.exists() and file.stat().st_size for file in files) and time.monotonic() < deadline:
        time.sleep(0.002)
    time.sleep(draw.uniform(0, 0.15))
    for writer in writers:
        os.kill(writer.pid, signal.SIGKILL)
        writer.join(10)
    text = "".join(file.read_text() for file in files if file.exists())
    return [line.split() for line in text.splitlines() if line.count(" ") == 1]


def survive(folder: Path, kills: int, draw: random.Random) -> bool:
    key, secret = load_key(create_key(folder, "log")), create_secret(folder / "log.secret")
    open_log(folder / "log.sqlite", key=key, secret=secret).close()
    told, lost, doubled, proven, last, slowest = {}, 0, 0, 0, None, 0.0
    for turn in range(kills):
        lines = kill_turn(folder, turn, key, secret, draw)
        started = time.monotonic()
        log = open_log(folder / "log.sqlite", key=key, secret=secret)
        slowest = max(slowest, time.monotonic() - started)
        for name, index in lines:
            doubled += name in told
            told[name] = int(index)
        rows = dict(log.reader.store.read("SELECT id, place FROM entries"))
        lost += sum(rows.get(name) != index for name, index in told.items())
        head = read_checkpoint(*log.reader.head())
        if last is None or not last.size:
            proven += 1
        else:
            proof = log.reader.consistency(last.size, head.size)
            verify_consistency(last.root, last.size, head.root, head.size, proof)
            proven += 1
        last = head
        log.close()
    report = verify_log(LogReader(open_store(folder / "log.sqlite")), [public_text(key)], [last])
    print(f"kill -9: {kills} kills, {len(told)} acknowledged, {report.size} logged, {lost} lost, {doubled} doubled, "
          f"consistency {proven}/{kills}, slowest restart {slowest:.2f} s")  # fmt: skip
    return not lost and not doubled and proven == kills


def receipts(folder: Path, count: int, draw: random.Random) -> bool:
    key, secret = load_key(create_key(folder, "r")), create_secret(folder / "r.secret")
    log = open_log(folder / "receipts.sqlite", key=key, secret=secret)
    pinned, verified, caught = log.public_key, 0, 0
    for start in range(0, count, 500):
        for receipt in log.append([prediction(f"p{n}") for n in range(start, min(start + 500, count))]):
            verify_alone(receipt, pinned)
            verify_receipt(receipt, [pinned])
            verified += 1
            spoiled = flipped(receipt, draw)
            try:
                verify_alone(spoiled, pinned)
            except NotVerifiedError:
                caught += 1
    print(f"receipts: {verified}/{count} verified, {caught}/{count} mutated ones refused")
    return verified == caught == count


def flips(folder: Path, count: int, draw: random.Random) -> bool:
    """Flip one bit at a time in a sealed model folder, a sealed log backup, and a receipt."""
    key = load_key(create_key(folder, "f"))
    model = folder / "model"
    model.mkdir()
    (model / "arrays.npz").write_bytes(draw.randbytes(20_000))
    write_manifest(model, {"kind": "bundle"})
    sign_folder(model, key)
    backup_log(folder / "receipts.sqlite", folder / "backup", key)
    files = [path for part in (model, folder / "backup") for path in sorted(part.iterdir())]
    log = open_log(folder / "receipts.sqlite", key=load_key(folder / "r.key"), secret=b"")
    receipt = log.append([Event("load", "service", {})])[0]
    detected = 0
    for _ in range(count):
        path = draw.choice([*files, None])
        try:
            if path is None:
                verify_receipt(flipped(receipt, draw), [log.public_key])
            else:
                verify_flipped(path, key, draw)
        except VerificationFailed:
            detected += 1
    print(f"bit flips: {detected}/{count} detected over model, manifest, seal, log and receipt")
    return detected == count


def verify_flipped(path: Path, key: Ed25519PrivateKey, draw: random.Random) -> None:
    with path.open("r+b") as file:
        place, bit = draw.randrange(path.stat().st_size), 1 << draw.randrange(8)
        file.seek(place)
        byte = file.read(1)[0]
        for value in (byte ^ bit, byte):
            file.seek(place)
            file.write(bytes([value]))
            file.flush()
            if value != byte:
                try:
                    verify_seal(path.parent, [public_text(key)])
                except VerificationFailed:
                    file.seek(place)
                    file.write(bytes([byte]))
                    raise


def flipped(content: bytes, draw: random.Random) -> bytes:
    spoiled = bytearray(content)
    spoiled[draw.randrange(len(spoiled))] ^= 1 << draw.randrange(8)
    return bytes(spoiled)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--receipts", type=int, default=10_000)
    parser.add_argument("--flips", type=int, default=1000)
    options = parser.parse_args()
    draw = random.Random(11)
    with tempfile.TemporaryDirectory(prefix="vagus-log-") as name:
        folder = Path(name)
        kept = [
            survive(folder, options.kills, draw),
            receipts(folder, options.receipts, draw),
            flips(folder, options.flips, draw),
        ]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
