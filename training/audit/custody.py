"""The keeper's door: keys, plans, withdrawals and the log's upkeep. Arguments only; `main(argv)` takes the verb first."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from models import backup, ledger
from models.log import Log
from models.seal import create_key, key_id, load_key, public_text
from training.audit.plan import check_plan, note_evaluation, seal_plan
from training.audit.runs import locate, read_run
from training.audit.withdraw import prove_absence, recorded_runs, withdraw
from training.keyring import subject_secret

Act = Callable[[argparse.Namespace], Mapping[str, Any]]

KEYS = Path(".vagus/keys")


def main(argv: list[str]) -> int:
    """Do one act and print what was done; returns 0, or raises what the front door shows."""
    options = _parser().parse_args(argv)
    options.actor = options.actor or _account()
    found: Mapping[str, Any] = options.act(options)
    lines = "".join(f"{name}: {value}\n" for name, value in found.items())
    sys.stdout.write(json.dumps(found) + "\n" if options.json else lines)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vagus", description="Keys, plans, withdrawals and the log.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for verb, (text, acts) in _VERBS.items():
        own = verbs.add_parser(verb, help=text, description=text)
        if callable(acts):
            _arguments(own, verb, acts)
            continue
        inner = own.add_subparsers(required=True, metavar="ACT")
        for name, act in acts.items():
            _arguments(inner.add_parser(name, description=act.__doc__), f"{verb} {name}", act)
    return parser


def _arguments(parser: argparse.ArgumentParser, name: str, act: Act) -> None:
    parser.set_defaults(act=act)
    for flags, settings in (*_ARGUMENTS[name], *_COMMON):
        parser.add_argument(flags, **settings)


def _create(options: argparse.Namespace) -> Mapping[str, Any]:
    """Create a signing key."""
    path = create_key(options.keys, options.name)
    public = public_text(load_key(path))
    return {"key": str(path), "public_key": public, "key_id": key_id(public)}


def _rotate(options: argparse.Namespace) -> Mapping[str, Any]:
    """Replace the log's signing key, announced under the old one; services must be started again."""
    return {"public_key": ledger.rotate_ledger_key(options.log, actor=options.actor)}


def _backup_keys(options: argparse.Namespace) -> Mapping[str, Any]:
    """Copy keys and secrets to a new folder; keep it in a safe."""
    return {"copied": backup.backup_keys(options.keys, options.out)}


def _restore_keys(options: argparse.Namespace) -> Mapping[str, Any]:
    """Copy keys back from a backup."""
    return {"restored": backup.restore_keys(options.backup, options.keys)}


def _seal(options: argparse.Namespace) -> Mapping[str, Any]:
    """Put a plan into the log before the evaluation; keep the receipt."""
    with _open(options) as log:
        receipt = seal_plan(options.plan, log, actor=options.actor)
    path = options.plan.with_suffix(".receipt.json")
    path.write_bytes(receipt)
    return {"receipt": str(path), "place": json.loads(receipt)["index"]}


def _evaluated(options: argparse.Namespace) -> Mapping[str, Any]:
    """Put the evaluation of a run into the log."""
    with _open(options) as log:
        receipt = note_evaluation(read_run(locate(options.run, options.tracking_uri)), log, actor=options.actor)
    return {"place": json.loads(receipt)["index"]}


def _check(options: argparse.Namespace) -> Mapping[str, Any]:
    """Say whether a run may be promoted under a plan; exit 3 when it may not."""
    run = read_run(locate(options.run, options.tracking_uri))
    champion = read_run(locate(options.champion, options.tracking_uri)) if options.champion else None
    with _open(options) as log:
        return {"passed": check_plan(options.plan, run, log.reader, champion)}


def _withdraw(options: argparse.Namespace) -> Mapping[str, Any]:
    """List every use of a person, bar further use, and log the withdrawal; or prove that a run is without them."""
    from training.audit.catalogue import store_folder

    people = subject_secret()
    if options.absent_from:
        run = read_run(locate(options.absent_from, options.tracking_uri))
        return {"proved": prove_absence(options.subject, run, people)}
    with _open(options) as log:
        runs = recorded_runs(store_folder(options.tracking_uri))
        names = [options.subject, *options.known_as]
        acts = {"people": people, "actor": options.actor, "known_as": options.known_as}
        found = withdraw(options.subject, runs, log, options.log, **acts)
        erased = [place for name in names for place in log.erase(name, actor=options.actor)] if options.erase else []
    uses = {"runs": list(found.runs), "runs_under_another_secret": list(found.unknown)}
    return {**uses, "predictions": list(found.predictions), "erased_entries": len(erased)}


