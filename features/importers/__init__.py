"""Readers that turn files into a Cohort, each of them only from checked input.

FORMATS has one row per format of lab files; `recognise` picks the first whose test holds, `read` reads the
file. A reader's module is loaded when it is needed: a serving process has none of their libraries.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from features.errors import invalid

if TYPE_CHECKING:
    from features.importers.imported import Imported


@dataclass(frozen=True)
class Opening:
    """The first bytes of a file, unpacked if gzipped, and its name in lower case."""

    name: str
    raw: bytes

    @cached_property
    def lines(self) -> list[str]:
        """Return the first whole lines of a text file."""
        text = self.raw.decode("utf-16" if self.raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "replace")
        lines = re.split(r"\r\n|\r|\n", text)
        return [line for line in (lines[:-1] or lines) if line.strip()]

    @property
    def header(self) -> list[str]:
        """Return the lower-case cells of the first line."""
        return [cell.lower() for cell in self.cells(self.lines[0])] if self.lines else []

    def cells(self, line: str) -> list[str]:
        """Return the cells of a line, parted as the first line is."""
        from features.importers.delimited import delimiter_of

        try:
            row = next(csv.reader([line], delimiter=delimiter_of(self.lines[0])), [])
        except csv.Error:
            return []
        return [cell.strip() for cell in row]

    def starts(self, *texts: str) -> bool:
        """Whether the first line starts with one of the texts, in lower case."""
        return bool(self.lines) and self.lines[0].lower().startswith(texts)


class Format(NamedTuple):
    """A format: how it is recognised, and the module and function that read it."""

    name: str
    test: Callable[[Opening], bool]
    module: str
    function: str


def _kraken(opening: Opening) -> bool:
    from features.importers.profiles import kraken_like

    return kraken_like(opening.lines[:5])


def _ko(opening: Opening) -> bool:
    from features.importers.profiles import ko_names

    return ko_names(line.split("\t")[0] for line in opening.lines[1:20])


def _taxonomy(opening: Opening) -> bool:
    names = set(opening.header[1:])
    return bool(names & {"taxon", "taxonomy"} and len(names) <= 5) or len(names & {"phylum", "family", "genus"}) == 3


def _metaphlan(opening: Opening) -> bool:
    """A profile holds a kingdom by itself and ranks below it, parted by bars."""
    names = [re.split(r"[\t,;]", line)[0].strip('"') for line in opening.lines[1:8]]
    whole = any(re.fullmatch(r"[dk]__\w+", name) for name in names)
    return opening.starts("#mpa_", "clade_name", "#clade_name") or (whole and any("|p__" in name for name in names))


def _facts(opening: Opening) -> bool:
    """A column of a known name, or words among the cells: abundances are numbers throughout, but for a lineage."""
    from features.importers.assemble import known_columns
    from features.importers.tables import number

    if len(opening.header) < 500 and known_columns(opening.header):
        return True
    cells = [cell for line in opening.lines[1:10] for cell in opening.cells(line)[1:]]
    words = [cell for cell in cells if cell and number(cell.replace(",", ".")) is None]
    return len(words) > 0.02 * max(len(cells), 1) and len(opening.header) < 500


FORMATS: tuple[Format, ...] = (
    Format("BIOM 2.1", lambda o: o.raw.startswith(b"\x89HDF"), "biom", "read_biom"),
    Format("BIOM 1.0", lambda o: o.raw.lstrip()[:1] == b"{", "biom", "read_biom"),
    Format("QIIME 2 archive", lambda o: o.name.endswith(".qza"), "biom", "read_qza"),
    Format(
        "Excel",
        lambda o: o.raw.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")),
        "spreadsheet",
        "read_spreadsheet",
    ),
    Format("R phyloseq", lambda o: o.raw[:4] in (b"X\n\0\0", b"RDX2", b"RDX3"), "phyloseq", "read_phyloseq"),
    Format("R phyloseq", lambda o: o.name.endswith((".rds", ".rdata", ".rda")), "phyloseq", "read_phyloseq"),
    Format("MetaPhlAn", _metaphlan, "profiles", "read_metaphlan"),
    Format("Bracken", lambda o: "taxonomy_lvl" in o.header, "profiles", "read_bracken"),
    Format("Kraken report", _kraken, "profiles", "read_kraken"),
    Format("KO table", _ko, "profiles", "read_ko"),
    Format("mothur shared", lambda o: o.header[:3] == ["label", "group", "numotus"], "amplicon", "read_mothur_shared"),
    Format("BIOM TSV", lambda o: o.starts("# constructed from biom", "#otu id"), "amplicon", "read_biom_tsv"),
    Format("QIIME mapping", lambda o: o.starts("#sampleid", "#name", "#sample"), "facts", "read_facts"),
    Format("taxonomy", _taxonomy, "amplicon", "read_taxonomy"),
    Format("facts", _facts, "facts", "read_facts"),
    Format("table", lambda o: len(o.header) > 1, "amplicon", "read_table"),
)


def recognise(path: Path) -> Format:
    """Return the format of a file; raises InvalidInput where it is none of FORMATS or cannot be read."""
    from features.importers.delimited import opening

    if not path.is_file():
        raise invalid("missing_file", "there is no such file", "Name a file", file=path.name)
    start = Opening(path.name.lower(), opening(path))
    found = next((form for form in FORMATS if start.raw and form.test(start)), None)
    if found is None:
        known = ", ".join(dict.fromkeys(form.name for form in FORMATS))
        code = "unknown_format" if start.raw else "empty_file"
        raise invalid(code, "the format of the file is not known", f"Known formats: {known}", file=path.name)
    return found


def read(path: Path, **choices: str) -> Imported:
    """Read a lab file of any known format; `choices` go to its reader (`sheet`, `orientation`)."""
    form = recognise(path)
    reader = getattr(import_module(f"features.importers.{form.module}"), form.function)
    wanted = {name: value for name, value in choices.items() if value and name in reader.__annotations__}
    imported: Imported = reader(path, **wanted)
    return imported
