"""What the demo asks: wait for a server, make one patient's request from a simulated cohort, post it."""

from __future__ import annotations

import csv
import gzip
import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path


def wait(url: str, pid: str) -> None:
    for _ in range(240):
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            os.kill(int(pid), 0)  # raises when the server has ended
            time.sleep(0.25)
    raise SystemExit("the server did not become ready; see demo/server.log")


def patient(cohort: str) -> None:
    folder = Path(cohort)
    with gzip.open(folder / "counts.tsv.gz", "rt", encoding="utf-8") as table:
        rows = csv.reader(table, delimiter="\t")
        taxa, counts = next(rows)[1:], next(rows)
    outcome = next(row for row in _rows(folder / "outcomes.tsv") if row["sample_id"] == counts[0])
    life = next(row for row in _rows(folder / "lifestyle.tsv") if row["subject_id"] == outcome["subject_id"])
    known = {name: _value(text) for name, text in life.items() if text and name not in ("subject_id", "sample_id")}
    reads = {taxon: float(count) for taxon, count in zip(taxa, counts[1:], strict=True) if float(count)}
    request = {
        "id": "demo-patient", "intervention": "fermented_food", "weeks": 8,
        "baseline": {"instrument": "PHQ-9", "score": float(outcome["baseline_score"]), "days_ago": 2},
        "microbiome": {"unit": "counts", "sample_age_days": 5, "taxa": reads}, "lifestyle": known,
    }  # fmt: skip
    print(json.dumps({"patients": [request]}))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table, delimiter="\t"))


def _value(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def post(url: str, file: str) -> None:
    body = Path(file).read_bytes()
    request = urllib.request.Request(f"{url}/predict", data=body, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            print(reply.read().decode())
    except urllib.error.HTTPError as error:
        raise SystemExit(error.read().decode()) from None


if __name__ == "__main__":
    {"wait": wait, "patient": patient, "post": post}[sys.argv[1]](*sys.argv[2:])
