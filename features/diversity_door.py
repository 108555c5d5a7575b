"""`vagus taxa diversity`: alpha diversity per sample, and its distance from a reference cohort where one is named."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from features.counts import Array, Counts
from features.diversity import INDICES, OF_ANY_UNIT, alpha_diversity
from features.dysbiosis import Reference, dysbiosis, learn_reference
from features.errors import invalid
from features.importers import read
from features.importers.folder import ACCEPTABLE, read_cohort
from features.phylogeny import faith_pd, read_newick


def diversity(arguments: argparse.Namespace) -> int:
    """Print one row per sample: the indices asked for, then distance and percentile of the reference, or the reason."""
    counts = abundances(arguments.path)
    columns: dict[str, Sequence[Any]] = {
        name: _plain(v) for name, v in alpha_diversity(counts, arguments.index).items()
    }
    if arguments.tree:
        columns["faith_pd"] = _plain(faith_pd(counts, read_newick(_text(arguments.tree), arguments.tree.name)))
    reference = _reference(arguments)
    if reference is not None:
        found = dysbiosis(counts, reference)
        columns["reference"] = [one.name for one in found]
        for name in ("distance", "percentile", "reason"):
            columns[f"dysbiosis_{name}"] = [getattr(one, name) for one in found]
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    rows = [{"sample_id": sample, **row} for sample, row in zip(counts.sample_ids, rows, strict=True)]
    if arguments.json:
        report = {"unit": counts.unit, "taxa": len(counts.lineages), "logarithm": "natural", "samples": rows}
        sys.stdout.write(json.dumps(report, indent=1) + "\n")
        return 0
    sys.stdout.write("\t".join(["sample_id", *columns]) + "\n")
    sys.stdout.writelines("\t".join("" if v is None else str(v) for v in row.values()) + "\n" for row in rows)
    return 0


def abundances(path: Path) -> Counts:
    """Return the abundance table of a cohort folder or of a file of any known format; raises InvalidInput without one."""
    counts = read_cohort(path, accept=ACCEPTABLE).counts if path.is_dir() else read(path).counts
    if counts is None:
        raise invalid(
            "no_taxa", "there is no abundance table", "Name a table of taxa or a cohort folder", file=path.name
        )
    return counts


def _reference(arguments: argparse.Namespace) -> Reference | None:
    if arguments.reference is None:
        return None
    return learn_reference(abundances(arguments.reference), arguments.reference_name)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise invalid(
            "unreadable_file", "the tree cannot be read", "Name a Newick text file", file=path.name
        ) from error


def _plain(values: Array) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def add_diversity_parser(act: argparse.ArgumentParser) -> None:
    """Fill the parser of `taxa diversity`."""
    act.description = "Shannon in natural logarithms. A blank is a value that is not defined for the sample."
    act.add_argument("path", metavar="PATH", type=Path, help="a table of taxa or a cohort folder")
    act.add_argument("--index", nargs="+", choices=tuple(INDICES), default=OF_ANY_UNIT, help="default: all of any unit")
    act.add_argument("--tree", metavar="FILE", type=Path, help="Newick tree of the table's taxa, for Faith's diversity")
    act.add_argument("--reference", metavar="PATH", type=Path, help="reference cohort for a distance")
    act.add_argument("--reference-name", metavar="NAME", default="", help="what the reference is called")
    act.add_argument("--json", action="store_true", help="one machine-readable object on stdout")
    act.set_defaults(run=diversity)
