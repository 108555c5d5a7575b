"""R phyloseq objects (`.rds`, `.RData`): abundances, lineages and sample facts, with their shapes.

Constructors of our own keep what the default conversion drops: the shape of the taxonomy table and
`taxa_are_rows`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from features.errors import invalid
from features.importers.imported import Imported, cell_words, lineage_of, table_of


class RObject(NamedTuple):
    """A value of R with its attributes, as they stand in the file."""

    value: Any
    attributes: Mapping[str, Any]


def read_phyloseq(path: Path) -> Imported:
    """Read the phyloseq object of an R file; raises InvalidInput where there is none, or more than one."""
    found = _phyloseqs(_load(path))
    if len(found) != 1:
        message = "the file holds no phyloseq object" if not found else "the file holds several phyloseq objects"
        raise invalid("not_a_phyloseq", message, "Save one phyloseq object with saveRDS", file=path.name)
    parts = vars(found[0])
    counts, note = _abundance(parts["otu_table"], path.name)
    facts = _facts(parts.get("sam_data"))
    return Imported("phyloseq", counts, lineages=_lineages(parts.get("tax_table")), facts=facts, notes=note)


def _load(path: Path) -> Any:
    import rdata
    from rdata.conversion import DEFAULT_CLASS_MAP

    kept = ("otu_table", "taxonomyTable", "sample_data", "phylo", "XStringSet", "DNAStringSet")
    constructors = {**DEFAULT_CLASS_MAP, **dict.fromkeys(kept, RObject)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed = rdata.parser.parse_file(path)
            return rdata.conversion.convert(parsed, constructor_dict=constructors)
    # rdata ends in many ways on a broken file; all of them mean the same to its user.
    except Exception as fault:
        remedy = "Save it again with saveRDS or save"
        raise invalid("unreadable_file", "the file is not readable R data", remedy, file=path.name) from fault


def _phyloseqs(content: Any) -> list[SimpleNamespace]:
    candidates = list(content.values()) if isinstance(content, dict) else [content]
    return [one for one in candidates if isinstance(one, SimpleNamespace) and hasattr(one, "otu_table")]


def _names(table: RObject) -> tuple[list[str], list[str]]:
    rows, columns = table.attributes["dimnames"]
    return [str(name) for name in rows], [str(name) for name in columns]


def _matrix(table: RObject) -> npt.NDArray[Any]:
    """The values in their two dimensions; R stores a matrix column by column."""
    values = np.asarray(table.value)
    return values if values.ndim == 2 else values.reshape(tuple(table.attributes["dim"]), order="F")


def _abundance(table: RObject, file: str) -> tuple[Any, tuple[str, ...]]:
    rows, columns = _names(table)
    values = _matrix(table).astype(float)
    across = bool(np.asarray(table.attributes["taxa_are_rows"]).ravel()[0])
    row, column = np.nonzero(values)
    triples = (column, row, values[row, column]) if across else (row, column, values[row, column])
    samples, taxa = (columns, rows) if across else (rows, columns)
    counts = table_of(samples, taxa, triples, file)
    way = "rows" if across else "columns"
    return counts, (f"taxa are in {way} (as the object says)", f"values read as {counts.unit}")


def _lineages(table: Any) -> dict[str, str]:
    if not isinstance(table, RObject):
        return {}
    taxa, _ = _names(table)
    return {taxon: lineage_of(cell_words(row)) for taxon, row in zip(taxa, _matrix(table), strict=True)}


def _facts(table: Any) -> dict[str, Sequence[str]]:
    if not isinstance(table, RObject):
        return {}
    columns = {str(name): cell_words(column) for name, column in table.value.items()}
    ids = cell_words(np.asarray(table.attributes["row.names"]).ravel())
    return {"sample_id": ids, **{name: column for name, column in columns.items() if name != "sample_id"}}
