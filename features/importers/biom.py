"""BIOM 1.0 (JSON) and 2.1 (HDF5), and QIIME 2 archives (`.qza`) of feature tables and taxonomy."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from features.errors import invalid
from features.importers.amplicon import read_taxonomy
from features.importers.delimited import opening
from features.importers.imported import Imported, lineage_of, lineage_text, table_of

# An archive that unpacks to more is not a feature table.
MAX_UNPACKED = 2 * 1024**3
_PAYLOADS = {
    "BIOMV210DirFmt": "feature-table.biom",
    "BIOMV210Format": "feature-table.biom",
    "BIOMV100Format": "feature-table.biom",
    "BIOMV100DirFmt": "feature-table.biom",
    "TSVTaxonomyDirectoryFormat": "taxonomy.tsv",
}


def read_biom(path: Path) -> Imported:
    """Read a BIOM file of either kind, with the lineage and the facts that its metadata holds."""
    import biom

    # biom-format would take any text for its own TSV export.
    if not opening(path).lstrip().startswith((b"{", b"\x89HDF")):
        raise invalid("unreadable_file", "the file is not a BIOM table", "Export the table again", file=path.name)
    try:
        table = biom.load_table(str(path))
        samples = [str(name) for name in table.ids(axis="sample")]
        features = [str(name) for name in table.ids(axis="observation")]
        metadata = table.metadata(axis="observation")
        cells = table.matrix_data.tocoo()
    # biom-format ends in many ways on a broken file; all of them mean the same to its user.
    except Exception as fault:
        remedy = "Export the table again"
        raise invalid("unreadable_file", "the file is not a readable BIOM table", remedy, file=path.name) from fault
    counts = table_of(samples, features, (cells.col, cells.row, cells.data.astype(float)), path.name)
    lineages = {} if metadata is None else _lineages(features, metadata)
    return Imported("BIOM", counts, lineages=lineages, notes=(f"values read as {counts.unit}",))


def _lineages(features: list[str], metadata: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for feature, entry in zip(features, metadata, strict=True):
        names = entry.get("taxonomy") if isinstance(entry, Mapping) else None
        if isinstance(names, str):
            found[feature] = lineage_text(names)
        elif names is not None:
            found[feature] = lineage_of([str(name) for name in names])
    return found


def read_qza(path: Path) -> Imported:
    """Read a QIIME 2 archive; nothing of it is unpacked but the one payload file of a known format."""
    try:
        with zipfile.ZipFile(path) as archive:
            root, form = _format(archive, path.name)
            name = f"{root}/data/{_PAYLOADS[form]}"
            with tempfile.TemporaryDirectory() as place:
                target = Path(place) / _PAYLOADS[form]
                target.write_bytes(_payload(archive, name, path.name))
                imported = read_biom(target) if target.suffix == ".biom" else read_taxonomy(target)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as fault:
        raise invalid("unreadable_file", "the archive cannot be read", "Export it again", file=path.name) from fault
    return Imported(f"QIIME 2 archive, {form}", imported.counts, lineages=imported.lineages, notes=imported.notes)


def _format(archive: zipfile.ZipFile, file: str) -> tuple[str, str]:
    """Return the archive's root folder and the name of its data format."""
    heads = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/metadata.yaml")]
    if len(heads) != 1:
        raise invalid("not_a_qza", "the archive has no metadata.yaml of its own", "Give a .qza file", file=file)
    text = _payload(archive, heads[0], file, limit=65_536).decode("utf-8", "replace")
    entries = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    form = entries.get("format", "").strip().strip("'\"")
    if form not in _PAYLOADS:
        known = ", ".join(sorted(_PAYLOADS))
        raise invalid("unknown_format", "the archive holds another kind of data", f"Known: {known}", file=file)
    return str(PurePosixPath(heads[0]).parent), form


def _payload(archive: zipfile.ZipFile, name: str, file: str, limit: int | None = None) -> bytes:
    """The declared size may lie: no more than the limit is ever unpacked."""
    limit = MAX_UNPACKED if limit is None else limit
    try:
        with archive.open(name) as handle:
            data = handle.read(limit + 1)
    except KeyError as fault:
        raise invalid("not_a_qza", "the archive lacks its data file", "Export it again", file=file) from fault
    if len(data) > limit:
        raise invalid("too_large", "the archive unpacks to more than is allowed", "Give a smaller table", file=file)
    return data
