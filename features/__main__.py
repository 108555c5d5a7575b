"""The door of the features room: `cohort import|check|export|simulate`, `taxa`, `score`.

`python -m features VERB ...` and `vagus VERB ...` are the same; both take the verb first.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from features.cohort import UNITS, Cohort
from features.errors import InvalidInput, VagusError
from features.importers.folder import ACCEPTABLE, NOTED, check_cohort, read_cohort, write_cohort
from features.importers.header import TIME_UNITS
from features.importers.writers import WRITERS
from features.score_door import add_parser as add_score_parser
from features.taxa_door import add_least_named
from features.taxa_door import add_parser as add_taxa_parser
from features.taxa_report import LEAST_NAMED, few_named


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb of this room; return 0 done, 1 fault, 2 bad input."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except VagusError as error:
        sys.stderr.write("".join(f"{line}\n" for line in error.lines))
        return error.exit_code
    except BrokenPipeError:
        # The reader of a pipe (`| head`) went away: nothing is wrong here.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def check(arguments: argparse.Namespace) -> int:
    """List every problem of a cohort folder; return 2 if any is left that was not accepted."""
    accepted = frozenset(arguments.accept)
    problems = check_cohort(arguments.folder, least_named=arguments.least_named)
    left = [problem for problem in problems if problem.code not in accepted]
    if arguments.json:
        report = {
            "valid": not left,
            "problems": [asdict(p) for p in left],
            "accepted": len(problems) - len(left),
        }
        report["digest"] = None if left else read_cohort(arguments.folder, accept=accepted - NOTED).digest
        sys.stdout.write(json.dumps(report, indent=1) + "\n")
    else:
        sys.stdout.write("".join(f"{problem}\n" for problem in left))
        sys.stdout.write(_verdict(len(problems), len(left)))
    return InvalidInput.exit_code if left else 0


def _verdict(found: int, left: int) -> str:
    kept = f", {found - left} accepted" if found > left else ""
    return f"{left or 'no'} problem{'' if left == 1 else 's'}{kept}\n"


def import_files(arguments: argparse.Namespace) -> int:
    """Turn lab files into a checked cohort folder and state every choice that was made."""
    from features.importers.assemble import Choices, assemble

    names = ("subject", "time", "arm", "unit", "time_unit", "orientation")
    found = assemble(arguments.paths, Choices(**{name: getattr(arguments, name) for name in names}))
    beside = {} if found.functions is None else {"functions": found.functions}
    write_cohort(found.cohort, arguments.out, beside=beside, accept=frozenset(arguments.accept),
                 least_named=arguments.least_named or 0.0)  # fmt: skip
    notes = [*found.notes, *_few_named(found.cohort, arguments.least_named)]
    sys.stdout.write("".join(f"{note}\n" for note in notes) + f"wrote {arguments.out}\n")
    return 0


def _few_named(cohort: Cohort, asked: float | None) -> list[str]:
    """Return a note where samples lie below the standard share of named genera, and no share was asked for."""
    below = 0 if asked is not None or cohort.counts is None else len(list(few_named(cohort.counts, LEAST_NAMED)))
    return [f"few_named_taxa: {below} samples are less than {LEAST_NAMED:.0%} in taxa with a named genus"] * (below > 0)


def export(arguments: argparse.Namespace) -> int:
    """Write a cohort folder once more, in another form."""
    cohort = read_cohort(arguments.folder, accept=frozenset(arguments.accept) - NOTED)
    write_cohort(cohort, arguments.out, form=arguments.to)
    sys.stdout.write(f"wrote {arguments.out}\n")
    return 0


def simulate(arguments: argparse.Namespace) -> int:
    """Write a simulated cohort and its truth (`truth.tsv`) to a new folder."""
    from features.synthetic import simulate as simulated

    cohort, truth = simulated(
        subjects=arguments.subjects, seed=arguments.seed, studies=arguments.studies, null=arguments.null
    )
    columns = {name: np.array(list(column), dtype=object) for name, column in truth.items()}
    write_cohort(cohort, arguments.out, beside={"truth": columns})
    sys.stderr.write(f"wrote {len(cohort.outcomes['subject_id'])} outcome rows to {arguments.out}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("vagus", description="Cohort folders and questionnaire scores.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    add_score_parser(verbs.add_parser("score", help="score a questionnaire from its item answers"))
    add_taxa_parser(verbs.add_parser("taxa", help="names of taxa and every merge of them"))
    cohort = verbs.add_parser("cohort", help="import, check, export or simulate a cohort folder")
    acts = cohort.add_subparsers(dest="act", required=True)
    _import_parser(acts.add_parser("import", help="lab files to a cohort folder"))
    _check_parser(acts.add_parser("check", help="every problem of a folder with file, row, column and remedy"))
    _export_parser(acts.add_parser("export", help="a cohort folder in another form"))
    _simulate_parser(acts.add_parser("simulate", help="a simulated cohort with known truth"))
    return parser


def _import_parser(parser: argparse.ArgumentParser) -> None:
    from features.importers import FORMATS

    known = ", ".join(dict.fromkeys(form.name for form in FORMATS))
    parser.description = f"Formats: {known}. Nothing is written unless the folder passes its check."
    parser.add_argument("paths", metavar="PATH", nargs="+", help="a file; BOOK.xlsx::SHEET for one sheet")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="a new folder")
    for role in ("subject", "time", "arm"):
        parser.add_argument(f"--{role}", metavar="COLUMN", default="", help=f"the column that holds the {role}")
    parser.add_argument("--unit", choices=UNITS, default="", help="of the abundances (default: found out)")
    parser.add_argument("--time-unit", choices=TIME_UNITS, default="", help="of the time column")
    parser.add_argument("--orientation", choices=("taxa-rows", "taxa-columns"), default="", help="of a plain matrix")
    add_least_named(parser, only_noted=True)
    _add_accept(parser)
    parser.set_defaults(run=import_files)


def _add_accept(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--accept",
        metavar="CODE",
        nargs="+",
        action="extend",
        default=[],
        choices=sorted(ACCEPTABLE | NOTED),
        help="keep values with problems of these codes: %(choices)s",
    )


def _check_parser(parser: argparse.ArgumentParser) -> None:
    parser.description = "Exit code 0 when no problem is left, 2 otherwise. Nothing is changed."
    parser.add_argument("folder", metavar="DIR", type=Path, help="the cohort folder")
    parser.add_argument("--json", action="store_true", help="one machine-readable object on stdout")
    add_least_named(parser)
    _add_accept(parser)
    parser.set_defaults(run=check)


def _export_parser(parser: argparse.ArgumentParser) -> None:
    parser.description = "Reading the new folder gives the same cohort, to the last bit."
    parser.add_argument("folder", metavar="DIR", type=Path, help="the cohort folder")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="a new folder")
    parser.add_argument("--to", choices=tuple(WRITERS), default="parquet", help="default parquet")
    _add_accept(parser)
    parser.set_defaults(run=export)


def _simulate_parser(parser: argparse.ArgumentParser) -> None:
    parser.description = "No real person is behind any row. The same seed gives the same bytes."
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="a new folder")
    parser.add_argument("--subjects", metavar="N", type=_positive, default=200, help="people (default 200)")
    parser.add_argument("--seed", metavar="S", type=int, default=1, help="seed of the simulation (default 1)")
    parser.add_argument("--studies", metavar="K", type=_positive, default=1, help="study sites (default 1)")
    parser.add_argument("--null", action="store_true", help="a world where the microbiome has no effect")
    parser.set_defaults(run=simulate)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


if __name__ == "__main__":
    raise SystemExit(main())
