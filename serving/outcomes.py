"""Outcomes that come back: what was predicted beside what was seen, for calibration, and in quarantine until checked.

The store is a file of the service's state folder. It holds the numbers of a prediction under its random id, the
tenant that asked, and no other word about the person.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct

from models.bundle import Bundle
from serving.faults import RequestError
from serving.schemas import Text

FILE = "outcomes.db"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS told (id TEXT PRIMARY KEY, tenant TEXT NOT NULL, model TEXT NOT NULL, time REAL NOT NULL,
  baseline REAL, change REAL, lower REAL, upper REAL, p_response REAL);
CREATE TABLE IF NOT EXISTS refused (id TEXT PRIMARY KEY, tenant TEXT NOT NULL, reasons TEXT NOT NULL, time REAL NOT NULL);
CREATE TABLE IF NOT EXISTS shadowed (id TEXT REFERENCES told (id), model TEXT NOT NULL, answered INTEGER NOT NULL, change REAL,
  lower REAL, upper REAL, PRIMARY KEY (id, model));
CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY REFERENCES told (id), follow_up REAL NOT NULL,
  steered INTEGER NOT NULL, time REAL NOT NULL, state TEXT NOT NULL DEFAULT 'quarantined');
CREATE TABLE IF NOT EXISTS dated (id TEXT PRIMARY KEY REFERENCES seen (id), days REAL NOT NULL);
"""


class Outcome(Struct, forbid_unknown_fields=True, frozen=True):
    """The score seen at follow-up, `days` after the baseline score; `steered`: the prediction influenced the therapy."""

    prediction_id: Text
    follow_up: float
    steered: bool
    days: Annotated[float, Meta(ge=0, le=36_500)] | None = None


class OutcomesRequest(Struct, forbid_unknown_fields=True, frozen=True):
    """The body of `POST /outcomes`."""

    outcomes: Annotated[list[Outcome], Meta(min_length=1, max_length=1000)]


