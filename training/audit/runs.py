"""A recorded run as an auditor reads it: files only, verified before anything in them is believed.

No model is loaded and no feature recomputed here: comparison works on the tables a run left behind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.counts import Array
from features.design import Objects
from features.errors import VagusError, VerificationFailed, invalid
from models.manifest import read_canonical
from models.seal import SealReport, verify_seal

#: The row of oof.tsv that stands for the run's own model.
CHOSEN = "chosen"

_TEXT = ("subject", "model", "arm", "study", "digest")
_NUMBERS = ("y", "baseline", "fold", "prediction", "lower", "upper", "p_response", "response")


@dataclass(frozen=True, eq=False)
class Answers:
    """Held-out answers of one model row: n outcome rows, each predicted once in each of R repeats.

    `y`, `baseline`, `response` (0, 1 or NaN) have n entries; `fold`, `prediction`, `lower`, `upper` and
    `p_response` are R × n. `subject` is the run's pseudonym of a person.
    """

    subject: Objects
    arm: Objects
    study: Objects
    y: Array
    baseline: Array
    response: Array
    fold: npt.NDArray[np.int64]
    prediction: Array
    lower: Array
    upper: Array
    p_response: Array

    def take(self, rows: npt.NDArray[np.int64], repeats: npt.NDArray[np.int64]) -> Answers:
        """Return the answers of some rows and repeats, in the order given."""
        return Answers(
            **{
                name: value[rows] if value.ndim == 1 else value[np.ix_(repeats, rows)]
                for name, value in vars(self).items()
            }
        )


@dataclass(frozen=True, eq=False)
class Run:
    """A verified run folder: its record (`run.json`), its seal, and the tables beside it.

    `called` gives people the names they have in another run, whose installation names them under another secret.
    """

    folder: Path
    record: dict[str, Any]
    seal: SealReport
    called: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return how the run is called in reports: its id, or the folder's name."""
        return str(self.record.get("run_id") or self.folder.name)

    @cached_property
    def held_out(self) -> pd.DataFrame:
        """Return oof.tsv; raises VerificationFailed where it is absent or not such a table."""
        return self._table("oof.tsv")

    @cached_property
    def rows(self) -> pd.DataFrame:
        """Return rows.tsv: subject pseudonym and digest of each training row."""
        return self._table("rows.tsv")

    def models(self) -> list[str]:
        """Return the model rows that have held-out answers."""
        return sorted(self.held_out["model"].unique().tolist())

    def answers(self, model: str = CHOSEN) -> Answers:
        """Return one model row's held-out answers; raises InvalidInput where the run has no such row."""
        table = self.held_out[self.held_out["model"] == model]
        if table.empty:
            remedy = f"choose one of: {', '.join(self.models())}"
            raise invalid("run-row", f"the run has no model row {model!r}", remedy, file=self.folder.name)
        rows = table[table["repeat"] == table["repeat"].min()].sort_values("row")
        per_row = {name: rows[name].to_numpy(dtype=object) for name in ("subject", "arm", "study")}
        values = {name: rows[name].to_numpy(dtype=float) for name in ("y", "baseline", "response")}
        names = ("fold", "prediction", "lower", "upper", "p_response")
        try:
            wide = {name: table.pivot(index="repeat", columns="row", values=name) for name in names}
        except ValueError as error:
            raise VerificationFailed("oof.tsv: a row stands twice in one repeat") from error
        tables = {name: frame.to_numpy(dtype=float) for name, frame in wide.items()}
        if np.isnan(tables["fold"]).any() or np.isnan(tables["prediction"]).any():
            raise VerificationFailed("oof.tsv: a row has no answer in one of the repeats")
        return Answers(**per_row, **values, **{**tables, "fold": tables["fold"].astype(np.int64)})

    def _table(self, name: str) -> pd.DataFrame:
        try:
            found = pd.read_csv(
                self.folder / name,
                sep="\t",
                dtype={**dict.fromkeys(_TEXT, str), **dict.fromkeys(_NUMBERS, float)},
                keep_default_na=False,
                na_values=dict.fromkeys(_NUMBERS, ""),
                float_precision="round_trip",
            )
        except (OSError, ValueError, pd.errors.ParserError) as error:
            raise VerificationFailed(f"{name}: missing or not a table; the run folder is not whole") from error
        return found.assign(subject=found["subject"].map(lambda who: self.called.get(who, who)))


def named_as(run: Run, other: Run) -> Run:
    """Return `other` with people called as in `run`; the same run where both name them under one secret.

    Two secrets meet by place and digest of the training rows, which are the same wherever they were made. Nobody is
    renamed where that would give two people one name.
    """
    if run.record.get("subject_key_id") == other.record.get("subject_key_id"):
        return other
    called: dict[str, str] = {}
    tables = (zip(table["subject"], table["digest"], strict=True) for table in (run.rows, other.rows))
    for (own, digest), (theirs, same) in zip(*tables, strict=False):
        if digest == same:
            called.setdefault(theirs, own)
    return replace(other, called=called) if len(set(called.values())) == len(called) else other


def read_run(folder: Path, trusted: Sequence[str] | None = None) -> Run:
    """Return a run folder after checking its seal and every file against the manifest."""
    seal = verify_seal(folder, trusted)
    return Run(folder, read_canonical(folder / "run.json"), seal)


def locate(reference: str, uri: str | None = None) -> Path:
    """Return the folder of a run given as a path, a run id, or NAME@ALIAS of the tracking store."""
    path = Path(reference)
    if (path / "run.json").is_file():
        return path
    if path.is_dir():
        raise invalid("run-folder", "this folder is not a run folder", "give one with run.json", file=path.name)
    from training import tracking  # MLflow is slow to import, and not needed for folders

    try:
        return tracking.fetch(tracking.resolve(reference, uri), uri)
    except VagusError:
        raise
    except OSError as error:
        raise invalid("run-unknown", "no such run", "list the runs with `vagus runs`") from error
