"""Print a reply of `POST /predict` in plain words: `python -m serving.ask REPLY.json` (- reads stdin)."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from features.errors import VagusError, invalid
from serving.words import in_words


def main(argv: Sequence[str]) -> int:
    """Print every prediction of a reply; raises InvalidInput where the file is not such a reply."""
    if len(argv) != 1:
        raise invalid("usage", "one reply is read", "Give a JSON file, or - for standard input")
    text = sys.stdin.read() if argv[0] == "-" else Path(argv[0]).read_text(encoding="utf-8")
    try:
        reply = json.loads(text)
        pages = [in_words(prediction, reply["model"]) for prediction in reply["predictions"]]
    except (ValueError, KeyError, TypeError):
        remedy = "Save the body of a POST /predict that was answered with 200"
        raise invalid("not_a_reply", "this is no reply of POST /predict", remedy, file=argv[0]) from None
    sys.stdout.write("\n\n".join(pages) + "\n")
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except VagusError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(error.exit_code) from None
