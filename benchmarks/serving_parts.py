"""Where the time of a logged prediction goes: CPU of each part, in process, one row after the other and 1,000 at once.

    python benchmarks/serving_parts.py [--repeats 5] [--subjects 400]

The parts are called as `POST /predict` calls them, one thread, no sockets; the smallest of some repeats stands in the table.
What a request costs over HTTP is more: see docs/benchmarks-serving.md.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from bench_serving import prepare

from features.importers.clinic import design_of
from models.ledger import prepare_ledger
from serving.access import Principal
from serving.answering import _answer
from serving.desk import Desk
from serving.predict import _reply, _told, read, reply_of
from serving.routes import _asked
from serving.settings import Settings
from serving.wire import Call

WHO = Principal("bench", "", "clinic", "bench")


class Parts:
    """CPU ms per request, by part; the smallest of the repeats."""

    def __init__(self) -> None:
        self.least: dict[str, float] = {}
        self._own: dict[str, float] = {}

    def __call__(self, name: str, act: Callable[[], Any]) -> Any:
        begun = time.process_time_ns()
        done = act()
        self._own[name] = self._own.get(name, 0.0) + (time.process_time_ns() - begun) / 1e6
        return done

    def repeat(self, requests: int) -> None:
        for name, total in self._own.items():
            self.least[name] = min(self.least.get(name, float("inf")), total / requests)
        self._own = {}


def answer(desk: Desk, body: bytes, part: Parts) -> None:
    """Answer one request as the service does, part by part."""
    request, sent = part("decode, check", lambda: _asked(desk, Call(body, {}, {}, b"", WHO)))
    asked = part("checks of meaning", lambda: read(desk.bundles, request, desk.sites))
    rows = [question.row._replace(id=str(i)) for i, question in enumerate(asked.questions)]
    design = part("table of taxa and lifestyle", lambda: design_of(rows, unit="counts"))
    found = part("encode and predict", lambda: asked.bundle.predict(design, None))
    told = part("replies", lambda: [
        _reply(question, own, found.level, "prognostic") for question, own in zip(asked.questions, _told(found), strict=True)
    ])  # fmt: skip
    reply = reply_of(asked, told)
    logged = part("what was sent", lambda: _answer(WHO, request, reply, "/predict", sent))
    batch = part("log entries", lambda: desk.journal.prepare(logged))
    part("tree, signature, SQLite, receipts", lambda: desk.journal.predictions([(logged, batch)]))
    part("numbers for outcomes", lambda: desk.outcomes.told([(WHO.tenant, reply["model"]["digest"], told)]))
    part("encode the reply", lambda: msgspec.json.encode(reply))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--subjects", type=int, default=400)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="serving-parts-") as name:
        folder = Path(name)
        ask = prepare(folder, options.subjects)
        log = prepare_ledger(folder / "log")
        desk = Desk.open(Settings((folder / "bundle",), open_door=True, log=log, outcomes=folder / "outcomes.db"))
        one, many = Parts(), Parts()
        for _ in range(options.repeats):
            for body in ask["others"]:
                answer(desk, body, one)
            one.repeat(len(ask["others"]))
            answer(desk, ask["vagus_batch"], many)
            many.repeat(1)
    print("| part, CPU ms | one row | 1,000 rows |\n|---|---:|---:|")
    for part, least in one.least.items():
        print(f"| {part} | {least:.3f} | {many.least[part]:.1f} |")
    print(f"| sum | {sum(one.least.values()):.3f} | {sum(many.least.values()):.1f} |")


if __name__ == "__main__":
    main()