class Outcomes:
    """The store, shared by the workers of a service."""

    def __init__(self, path: Path) -> None:
        """Open or create the file."""
        self.path = path
        with self._connect() as store:
            store.execute("PRAGMA journal_mode=WAL")
            store.executescript(_SCHEMA)
        # Kept open: whoever closes the last connection folds the write-ahead file back, at the cost of several waits.
        self._writer, self._lock = sqlite3.connect(path, timeout=10, check_same_thread=False), threading.Lock()
        # What is lost with the power is in the log: no need to wait for the disk a second time.
        self._writer.execute("PRAGMA synchronous=NORMAL")

    def told(self, answers: Sequence[tuple[str, str, Sequence[Mapping[str, Any]]]]) -> None:
        """Keep the numbers of predictions, and the reasons of refusals, of answers (tenant, model digest, predictions)."""
        now = time.time()
        numbers, refusals = [], []
        for tenant, digest, predictions in answers:
            numbers += [_numbers(p, tenant, digest, now) for p in predictions if p["answered"]]
            refusals += [
                (p["prediction_id"], tenant, ",".join(p["reasons"]), now) for p in predictions if not p["answered"]
            ]
        with self._lock, self._writer as store:
            if numbers:
                store.executemany("INSERT OR IGNORE INTO told VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", numbers)
            if refusals:
                store.executemany("INSERT OR IGNORE INTO refused VALUES (?, ?, ?, ?)", refusals)

    def seen(self, tenant: str, outcomes: Sequence[Outcome]) -> int:
        """Take outcomes in, all or none, and return how many are new; a tenant knows its own predictions only."""
        now = time.time()
        with self._connect() as store:
            for i, outcome in enumerate(outcomes):
                found = store.execute("SELECT tenant FROM told WHERE id = ?", (outcome.prediction_id,)).fetchone()
                if found is None or found[0] != tenant:
                    hint = "Send the prediction_id of an answered prediction"
                    place = f"outcomes[{i}].prediction_id"
                    raise RequestError(404, "unknown_prediction", "there is no such prediction", place, hint)
            rows = [(o.prediction_id, o.follow_up, int(o.steered), now) for o in outcomes]
            insert = "INSERT OR IGNORE INTO seen (id, follow_up, steered, time) VALUES (?, ?, ?, ?)"
            new = store.executemany(insert, rows).rowcount
            dates = [(o.prediction_id, o.days) for o in outcomes if o.days is not None]
            store.executemany("INSERT OR IGNORE INTO dated VALUES (?, ?)", dates)
            return new

    def returned(self) -> list[tuple[Any, ...]]:
        """Return every outcome: id, tenant, time of the prediction, score, steered, time sent, state, days after baseline."""
        with self._connect() as store:
            return store.execute(_RETURNED).fetchall()

    def mark(self, ids: Sequence[str], state: str) -> None:
        """Move outcomes to a state: validated (in a cohort) or withdrawn."""
        with self._lock, self._writer as store:
            store.executemany("UPDATE seen SET state = ? WHERE id = ?", [(state, one) for one in ids])

    def unknown(self, ids: Sequence[str]) -> list[int]:
        """Return the places of ids in a list that no prediction bears."""
        with self._connect() as store:
            find = "SELECT 1 FROM told WHERE id = ?"
            return [i for i, one in enumerate(ids) if store.execute(find, (one,)).fetchone() is None]

    def summary(self, tenant: str) -> dict[str, Any]:
        """Return volume, refusals by reason, and how predictions fared against outcomes; groups under 10 are hidden."""
        with self._connect() as store:
            told = store.execute("SELECT COUNT(*) FROM told WHERE tenant = ?", (tenant,)).fetchone()[0]
            refused = store.execute("SELECT reasons FROM refused WHERE tenant = ?", (tenant,)).fetchall()
            pairs = store.execute(_PAIRS, (tenant,)).fetchall()
        reasons: dict[str, int] = {}
        for (codes,) in refused:
            for code in codes.split(","):
                reasons[code] = reasons.get(code, 0) + 1
        return {"answered": told, "refused": len(refused), "reasons": reasons, "calibration": _calibration(pairs)}

    def shadowed(self, told: Sequence[tuple[str, str, Mapping[str, Any]]]) -> None:
        """Keep what a challenger would have said: (prediction id of the champion, challenger's digest, its prediction)."""
        rows = []
        for prediction_id, digest, own in told:
            interval = own["interval"] or {"lower": None, "upper": None}
            numbers = (own["change"], interval["lower"], interval["upper"])
            rows.append((prediction_id, digest, int(own["answered"]), *numbers))
        with self._lock, self._writer as store:
            store.executemany("INSERT OR IGNORE INTO shadowed VALUES (?, ?, ?, ?, ?, ?)", rows)

    def duel(self, tenant: str) -> list[dict[str, Any]]:
        """Return, per challenger, how it fares against the champion on the same people; hidden under 10.

        Differences on everyone both answered; mean absolute error and coverage on outcomes that no prediction steered.
        """
        with self._connect() as store:
            rows = store.execute(_DUEL, (tenant,)).fetchall()
        return [
            _duel(digest, [row[1:] for row in rows if row[0] == digest]) for digest in sorted({row[0] for row in rows})
        ]

    def weeks(self, tenant: str) -> list[dict[str, Any]]:
        """Return the last half year by week (its Monday, UTC): answered, refused, and mean baseline and change of 10 or more."""
        with self._connect() as store:
            rows = store.execute(_WEEKS, {"tenant": tenant, "fewest": FEWEST}).fetchall()
        return [dict(zip(("week", "answered", "refused", "baseline", "change"), row, strict=True)) for row in rows]

    def recent_baselines(self, tenant: str) -> dict[str, tuple[int, float]]:
        """Return, per model digest, how many were answered in the last 90 days and their mean baseline score."""
        with self._connect() as store:
            rows = store.execute(_RECENT, (tenant, time.time() - 90 * 86400)).fetchall()
        return {digest: (count, mean) for digest, count, mean in rows}

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=10)


