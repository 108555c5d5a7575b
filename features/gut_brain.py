"""What a community could make: modules from a table of gene families (KO), and lists of producers from taxa.

Modules follow the published rule (Vieira-Silva et al. 2016, Nat Microbiol 1:16088; Valles-Colomer et al. 2019, Nat
Microbiol 4:623), with a fixed coverage cut-off instead of one learned from the data at hand. The file of modules is the
user's own: its licence may not let it be passed on, and none ships here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from features.counts import Array
from features.digest import sha256
from features.errors import invalid

COVERAGE = 0.66  # share of a module's steps that must be present, fixed for training and serving alike
ESTIMATORS = ("median", "average")
PRODUCERS = "producers.tsv"
_KO = re.compile(r"^K\d{5}$")

Steps = tuple[tuple[tuple[str, ...], ...], ...]
"""Steps of a module, each a tuple of alternatives, each a tuple of the subunits of one complex."""


@dataclass(frozen=True)
class Module:
    """A module: its id, its name, and its steps (all needed, alternatives within a step, subunits within those)."""

    id: str
    name: str
    steps: Steps

    @property
    def reach(self) -> float:
        """Return the highest coverage that a table of KOs can show, 0 to 1: steps that name a KO over all steps."""
        seen = [any(_KO.match(unit) for units in step for unit in units) for step in self.steps]
        return sum(seen) / len(seen)

    @property
    def measurable(self) -> str:
        """Return `measurable`, `capped` (some steps name no KO) or `not measurable` (none does)."""
        return "measurable" if self.reach == 1.0 else "capped" if self.reach > 0 else "not measurable"


@dataclass(frozen=True)
class ModuleFile:
    """A user's file of modules and the digest of its bytes."""

    digest: str
    modules: tuple[Module, ...]


def read_modules(data: bytes, file: str = "modules") -> ModuleFile:
    """Return the modules of a file: blocks ended by `///`, first line `id TAB name`, then one line per step.

    TAB parts the alternatives of a step, a comma the subunits of a complex. Raises InvalidInput with the line.
    """
    modules: list[Module] = []
    block: list[str] = []
    try:
        lines = [*data.decode("utf-8-sig").splitlines(), "///"]
    except UnicodeDecodeError:
        raise invalid("unreadable_file", "the file is not text", "Give the text file of modules", file=file) from None
    for number, line in enumerate(lines, 1):
        if line.strip() != "///":
            block += [line] if line.strip() else []
        elif block:
            modules.append(_module(block, file, number))
            block = []
    if not modules or len({module.id for module in modules}) < len(modules):
        raise invalid("not_modules", "the file has no modules, or one of them twice", "Give each once", file=file)
    return ModuleFile(sha256(data), tuple(modules))


def _module(block: Sequence[str], file: str, line: int) -> Module:
    name = block[0].split("\t")
    steps = tuple(
        tuple(tuple(unit.strip() for unit in units.split(",") if unit.strip()) for units in step.split("\t") if units.strip())
        for step in block[1:]
    )  # fmt: skip
    if not steps or not all(step and all(step) for step in steps):
        remedy = "Give id TAB name, then one line per step, then ///"
        raise invalid("not_modules", "the block that ends here has no steps", remedy, file=file, row=line)
    return Module(name[0].strip(), name[-1].strip(), steps)


def module_scores(
    steps: Steps, table: Mapping[str, Array], n: int, *, estimator: str = "median", normalised: bool = False, strict: bool = False
) -> tuple[Array, Array]:  # fmt: skip
    """Return the abundance and the coverage (0 to 1) of one module in n samples; `table` maps a KO to n abundances.

    An alternative has the mean of its subunits, absent ones as zero; it is present where any subunit is (`strict`: where
    all are). The published rule takes the path of highest coverage, ties by abundance. Every estimator grows with each of
    its steps, so that path takes the best alternative of each step, and no path need be listed. The abundance is
    estimated over present steps; `normalised` counts absent ones as zero (a median of 0 becomes the smallest present
    step). A module with no step present has abundance 0.
    """
    best = np.array([_step(step, table, n, strict) for step in steps])
    present = best > 0
    coverage = present.sum(axis=0) / len(best)
    if estimator not in ESTIMATORS:
        raise invalid("unknown_estimator", "no such estimator", f"Choose one of: {', '.join(ESTIMATORS)}")
    ordered = np.sort(np.where(present, best, 0.0), axis=0)[::-1]
    size = np.full(n, len(best)) if normalised else present.sum(axis=0)
    if estimator == "average":
        total = np.add.accumulate(ordered, axis=0)[-1]
        return np.asarray(total / np.maximum(size, 1)), coverage
    column = np.arange(n)
    upper, lower = np.maximum((size - 1) // 2, 0), size // 2
    median = (ordered[upper, column] + ordered[np.minimum(lower, len(best) - 1), column]) / 2.0
    smallest = np.where(present, best, np.inf).min(axis=0)
    return np.where(median > 0, median, np.where(np.isfinite(smallest), smallest, 0.0)), coverage


def _step(step: Sequence[Sequence[str]], table: Mapping[str, Array], n: int, strict: bool) -> Array:
    best = np.zeros(n)
    for units in step:
        amounts = [table.get(unit, np.zeros(n)) for unit in units]
        mean = np.add.accumulate(np.array(amounts), axis=0)[-1] / len(amounts)
        best = np.maximum(best, np.where(np.min(amounts, axis=0) > 0, mean, 0.0) if strict else mean)
    return best


@dataclass(frozen=True)
class Producers:
    """The versioned lists of producers: product -> genera. Species of the list that a genus cannot stand for are `by_species`."""

    version: str
    digest: str
    genera: Mapping[str, tuple[str, ...]]
    by_species: Mapping[str, tuple[str, ...]]


@lru_cache(maxsize=1)
def producers() -> Producers:
    """Return the lists that ship with this version (`data/producers.tsv`, a source per row)."""
    data = (files("features.data") / PRODUCERS).read_bytes()
    first, _, *lines = data.decode("utf-8").splitlines()
    rows = [line.split("\t") for line in lines]
    products = sorted({row[0] for row in rows})
    named = {
        rank: {product: tuple(sorted(row[2] for row in rows if row[:2] == [product, rank])) for product in products}
        for rank in ("genus", "species")
    }
    return Producers(first.removeprefix("# version "), sha256(data), named["genus"], named["species"])


def log_ratio(above: Array, below: Array, pseudo: float) -> tuple[Array, npt.NDArray[np.str_]]:
    """Return ln((above + pseudo) / (below + pseudo)) and a reason per value, '' where there is none.

    Zero handling: `pseudo` is added to both sides. Where both sides are 0 there is nothing to compare: NaN and the reason
    `both_zero`, never 0 or infinity.
    """
    nothing = (above == 0) & (below == 0)
    ratio = np.log(above + pseudo) - np.log(below + pseudo)
    return np.where(nothing, np.nan, ratio), np.where(nothing, "both_zero", "")
