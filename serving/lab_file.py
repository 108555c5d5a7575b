"""A laboratory's text file, read by the importers of cohort folders: the taxa of each sample, ready to be asked about.

The file lies in a temporary folder of its own while it is read, and is kept nowhere.
"""

from __future__ import annotations

import csv
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from msgspec import Meta, Struct

from features.errors import InvalidInput
from features.importers import Opening, read, recognise
from features.importers.amplicon import read_table
from features.importers.imported import Imported
from features.importers.tables import number
from serving.desk import Desk
from serving.faults import RequestError
from serving.schemas import decode, decoder
from serving.wire import JSON, Call, Reply, reply

#: Modules of importers that read text and need numpy alone.
READERS = frozenset({"amplicon", "profiles"})
LONGEST = 100_000  # lines of a file, and cells of its first line, at most
NAME = "sample.txt"  # the sample of a report of one sample bears it up to the dot


class LabFile(Struct, forbid_unknown_fields=True, frozen=True):
    """The JSON body of `POST /lab-file`: the text of the file."""

    text: Annotated[str, Meta(min_length=1)]


_LAB_FILE = decoder(LabFile)


def post_lab_file(desk: Desk, call: Call) -> Reply:
    """Answer `POST /lab-file` with the unit and the taxa of every sample; the body is the file, or JSON with its text."""
    media = call.headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
    raw = decode(call.body, _LAB_FILE).text.encode("utf-8", "replace") if media == JSON else call.body
    try:
        found = _imported(raw)
    except InvalidInput as error:
        first = error.problems[0]
        place = (
            f"line {first.row}" if first.row else ""
        )  # a column is named after a sample, hence after a person perhaps
        raise RequestError(422, first.code, first.message, place, first.remedy) from None
    except csv.Error:
        raise RequestError(422, "unreadable_file", "the file is not a delimited table", "", "Check it") from None
    return reply(_told(found, desk.settings.row_limit))


def _imported(raw: bytes) -> Imported:
    if (
        raw.count(b"\n") + raw.count(b"\r") > 2 * LONGEST
        or max(map(raw.partition(b"\n")[0].count, (b"\t", b";", b","))) > LONGEST
    ):
        hint = "Send fewer samples at once, or use `vagus cohort import`"
        raise RequestError(413, "too_many_rows", "the file has too many lines or columns", "", hint)
    with TemporaryDirectory(prefix="vagus-lab-") as folder:
        path = Path(folder) / NAME
        path.write_bytes(_with_header(raw))
        form = recognise(path)
        if form.name == "facts":  # words among numbers: as a table of taxa it is refused by line
            return read_table(path)
        if form.module not in READERS:
            hint = "Send a text table of taxa, or use `vagus cohort import`"
            raise RequestError(422, "not_read_here", f"a file of the kind {form.name} is not read here", "", hint)
        return read(path)


def _with_header(raw: bytes) -> bytes:
    """A pasted list of taxa and amounts has no header, and its first taxon is not one; other files stay as they are."""
    lines = Opening("", raw[:8192]).lines
    mark = _mark(lines[0]) if lines else ""
    return f"taxon{mark}amount\n".encode() + raw.removeprefix(b"\xef\xbb\xbf") if mark else raw


def _mark(line: str) -> str:
    """What parts a taxon from its amount, where a line holds just these; a decimal comma is allowed after a tab or semicolon."""
    for mark in "\t;,":
        taxon, _, amount = line.partition(mark)
        text = amount.strip() if mark == "," else amount.strip().replace(",", ".")
        if taxon and number(taxon) is None and number(text) is not None:
            return mark
    return ""


def _told(found: Imported, most: int) -> dict[str, Any]:
    counts = found.counts
    if counts is None or not counts.sample_ids:
        hint = "Send the table of taxa, one column or row per sample"
        raise RequestError(422, "no_abundances", "the file holds no abundances of taxa", "", hint)
    if len(counts.sample_ids) > most:
        hint = f"Send at most {most} samples at once"
        raise RequestError(413, "too_many_rows", "too many samples in one file", "", hint)
    samples = []
    for i, sample in enumerate(counts.sample_ids):
        taxa: dict[str, float] = {}
        cells = slice(counts.indptr[i], counts.indptr[i + 1])
        for j, amount in zip(counts.indices[cells].tolist(), counts.data[cells].tolist(), strict=True):
            name = found.lineages.get(counts.lineages[j], counts.lineages[j])
            taxa[name] = taxa.get(name, 0.0) + amount
        samples.append({"id": sample, "taxa": taxa})
    return {"format": found.format, "unit": counts.unit, "samples": samples, "notes": list(found.notes)}