_RETURNED = """SELECT seen.id, told.tenant, told.time, seen.follow_up, seen.steered, seen.time, seen.state, dated.days
FROM seen JOIN told ON told.id = seen.id LEFT JOIN dated ON dated.id = seen.id ORDER BY seen.time, seen.id"""
_PAIRS = """SELECT seen.follow_up - told.baseline, told.change, told.lower, told.upper, seen.steered
FROM seen JOIN told ON told.id = seen.id WHERE told.tenant = ?"""
_DUEL = """SELECT shadowed.model, shadowed.answered, told.change, told.lower, told.upper, shadowed.change, shadowed.lower,
  shadowed.upper, seen.follow_up - told.baseline, seen.steered
FROM shadowed JOIN told ON told.id = shadowed.id LEFT JOIN seen ON seen.id = told.id WHERE told.tenant = ?"""
_WEEKS = """SELECT week, SUM(answered), SUM(1 - answered), CASE WHEN SUM(answered) >= :fewest THEN AVG(baseline) END,
  CASE WHEN SUM(answered) >= :fewest THEN AVG(change) END FROM (
    SELECT date(time, 'unixepoch', 'weekday 0', '-6 days') AS week, 1 AS answered, baseline, change FROM told WHERE tenant = :tenant
    UNION ALL SELECT date(time, 'unixepoch', 'weekday 0', '-6 days'), 0, NULL, NULL FROM refused WHERE tenant = :tenant)
GROUP BY week ORDER BY week DESC LIMIT 26"""
_RECENT = "SELECT model, COUNT(*), AVG(baseline) FROM told WHERE tenant = ? AND time > ? GROUP BY model"
FEWEST = 10


def _calibration(pairs: Sequence[tuple[float, float, float, float, int]]) -> dict[str, Any]:
    """Coverage and mean error. Predictions that steered therapy changed what they predicted: they stand apart."""
    free = [pair for pair in pairs if not pair[4]]
    if len(free) < FEWEST:
        return {"outcomes": len(pairs), "steered": len(pairs) - len(free), "coverage": None, "mean_error": None}
    inside = sum(lower <= change <= upper for change, _, lower, upper, _ in free)
    error = sum(change - predicted for change, predicted, *_ in free) / len(free)
    steered = len(pairs) - len(free)
    return {"outcomes": len(pairs), "steered": steered, "coverage": inside / len(free), "mean_error": error}


def _duel(digest: str, rows: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    both = [row for row in rows if row[0]]
    differ = [row[4] - row[1] for row in both]
    free = [row for row in both if row[7] is not None and not row[8]]
    found: dict[str, Any] = {
        "model": digest,
        "people": len(rows),
        "declined": len(rows) - len(both),
        "outcomes": len(free),
    }
    found["mean_difference"] = sum(differ) / len(differ) if len(differ) >= FEWEST else None
    for name, at in (("champion", 1), ("challenger", 4)):
        told = [(row[7], *row[at : at + 3]) for row in free]
        enough = len(told) >= FEWEST
        found[f"{name}_mae"] = sum(abs(seen - change) for seen, change, _, _ in told) / len(told) if enough else None
        inside = [low <= seen <= high for seen, _, low, high in told if low is not None]
        found[f"{name}_coverage"] = sum(inside) / len(inside) if len(inside) >= FEWEST else None
    return found


def baseline_drift(recent: Mapping[str, tuple[int, float]], bundles: Iterable[Bundle]) -> list[dict[str, Any]]:
    """Return per served model how far the mean baseline of recent people lies from training's, in its sds; hidden under 10 people."""
    found = []
    for bundle in bundles:
        count, mean = recent.get(bundle.digest, (0, 0.0))
        scale = bundle.encoding.baseline_scale or 1.0
        shift = (mean - bundle.encoding.baseline_centre) / scale if count >= FEWEST else None
        found.append(
            {"instrument": bundle.instrument, "model": bundle.digest, "people": count, "baseline_shift": shift}
        )
    return found


def _numbers(p: Mapping[str, Any], tenant: str, digest: str, now: float) -> tuple[Any, ...]:
    interval = p["interval"] or {"lower": None, "upper": None}
    baseline = p["follow_up"] - p["change"]
    head = (p["prediction_id"], tenant, digest, now)
    return (*head, baseline, p["change"], interval["lower"], interval["upper"], p["response_probability"])
