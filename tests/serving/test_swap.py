"""Another bundle at the same place is taken into service without a failed request; a bad one changes nothing."""

from __future__ import annotations

import os
import shutil
import threading
import time
from dataclasses import replace

import pytest

from models.bundle import Bundle
from serving import swap
from serving.access import Access
from serving.budget import Budget
from serving.desk import Desk, load_bundles
from serving.faults import RequestError
from serving.settings import Settings
from serving.switch import Switch


@pytest.fixture
def second(bundle_folder, tmp_path):
    """The same model under another version: another digest, the same answers."""
    bundle = Bundle.load(bundle_folder)
    return replace(bundle, manifest={**bundle.manifest, "version": "2"}).save(tmp_path / "second"), tmp_path / "second"


def _move(link, target):
    fresh = link.with_name("fresh")
    fresh.symlink_to(target)
    os.replace(fresh, link)


def _desk(link, state):
    settings = Settings(models=(link,), state=state)
    desk = Desk(settings, load_bundles(settings.models), Access([]), Budget(0, 0), Switch(None))
    swap.mark(desk)
    return desk


def test_one_worker_reloads_and_the_others_follow(bundle_folder, second, tmp_path):
    link, state = tmp_path / "served", tmp_path / "state"
    state.mkdir()
    link.symlink_to(bundle_folder)
    asked, other = _desk(link, state), _desk(link, state)
    before = other.bundles["PHQ-9"].digest
    _move(link, second[1])
    told = swap.reload(asked, "operator-key")
    assert told == [{"instrument": "PHQ-9", "model": second[0].digest}]
    assert other.bundles["PHQ-9"].digest == before != second[0].digest
    swap.follow(other)
    assert other.bundles["PHQ-9"].digest == second[0].digest
    kept = other.bundles
    other.looked = 0.0
    swap.follow(other)  # nothing new was called: nothing is read again
    assert other.bundles is kept


def test_a_bundle_that_does_not_verify_changes_nothing(bundle_folder, tmp_path):
    link, state, broken = tmp_path / "served", tmp_path / "state", tmp_path / "broken"
    state.mkdir()
    link.symlink_to(bundle_folder)
    desk = _desk(link, state)
    before = desk.bundles
    shutil.copytree(bundle_folder, broken)
    arrays = bytearray((broken / "arrays.npz").read_bytes())
    arrays[len(arrays) // 2] ^= 1
    (broken / "arrays.npz").write_bytes(arrays)
    _move(link, broken)
    with pytest.raises(RequestError) as caught:
        swap.reload(desk, "operator-key")
    assert (caught.value.status, caught.value.code) == (409, "bundle_refused")
    assert desk.bundles is before
    (state / "reload").touch()
    swap.follow(desk)
    assert desk.bundles is before


@pytest.mark.slow
def test_no_request_fails_while_the_bundle_is_swapped(start, bundle_folder, second, person, tmp_path):
    link = tmp_path / "served"
    link.symlink_to(bundle_folder)
    server = start(link).wait()
    seen, failed, done = [], [], threading.Event()

    def ask():
        with server.client() as client:
            for _ in range(2000):
                if done.is_set():
                    return
                reply = client.post("/predict", json={"patients": [person(4)]})
                (seen if reply.status_code == 200 else failed).append(reply)

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    with server.client() as client:
        for _ in range(600):
            if len(seen) >= 20:
                break
            time.sleep(0.1)
        _move(link, second[1])
        assert client.post("/reload", json={}).status_code == 200
        after = client.post("/predict", json={"patients": [person(4)]}).json()
    done.set()
    for asker in askers:
        asker.join()
    assert failed == []
    digests = {reply.json()["model"]["digest"] for reply in seen}
    assert after["model"]["digest"] == second[0].digest
    assert Bundle.load(bundle_folder).digest in digests
    assert len({reply.json()["predictions"][0]["change"] for reply in seen}) == 1
