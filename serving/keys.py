"""`vagus keys`: signing keys of those who vouch for models, access keys of those who may ask."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from models.seal import create_key
from serving.access import ROLES, Principal, add_key, read_keys, revoke_key, rotate_key

DEFAULT_FILE = Path(".vagus/access.jsonl")
DEFAULT_FOLDER = Path(".vagus/keys")


def options(parser: argparse.ArgumentParser) -> None:
    """Add the acts of `vagus keys` to its parser."""
    acts = parser.add_subparsers(dest="act", required=True)
    create = acts.add_parser("create", help="create a signing key (Ed25519): NAME.key and NAME.pub")
    create.add_argument("name")
    create.add_argument("--folder", type=Path, default=DEFAULT_FOLDER)
    grant = acts.add_parser("grant", help="create an access key; it is shown once and stored as a digest")
    grant.add_argument("--role", choices=ROLES, required=True)
    grant.add_argument("--tenant", default="")
    grant.add_argument("--days", type=float, default=365.0, help="until it expires (0 = never)")
    rotate = acts.add_parser("rotate", help="replace an access key; the old one works some hours longer")
    rotate.add_argument("key_id")
    rotate.add_argument("--hours", type=float, default=24.0)
    revoke = acts.add_parser("revoke", help="end an access key now")
    revoke.add_argument("key_id")
    acts.add_parser("list", help="list access keys: id, role, tenant, expiry")
    for act in ("grant", "rotate", "revoke", "list"):
        acts.choices[act].add_argument("--file", type=Path, default=DEFAULT_FILE)


def run(given: argparse.Namespace) -> int:
    """Do one act of `vagus keys`; a fresh key is printed on stdout, everything else on stderr."""
    if given.act == "create":
        return _print(str(create_key(given.folder, given.name)))
    if given.act == "grant":
        given.file.parent.mkdir(parents=True, exist_ok=True)
        return _fresh(*add_key(given.file, given.role, given.tenant, given.days))
    if given.act == "rotate":
        return _fresh(*rotate_key(given.file, given.key_id, given.hours))
    if given.act == "revoke":
        revoke_key(given.file, given.key_id)
        return 0
    return _print("\n".join(_line(principal) for principal in read_keys(given.file)))


def _fresh(key: str, principal: Principal) -> int:
    sys.stderr.write(f"{_line(principal)}\nThe key is shown once; only its digest is stored:\n")
    return _print(key)


def _line(principal: Principal) -> str:
    until = time.strftime("%Y-%m-%d", time.gmtime(principal.expires)) if principal.expires else "never"
    return f"{principal.key_id}  {principal.role}  tenant {principal.tenant or '-'}  expires {until}"


def _print(text: str) -> int:
    sys.stdout.write(text + "\n")
    return 0