def _backup_log(options: argparse.Namespace) -> Mapping[str, Any]:
    """Write a sealed copy of the log to a new folder, while services go on writing."""
    key = load_key(options.log / "keys" / f"{ledger.KEY}.key")
    report = backup.backup_log(options.log / ledger.STORE, options.out, key)
    return {"entries": report.size, "root": report.root}


def _restore_log(options: argparse.Namespace) -> Mapping[str, Any]:
    """Put a backup in the place of the log; no service may be at work."""
    report = backup.restore_log(options.backup, options.log / ledger.STORE)
    return {"entries": report.size, "root": report.root}


def _purge(options: argparse.Namespace) -> Mapping[str, Any]:
    """Empty the entries that are past retention."""
    with _open(options) as log:
        return {"emptied": len(log.purge(actor=options.actor))}


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number without a name
        return "unknown"


@contextmanager
def _open(options: argparse.Namespace) -> Iterator[Log]:
    log = ledger.open_ledger(ledger.prepare_ledger(options.log))
    try:
        yield log
    finally:
        log.close()


_VERBS: Mapping[str, tuple[str, Act | Mapping[str, Act]]] = {
    "keys": (
        "create, rotate, back up and restore signing keys",
        {"create": _create, "rotate-log": _rotate, "backup": _backup_keys, "restore": _restore_keys},
    ),
    "plan": (
        "fix a plan before the evaluation, and hold runs against it",
        {"seal": _seal, "evaluated": _evaluated, "check": _check},
    ),
    "withdraw": ("list every use of a person and bar further use", _withdraw),
    "log": ("back up, restore and purge the log", {"backup": _backup_log, "restore": _restore_log, "purge": _purge}),
}

_Argument = tuple[str, dict[str, Any]]
_PLAN: _Argument = ("plan", {"type": Path, "metavar": "PLAN.toml"})
_RUN: _Argument = ("run", {"metavar": "RUN"})
_OUT: _Argument = ("--out", {"type": Path, "required": True, "metavar": "DIR"})
_BACKUP: _Argument = ("backup", {"type": Path, "metavar": "BACKUP"})
_KEYS: _Argument = (
    "--keys",
    {"type": Path, "default": KEYS, "metavar": "DIR", "help": f"folder of keys (default: {KEYS})"},
)

_ARGUMENTS: Mapping[str, tuple[_Argument, ...]] = {
    "keys create": (("name", {}), _KEYS),
    "keys rotate-log": (),
    "keys backup": (_OUT, _KEYS),
    "keys restore": (_BACKUP, _KEYS),
    "plan seal": (_PLAN,),
    "plan evaluated": (_RUN,),
    "plan check": (_PLAN, _RUN, ("--champion", {"metavar": "RUN", "help": "for the paired test of the plan"})),
    "withdraw": (
        ("subject", {"metavar": "SUBJECT"}),
        ("--known-as", {"action": "append", "default": [], "help": "another name in the log, such as tenant/id"}),
        ("--absent-from", {"metavar": "RUN", "help": "only prove that this run was trained without the person"}),
        ("--erase", {"action": "store_true", "help": "also erase the private parts of the person's log entries"}),
    ),
    "log backup": (_OUT,),
    "log restore": (_BACKUP,),
    "log purge": (),
}
_COMMON: tuple[_Argument, ...] = (
    ("--log", {"type": Path, "default": ledger.DEFAULT_FOLDER, "metavar": "DIR", "help": "folder of the log"}),
    ("--actor", {"help": "who acts (default: the account)"}),
    ("--tracking-uri", {"metavar": "URI", "help": "where runs are kept (default: ./.vagus)"}),
    ("--json", {"action": "store_true", "help": "print one JSON object on stdout"}),
)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
