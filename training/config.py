"""The run configuration: TOML and command line, parsed once into a frozen object. An unknown key is an error."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from features.derived import KINDS, DerivedBlock, planned
from features.errors import invalid
from features.gut_brain import read_modules
from models.catalog import CATALOG, RAW
from models.intervals import GROUPINGS
from models.literature import LITERATURE

SEARCH = "search"


@dataclass(frozen=True)
class RunConfig:
    """What decides a training run besides the cohort.

    `model`: `search` (the inner loop chooses) or the name of one catalogue entry. `repeats`: how often the outer folds
    are redrawn (0 = by cohort size). `shuffles`: runs of the whole search on shuffled outcomes. `budget`: seconds
    after which no further challenger is tried (0 = no end); what is found then depends on the machine. `splits`: a table of the
    user's own folds (columns subject_id, fold). `literature`: published effects as prior means: `auto` (small cohorts), `none`, or
    the name of a set. `jobs`: folds side by side (0 = one per core). `features`: further
    feature blocks, `diversity = true`, `producers = true`, `modules = "FILE"`. `intervals`: `by = "severity_third"` (or sex, arm, study) makes
    them by group. `subgroups`: groups whose error is stated, declared before the evaluation by standing here.
    """

    instrument: str = ""
    task: str = "change"
    follow_up: float | None = None
    positive: str = ""
    model: str = SEARCH
    repeats: int = 0
    folds: int = 5
    shuffles: int = -1
    seed: int = 0
    budget: float = 0.0
    splits: str = ""
    accept: tuple[str, ...] = field(default_factory=tuple)
    jobs: int = 0
    literature: str = "auto"
    features: Mapping[str, Any] = field(default_factory=dict)
    intervals: Mapping[str, str] = field(default_factory=dict)
    subgroups: tuple[str, ...] = field(default_factory=tuple)

    @property
    def interval_groups(self) -> str:
        """Return by what groups the intervals are made; "" = one quantile for all."""
        return self.intervals.get("by", "")

    @property
    def search_budget(self) -> float:
        """Return the seconds a search may take (0 = no end); where one model is named there is no search to cut short."""
        return self.budget if self.model == SEARCH else 0.0

    def recorded(self) -> dict[str, Any]:
        """Return the settings that change results (not how many cores were used); files by name, without their path."""
        found = {
            name: (list(value) if isinstance(value, tuple) else value)
            for name, value in vars(self).items()
            if name != "jobs" and (value or name not in ("features", "intervals", "subgroups", "budget"))
        }
        names = {setting: path.name for setting, path in self.files().items()}
        found |= {"splits": names.pop("splits", "")}
        return found | ({"features": {**self.features, **names}} if self.features else {})

    def files(self) -> dict[str, Path]:
        """Return the files that the settings name: `modules`, `splits`."""
        named = {"modules": self.features.get("modules"), "splits": self.splits}
        return {setting: Path(str(path)) for setting, path in named.items() if path}

    def derived(self) -> tuple[DerivedBlock, ...]:
        """Return the further feature blocks; raises InvalidInput where the file of modules cannot be read."""
        path = Path(str(self.features.get("modules", "")))
        modules = None
        if self.features.get("modules"):
            try:
                modules = read_modules(path.read_bytes(), path.name)
            except OSError as error:
                remedy = "Name the file in [features] modules"
                raise invalid(
                    "modules_unreadable", "the file of modules cannot be read", remedy, file=path.name
                ) from error
        return planned(self.features, modules)


def read_config(path: Path | None, **given: Any) -> RunConfig:
    """Return the configuration of a TOML file (optional) overridden by what was given on the command line."""
    found: dict[str, Any] = {}
    if path is not None:
        try:
            found = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise invalid(
                "config_unreadable", "the run configuration cannot be read", "Check the path", file=str(path)
            ) from error
        except tomllib.TOMLDecodeError as error:
            raise invalid(
                "config_not_toml", f"the run configuration is not TOML ({error})", "Mend the line named", file=str(path)
            ) from error
    known = {f.name for f in fields(RunConfig)}
    unknown = sorted(set(found) - known)
    if unknown:
        raise invalid(
            "config_unknown_key",
            f"unknown key {unknown[0]!r}",
            f"Known keys: {', '.join(sorted(known))}",
            file=str(path),
        )
    for name in ("accept", "subgroups"):
        if name in found:
            found[name] = tuple(found[name])
    return _checked(replace(RunConfig(**found), **{name: value for name, value in given.items() if value is not None}))


def _checked(config: RunConfig) -> RunConfig:
    names = [SEARCH, *(name for name, entry in CATALOG.items() if entry.blocks != (RAW,))]
    if config.model not in names:
        raise invalid("unknown_model", "no such model in the catalogue", f"Choose one of: {', '.join(names)}")
    if config.task not in ("change", "score", "label"):
        raise invalid("unknown_task", "no such task", "Choose change, score or label")
    table = config.features if isinstance(config.features, Mapping) else {"": None}
    for name, value in table.items():
        if name not in KINDS or not isinstance(value, str if name == "modules" else bool):
            known = 'diversity = true, producers = true, modules = "FILE"'
            raise invalid("unknown_feature", f"[features] has no such setting: {name!r}", f"It may have: {known}")
    if config.literature not in ("auto", "none", *LITERATURE):
        raise invalid(
            "unknown_literature", "no such set of published effects", f"Choose auto, none, {', '.join(LITERATURE)}"
        )
    if set(config.intervals) - {"by"} or config.interval_groups not in ("", *GROUPINGS):
        known = " or ".join(f'by = "{name}"' for name in GROUPINGS)
        raise invalid("unknown_intervals", "[intervals] has a setting that is not known", f"It may have: {known}")
    if set(config.subgroups) - set(GROUPINGS):
        raise invalid("unknown_subgroup", "no such subgroups", f"Choose from: {', '.join(GROUPINGS)}")
    if config.budget < 0:
        raise invalid("negative_budget", "a budget is a number of seconds", "Set budget = 60, or leave it out")
    if config.folds < 2:
        raise invalid("too_few_folds", "cross-validation needs at least 2 folds", "Set folds = 5")
    return config
