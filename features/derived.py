"""Feature blocks worked out from a row's own taxa or gene families: diversity, producers, modules.

The numbers of a row depend on that row alone; what is learned from training rows (columns that vary, their centre and
scale, the pseudo-amount) is kept beside the definitions they were worked out with, and travels in the Encoding.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from features.counts import Array, row_sums
from features.design import Design
from features.diversity import OF_ANY_UNIT, row_diversity
from features.gut_brain import COVERAGE, ModuleFile, log_ratio, module_scores, producers

LEAST_SPREAD = 1e-9  # sd of a column below which it says nothing


@dataclass(frozen=True)
class DerivedBlock:
    """A block of columns: its `kind`, the definitions it uses and their digest, and what a fit learned of it.

    `sets` holds (list, genera) pairs for producers and (module, steps) pairs for modules. Before a fit `columns` is empty.
    """

    kind: str
    sets: tuple[Any, ...] = ()
    digest: str = ""
    columns: tuple[str, ...] = ()
    centre: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    pseudo: float = 0.5

    def encode(self, design: Design) -> Array:
        """Return the n × len(columns) centred and scaled numbers; a row without stool (or functions) is all 0."""
        names, raw = self.raw(design)
        at = {name: j for j, name in enumerate(names)}
        own = raw[:, [at[name] for name in self.columns]]
        z = (own - np.array(self.centre)) / np.array(self.scale)
        return np.where(np.isnan(z), 0.0, z)

    def raw(self, design: Design) -> tuple[tuple[str, ...], Array]:
        """Return column names and the n × k numbers before centring, NaN where a row has none."""
        names, above, below = KINDS[self.kind](self, design)
        if below is None:
            return names, above
        return names, log_ratio(above, below, self.pseudo)[0]

    def learned(self, design: Design) -> DerivedBlock:
        """Return the block fitted on training rows: pseudo-amount, columns that vary, centre and scale."""
        _, above, below = KINDS[self.kind](self, design)
        if below is not None and design.unit != "counts":
            positive = np.concatenate([above[above > 0], below[below > 0]])
            block = replace(self, pseudo=float(positive.min()) / 2.0 if len(positive) else 0.5)
        else:
            block = self
        names, raw = block.raw(design)
        known = [column[~np.isnan(column)] for column in raw.T]
        kept = [j for j, column in enumerate(known) if len(column) >= 3 and column.std() > LEAST_SPREAD]
        return replace(
            block, columns=tuple(names[j] for j in kept), centre=tuple(float(known[j].mean()) for j in kept),
            scale=tuple(float(known[j].std()) for j in kept),
        )  # fmt: skip


def _diversity(block: DerivedBlock, design: Design) -> tuple[tuple[str, ...], Array, None]:
    """Diversity of genera (not of sequence variants, whose number depends on the pipeline), natural logarithms."""
    row, column = np.nonzero(design.abundance)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(design)))]).astype(np.int64)
    found = row_diversity(indptr, design.abundance[row, column])
    table = np.column_stack([found[name] for name in OF_ANY_UNIT])
    return OF_ANY_UNIT, np.where(design.stool[:, None], table, np.nan), None


def _producers(block: DerivedBlock, design: Design) -> tuple[tuple[str, ...], Array, Array]:
    """Amount in the genera of each list, against the rest of the sample (shares where the unit is not counts)."""
    total = row_sums(design.abundance)
    whole: Array = np.where((total > 0) & (design.unit != "counts"), total, 1.0)
    genus = [label.split("|")[-1] for label in design.genera]
    above = np.empty((len(design), len(block.sets)))
    for j, (_, members) in enumerate(block.sets):
        own = design.abundance * np.array([float(name in set(members)) for name in genus])
        above[:, j] = row_sums(own) / whole
    above = np.where(design.stool[:, None], above, np.nan)
    below = np.maximum((total / whole)[:, None] - above, 0.0)
    return tuple(name for name, _ in block.sets), above, below


def _modules(block: DerivedBlock, design: Design) -> tuple[tuple[str, ...], Array, None]:
    """Square root of each module's share of the sample's gene families, 0 below the coverage cut-off."""
    names = tuple(name for name, _ in block.sets)
    if design.functions is None:
        return names, np.full((len(design), len(names)), np.nan), None
    table = dict(zip(design.function_names, np.nan_to_num(design.functions).T, strict=True))
    found = np.zeros((len(design), len(names)))
    for j, (_, steps) in enumerate(block.sets):
        abundance, coverage = module_scores(steps, table, len(design))
        found[:, j] = np.sqrt(np.where(coverage >= COVERAGE, abundance, 0.0))
    measured = ~np.isnan(design.functions.sum(axis=1))
    return names, np.where(measured[:, None], found, np.nan), None


KINDS: Mapping[str, Callable[[DerivedBlock, Design], tuple[tuple[str, ...], Array, Array | None]]] = {
    "diversity": _diversity,
    "producers": _producers,
    "modules": _modules,
}


def planned(features: Mapping[str, Any], modules: ModuleFile | None = None) -> tuple[DerivedBlock, ...]:
    """Return the unfitted blocks that a `[features]` table switches on, in the order of KINDS."""
    plans: Mapping[str, Callable[[], DerivedBlock]] = {
        "diversity": lambda: DerivedBlock("diversity"),
        "producers": lambda: DerivedBlock("producers", tuple(producers().genera.items()), producers().digest),
        "modules": lambda: _of_modules(modules),
    }
    return tuple(plan() for kind, plan in plans.items() if features.get(kind))


def _of_modules(file: ModuleFile | None) -> DerivedBlock:
    assert file is not None  # noqa: S101  (the caller reads the file that the configuration names)
    # A module that KOs can never cover up to the cut-off would be a column of zeros.
    sets = tuple((module.id, module.steps) for module in file.modules if module.reach >= COVERAGE)
    return DerivedBlock("modules", sets, file.digest)


def functions_of(blocks: Iterable[DerivedBlock]) -> Collection[str]:
    """Return the gene families that the blocks look at, sorted; empty where none does."""
    steps = [steps for block in blocks if block.kind == "modules" for _, steps in block.sets]
    return sorted({unit for own in steps for step in own for units in step for unit in units})
