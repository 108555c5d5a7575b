"""Profiles of shotgun metagenomes: MetaPhlAn, Kraken 2 and Bracken, and KO tables of HUMAnN and PICRUSt2."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from features.errors import invalid
from features.importers.delimited import lines, read_matrix, read_sheet
from features.importers.imported import Imported, common_suffix, lineage_text, table_of
from features.importers.tables import number

_UNCLASSIFIED = ("UNCLASSIFIED", "UNKNOWN", "unclassified")
_TAX_ID_COLUMNS = frozenset({"ncbi_tax_id", "clade_taxid", "additional_species"})
_KO = re.compile(r"^(?:ko:)?(K\d{5})\b")
_SPECIES, _STRAIN = re.compile(r"(^|[|;])s__"), re.compile(r"[|;]t__")
_KRAKEN_RANKS = {"D": "d", "K": "k", "P": "p", "C": "c", "O": "o", "F": "f", "G": "g", "S": "s"}


def read_metaphlan(path: Path) -> Imported:
    """Read a merged MetaPhlAn 3 or 4 profile: species rows and the unclassified share are kept, other ranks
    left out.
    """
    skip = 0
    for line in lines(path):
        if not line.startswith("#") or line.lower().startswith(("#clade_name", "#sampleid")):
            break
        skip += 1
    sheet = read_sheet(path, skip=skip)
    columns = [j for j in range(1, len(sheet.header)) if sheet.header[j].lower() not in _TAX_ID_COLUMNS]
    matrix = read_matrix(sheet, columns)
    kept = [i for i, name in enumerate(matrix.names) if _is_species(name)]
    place = np.full(len(matrix.names), -1)
    place[kept] = np.arange(len(kept))
    row, column, value = matrix.triples
    chosen = place[row] >= 0
    samples, note = _without_suffix([sheet.header[j] for j in columns])
    taxa = [lineage_text(matrix.names[i]) for i in kept]
    counts = table_of(samples, taxa, (column[chosen], place[row[chosen]], value[chosen]), path.name)
    left = f"{len(matrix.names) - len(kept)} rows of other ranks left out"
    return Imported("MetaPhlAn", counts, notes=(left, *note, f"values read as {counts.unit}"))


def _is_species(name: str) -> bool:
    return name in _UNCLASSIFIED or bool(_SPECIES.search(name) and not _STRAIN.search(name))


def _without_suffix(samples: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    suffix = common_suffix(samples)
    names = [name.removesuffix(suffix) for name in samples]
    return names, (f"common ending {suffix} of the sample names left out",) if suffix else ()


def read_kraken(path: Path) -> Imported:
    """Read a Kraken 2 (or Bracken-corrected) report of one sample; reads stay with the node they were given
    to.

    The sample goes by the file's name up to its first dot.
    """
    trail: list[tuple[int, str]] = []
    reads: dict[str, float] = defaultdict(float)
    for number_of_line, line in enumerate(lines(path), 1):
        cells = line.split("\t")
        own = number(cells[2].strip()) if len(cells) in (6, 8) else None
        if own is None:
            message = "the row is not one of a Kraken report"
            raise invalid("row_length", message, "Give a report of 6 or 8 columns", file=path.name, row=number_of_line)
        name = cells[-1]
        depth = len(name) - len(name.lstrip(" "))
        trail = [step for step in trail if step[0] < depth]
        prefix = _KRAKEN_RANKS.get(cells[-3].strip())
        if prefix:
            trail.append((depth, f"{prefix}__{name.strip()}"))
        if own:
            reads[";".join(step for _, step in trail) or "UNCLASSIFIED"] += own
    triples = (np.zeros(len(reads), dtype=np.int64), np.arange(len(reads)), np.array([*reads.values()], dtype=float))
    counts = table_of([path.name.split(".")[0]], [*reads], triples, path.name)
    return Imported("Kraken report", counts, notes=("the sample is named after the file",))


def read_bracken(path: Path) -> Imported:
    """Read Bracken's table of one sample (`new_est_reads`) or its combined table (`NAME_num` columns)."""
    sheet = read_sheet(path)
    columns = [j for j, name in enumerate(sheet.header) if name.endswith("_num") or name == "new_est_reads"]
    if not columns:
        raise invalid("missing_column", "no column of reads", "Give Bracken's output", file=path.name, row=1)
    matrix = read_matrix(sheet, columns)
    row, column, value = matrix.triples
    own = path.name.split(".")[0]
    names = [sheet.header[j].removesuffix("_num") for j in columns]
    samples = [own if name == "new_est_reads" else re.sub(r"\.bracken.*$", "", name) for name in names]
    levels = matrix.texts["taxonomy_lvl"]
    taxa = [f"{_KRAKEN_RANKS.get(level, 's')}__{name}" for level, name in zip(levels, matrix.names, strict=True)]
    counts = table_of(samples, taxa, (column, row, value), path.name)
    return Imported("Bracken", counts, notes=(f"values read as {counts.unit}",))


def read_ko(path: Path) -> Imported:
    """Read a KO table of HUMAnN or PICRUSt2; rows by organism, unmapped and other families are left out."""
    sheet = read_sheet(path)
    columns = [j for j in range(1, len(sheet.header)) if sheet.header[j].lower() != "description"]
    matrix = read_matrix(sheet, columns)
    families = [_ko_id(name) for name in matrix.names]
    kept = {name: k for k, name in enumerate(dict.fromkeys(name for name in families if name))}
    place = np.array([kept.get(name, -1) for name in families], dtype=np.int64)
    row, column, value = matrix.triples
    chosen = place[row] >= 0
    samples, note = _without_suffix([sheet.header[j] for j in columns])
    functions = table_of(samples, [*kept], (column[chosen], place[row[chosen]], value[chosen]), path.name)
    left = f"{len(families) - len(kept)} rows that are not a KO of the whole sample left out"
    return Imported("KO table", functions=functions, notes=(left, *note))


def _ko_id(name: str) -> str:
    match = _KO.match(name.strip())
    return match.group(1) if match and "|" not in name else ""


def kraken_like(opening: Sequence[str]) -> bool:
    """Whether the first lines are those of a Kraken report: 6 or 8 columns, a share, a rank code, a taxid."""
    return bool(opening) and all(_kraken_line(line.split("\t")) for line in opening)


def _kraken_line(cells: Sequence[str]) -> bool:
    if len(cells) not in (6, 8):
        return False
    ranked = re.match(r"^[URDKPCOFGS]\d*$", cells[-3].strip())
    return number(cells[0].strip()) is not None and bool(ranked) and cells[-2].strip().isdigit()


def ko_names(names: Iterator[str]) -> bool:
    """Whether most row names are KO ids."""
    found = [bool(_KO.match(name.strip())) for name in names]
    return bool(found) and sum(found) > len(found) / 2
