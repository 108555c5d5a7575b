"""`vagus taxa`: `diversity` per sample, and `normalise`, every merge of names in a file or cohort folder, and what share of it is named."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from features.counts import Counts
from features.diversity_door import add_diversity_parser
from features.errors import invalid
from features.importers import Opening, read
from features.importers.delimited import lines, opening
from features.importers.folder import ACCEPTABLE, read_cohort
from features.nomenclature import synonyms
from features.taxa import genus_label
from features.taxa_report import LEAST_NAMED, few_named, kingdom_shares, merges, named_share


def normalise(arguments: argparse.Namespace) -> int:
    """Print label, names given and reasons of every merge, then the summary; one object with `--json`."""
    names, counts = _names(arguments.path, arguments.sheet)
    found = merges(names)
    labels = {genus_label(name) for name in names}
    summary: dict[str, object] = {
        "synonyms_version": synonyms().version,
        "names": len(names),
        "labels": len(labels),
        "unconfirmed_merges": sum(not one.confirmed for one in found),
        "unnamed_labels": sum("|unclassified " in label for label in labels),
    }
    if counts is not None:
        shares = named_share(counts)
        summary["samples_below_least_named"] = len(list(few_named(counts, arguments.least_named)))
        summary |= {"named_share_lowest": float(shares.min()), "named_share_mean": float(shares.mean())}
        summary["kingdoms"] = kingdom_shares(counts)
    if arguments.json:
        report = {"merges": [asdict(one) for one in found], **summary}
        sys.stdout.write(json.dumps(report, indent=1) + "\n")
        return 0
    sys.stdout.write("label\tgiven\twhy\tstatus\n")
    status = {True: "confirmed", False: "unconfirmed"}
    sys.stdout.writelines(
        f"{m.label}\t{', '.join(m.given)}\t{'; '.join(m.sources)}\t{status[m.confirmed]}\n" for m in found
    )
    sys.stderr.writelines(f"{name}: {value}\n" for name, value in summary.items())
    return 0


def _names(path: Path, sheet: str) -> tuple[list[str], Counts | None]:
    """Return lineages and, where the source has abundances, the table; a plain list has one name per line."""
    if path.is_dir():
        counts = read_cohort(path, accept=ACCEPTABLE).counts
        if counts is None:
            raise invalid("no_taxa", "the cohort has no abundance table", "Name another folder", file=path.name)
        return list(counts.lineages), counts
    if path.is_file() and _is_list(path):
        return [line.strip() for line in lines(path) if line.strip()], None
    part = read(path, sheet=sheet)
    if part.counts is None:
        if not part.lineages:
            raise invalid("no_taxa", "the file names no taxa", "Name a table of taxa", file=path.name)
        return list(part.lineages.values()), None
    named = tuple(part.lineages.get(name, name) for name in part.counts.lineages)
    own = part.counts
    return list(named), Counts(own.sample_ids, named, own.indptr, own.indices, own.data, own.unit)


def _is_list(path: Path) -> bool:
    start = opening(path)
    if b"\0" in start or start.lstrip().startswith(b"{") or start.startswith((b"PK", b"\x89HDF")):
        return False
    first = Opening(path.name.lower(), start).lines
    return bool(first) and not any("\t" in line or "," in line for line in first)


def add_least_named(parser: argparse.ArgumentParser, *, only_noted: bool = False) -> None:
    """Add the least share of a sample that must be in named genera; `only_noted`: refused only where a share is given."""
    standard = "samples below it are only noted" if only_noted else "0 asks for none"
    text = f"share of a sample, 0 to 1, that must be in taxa with a named genus (default {LEAST_NAMED}; {standard})"
    default = None if only_noted else LEAST_NAMED
    parser.add_argument("--least-named", metavar="SHARE", type=_share, default=default, help=text)


def _share(text: str) -> float:
    value = float(text)
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError("must be between 0 and 1")
    return value


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of `taxa`."""
    acts = parser.add_subparsers(dest="act", required=True)
    add_diversity_parser(acts.add_parser("diversity", help="alpha diversity, and distance from a reference cohort"))
    act = acts.add_parser("normalise", help="show every merge of names")
    act.description = "Nothing is changed: what is shown is what training and serving do with these names."
    act.add_argument("path", metavar="FILE", type=Path, help="a table of taxa, a list of names, or a cohort folder")
    add_least_named(act)
    act.add_argument("--sheet", metavar="SHEET", default="", help="of a workbook")
    act.add_argument("--json", action="store_true", help="one machine-readable object on stdout")
    act.set_defaults(run=normalise)
