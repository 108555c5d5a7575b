"""A person withdraws: every run and prediction that used them, and the proof that the next training does not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from features.errors import Refused
from models.log import Log
from models.record import Event, read_secret, subject_digest
from training.audit import catalogue
from training.audit.runs import Run, read_run
from training.keyring import secret_id, subject_name

#: The keyed digests of people who withdrew, one per line, beside the log.
BARRED = "withdrawn.txt"


@dataclass(frozen=True)
class Withdrawal:
    """Where a person was used: run ids, and ids and places of log entries.

    `unknown` are runs that name people under another secret: of them nothing can be said here.
    """

    runs: tuple[str, ...]
    unknown: tuple[str, ...]
    predictions: tuple[str, ...]
    receipt: bytes


def recorded_runs(store: Path) -> Iterator[Run]:
    """Yield every run of a tracking store's folder, each verified against its manifest first."""
    for row in catalogue.refresh(store):
        yield read_run(catalogue.folder_of(store, str(row["run_id"])))


def uses(subject: str, run: Run, secret: bytes) -> bool:
    """Return whether a run was trained on a person; raises Refused where it names people under another secret."""
    if not readable(run, secret):
        remedy = "put the secret it was made with in its place (vagus keys restore)"
        raise Refused("subject-secret", f"run {run.name} names people under another secret; {remedy}")
    return subject_name(subject, secret) in set(run.rows["subject"])


def readable(run: Run, secret: bytes) -> bool:
    """Return whether a run names people under this secret."""
    return bool(run.record.get("subject_key_id") == secret_id(secret))


def withdraw(
    subject: str,
    runs: Iterable[Run],
    log: Log,
    ledger: Path,
    *,
    people: bytes,
    actor: str,
    known_as: Iterable[str] = (),
) -> Withdrawal:
    """List every run and prediction that used a person, bar further use, and put the withdrawal into the log.

    `people` is the secret under which runs name people; `known_as` are other names of the person in the log (a service writes `tenant/id`). The entries stay: erasing
    their private parts is `Log.erase`, a decision of its own.
    """
    listed = list(runs)
    unknown = tuple(run.name for run in listed if not readable(run, people))
    used = tuple(run.name for run in listed if readable(run, people) and uses(subject, run, people))
    secret = read_secret(ledger / "keys" / "secret")
    digests = [subject_digest(secret, name) for name in (subject, *known_as)]
    places = sorted({place for digest in digests for place in log.reader.places_of(digest)})
    predictions = tuple(log.reader.entry(place)["id"] for place in places)
    with (ledger / BARRED).open("a", encoding="ascii") as file:
        file.write(subject_digest(secret, subject) + "\n")
    receipt = log.append([Event("withdrawal", actor, subject=subject, input={"runs": used, "places": places})])[0]
    return Withdrawal(used, unknown, predictions, receipt)


def barred(subjects: Iterable[str], ledger: Path) -> set[str]:
    """Return which of the people have withdrawn; training leaves them out."""
    path = ledger / BARRED
    if not path.is_file():
        return set()
    listed, secret = set(path.read_text(encoding="ascii").split()), read_secret(ledger / "keys" / "secret")
    return {subject for subject in subjects if subject_digest(secret, subject) in listed}


def prove_absence(subject: str, run: Run, secret: bytes) -> str:
    """Return the sentence that a sealed run's rows do not hold a person; raises Refused where they do."""
    if uses(subject, run, secret):
        raise Refused("still-used", f"run {run.name} was trained on this person; train again without them")
    return f"none of the {len(run.rows)} training rows of run {run.name} ({run.seal.status}) is of this person"
