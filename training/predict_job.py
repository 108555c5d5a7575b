"""`vagus predict`: read the cohort, find the bundle, write the table and the site references beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from features.cohort import Cohort
from features.derived import functions_of
from features.importers.folder import read_cohort
from features.importers.tables import locate
from models.bundle import Bundle
from models.sites import load_sites, save_sites
from training import batch, promotion


def run(
    folder: Path,
    model: str,
    out: Path,
    *,
    uri: str | None,
    every_arm: bool,
    force: bool,
    sites: Path | None,
    accept: frozenset[str],
    contributions: Path | None = None,
) -> dict[str, Any]:
    """Write the prediction table (and what made up each prediction); return counts, digests and where things are. A table appears whole or not at all."""
    bundle = Bundle.load(promotion.bundle_folder(model, uri))
    cohort = read_people(folder, bundle, accept)
    references = load_sites(sites) if sites else batch.site_references(cohort, bundle)
    found: dict[str, Any] = {"out": str(out), "model_digest": bundle.digest, "instrument": bundle.instrument}
    if references and not sites:
        place = out.with_name(out.name + ".sites.json")
        found |= {"site_reference": str(place), "site_reference_digest": save_sites(place, references)}
    table = batch.predict_table(cohort, bundle, references, every_arm=every_arm, force=force)
    rows, answered = _write(out, table, lambda cells: cells[-3] == "true")
    found |= {"rows": rows, "answered": answered}
    if contributions is not None:
        parts = batch.contribution_table(cohort, bundle, references, every_arm=every_arm, force=force)
        _write(contributions, parts, lambda cells: False)
        found["contributions"] = str(contributions)
    return found


def read_people(folder: Path, bundle: Bundle, accept: frozenset[str]) -> Cohort:
    """Read a cohort folder for a bundle. Without a table of gene families its people are read all the same.

    Where the model reads modules, each of them is then told `no_functions`, as over HTTP.
    """
    functions = functions_of(bundle.encoding.derived) if locate(folder, "functions") else ()
    return read_cohort(folder, accept=accept, instrument=bundle.instrument, functions=functions)


def _write(out: Path, table: Iterable[list[str]], counts: Callable[[list[str]], bool]) -> tuple[int, int]:
    """Write a table, header included; return how many rows it has and how many of them count."""
    rows = hit = 0
    draft = out.with_name(out.name + ".part")
    with draft.open("w", encoding="utf-8", newline="") as file:
        for cells in table:
            file.write("\t".join(cells) + "\n")
            rows, hit = rows + 1, hit + counts(cells)
    draft.replace(out)
    return rows - 1, hit
