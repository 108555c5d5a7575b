"""`vagus score`: a questionnaire or lifestyle form from a JSON file of its answers."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from features.errors import invalid
from features.lifestyle_scores import SCORERS
from features.scoring import NAMES, Score, score


def score_items(arguments: argparse.Namespace) -> int:
    """Print the scores of a form: in words, or as one object with `--json`; lifestyle forms always as an
    object.
    """
    answers, total = _answers(arguments.items)
    if arguments.form in SCORERS:
        if isinstance(answers, list):
            remedy = "Give an object of item name and amount"
            raise invalid("wrong_type", "the form's items go by name", remedy, file=arguments.items.name)
        found = {arguments.form: asdict(SCORERS[arguments.form](answers))}
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
        return 0
    scores = score(arguments.form, answers, prorate=arguments.prorate, capture=arguments.capture, total=total)
    if arguments.json:
        sys.stdout.write(json.dumps({"scores": [asdict(one) for one in scores]}, indent=1) + "\n")
    else:
        sys.stdout.writelines(_words(one) + "\n" for one in scores)
    return 0


def _words(one: Score) -> str:
    total = "blank" if one.total is None else f"{one.total:g}{', ' + one.band if one.band else ''}"
    missing = f"; not answered: {', '.join(one.missing)}" if one.missing else ""
    flag = f"; self-harm item: {one.self_harm_item.replace('_', ' ')}" if one.self_harm_item else ""
    return f"{one.instrument}: {total}{missing}{flag}; rules: {', '.join(one.rules)}"


def _answers(path: Path) -> tuple[dict[str, Any] | list[Any], float | None]:
    """A list of answers, an object of them, or an object with `items` and perhaps `total`."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as fault:
        remedy = "Give a JSON file with a list or an object of answers"
        raise invalid("unreadable_file", "the file is not readable as JSON", remedy, file=path.name) from fault
    items = found.get("items", found) if isinstance(found, dict) else found
    total = found.get("total") if isinstance(found, dict) and "items" in found else None
    if not isinstance(items, (dict, list)) or not isinstance(total, (int, float, type(None))):
        remedy = "Give a list of answers or an object of item number and answer"
        raise invalid("wrong_type", "the file holds no answers", remedy, file=path.name)
    return items, total


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of `score`."""
    parser.description = "Answers are whole numbers by item number; nothing missing is filled in silently."
    parser.add_argument("form", metavar="FORM", choices=(*NAMES, *SCORERS), help="%(choices)s")
    parser.add_argument("items", metavar="FILE", type=Path, help="JSON: a list or an object of answers")
    parser.add_argument("--prorate", metavar="RULE", default="", help="fill missing answers by a named rule")
    parser.add_argument(
        "--capture",
        choices=("scored", "uniform"),
        default="scored",
        help="uniform: all items were captured in one order (HADS); default scored",
    )
    parser.add_argument("--json", action="store_true", help="one machine-readable object on stdout")
    parser.set_defaults(run=score_items)
