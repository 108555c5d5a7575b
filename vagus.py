"""The front door of the `vagus` command: a map of verbs to the rooms that do them.

It imports nothing of a room until a verb is chosen, so that `vagus serve` never loads the training stack.
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Sequence
from importlib import import_module, metadata
from pathlib import Path
from typing import NamedTuple

from features.errors import VagusError, invalid

DEBUG = "VAGUS_DEBUG"


class Verb(NamedTuple):
    """The room that does a verb (its door is `main(argv) -> int`, verb first), and its help line."""

    room: str
    help: str


VERBS = {
    "cohort": Verb("features.__main__", "import, check, simulate or export a cohort folder"),
    "cohort export-log": Verb("serving.__main__", "outcomes that came back to the service, as a cohort to train on"),
    "taxa": Verb("features.__main__", "normalise the names of taxa and show every merge"),
    "score": Verb("features.__main__", "score a questionnaire from its item answers"),
    "train": Verb("training.__main__", "train and validate a model; the run is recorded"),
    "learning-curve": Verb("training.__main__", "how many more people would show the increment"),
    "runs": Verb("training.__main__", "list recorded runs, or show one"),
    "promote": Verb("training.__main__", "move an alias to a run if its gates pass"),
    "rollback": Verb("training.__main__", "move an alias back to the version before"),
    "export": Verb("training.__main__", "write the sealed bundle that is served"),
    "predict": Verb("training.__main__", "predict for every outcome row of a cohort"),
    "plan": Verb("training.audit.custody", "seal an evaluation plan before the evaluation"),
    "keys": Verb("serving.__main__", "create signing keys; grant, rotate and revoke access keys"),
    "withdraw": Verb("training.audit.custody", "list every use of a person and bar further use"),
    "log": Verb("training.audit.custody", "back up, restore or purge the append-only log"),
    "doctor": Verb("training.__main__", "what is installed and whether it works"),
    "serve": Verb("serving.__main__", "serve bundles over HTTP"),
    "audit": Verb("training.audit.__main__", "compare, reproduce, verify or trace runs and predictions"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; return 0 done, 1 fault, 2 bad input, 3 refused, 4 verification failed."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(arguments)
    except VagusError as error:
        _say(*error.lines)
        return error.exit_code
    except KeyboardInterrupt:
        _say("interrupted")
        return 130
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        # The text of an unforeseen exception may quote a patient's value: only its type is shown.
        _say(f"internal fault: {type(error).__name__} (set {DEBUG}=1 for the traceback)")
        return 1


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        return _print(usage())
    if arguments[0] in ("-V", "--version"):
        return _print(f"vagus {version()}")
    verb = VERBS.get(" ".join(arguments[:2])) or VERBS.get(arguments[0])
    if verb is None:
        raise invalid("unknown_verb", "vagus has no such verb", f"Choose one of: {', '.join(VERBS)}")
    return int(import_module(verb.room).main(arguments))


def usage() -> str:
    """Return the list of verbs, one line each."""
    width = max(map(len, VERBS))
    lines = [f"  {name:<{width}}  {verb.help}" for name, verb in VERBS.items()]
    head = "usage: vagus VERB ...      (vagus VERB --help tells more)"
    return "\n".join([head, "", *lines, "", "  --version, --help"])


def version() -> str:
    """Return the version installed, or that of the checkout this file stands in."""
    try:
        return metadata.version("vagus")
    except metadata.PackageNotFoundError:
        project = tomllib.loads((Path(__file__).parent / "pyproject.toml").read_text())["project"]
        return str(project["version"])


def _print(text: str) -> int:
    sys.stdout.write(text + "\n")
    return 0


def _say(*lines: str) -> None:
    sys.stderr.write("".join(line + "\n" for line in lines))


if __name__ == "__main__":
    raise SystemExit(main())
