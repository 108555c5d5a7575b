"""The Design: what a model sees of a cohort, one row per outcome row, all of it measured at baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from features.counts import Array, row_sums

if TYPE_CHECKING:
    import pandas as pd

Objects = npt.NDArray[np.object_]
Columns = Mapping[str, Objects]


@dataclass(frozen=True, eq=False)
class Design:
    """What a model sees: one row per outcome row (n rows), everything measured at baseline.

    `genera` are the columns of `abundance` (n × t, in `unit`); `stool` says which rows have a sample; `covariates`
    are raw values (float, text or None); `lag` is follow-up time minus baseline time, NaN where unknown; `functions` are
    shares of gene families (n × len(function_names), NaN rows where not measured), None where nobody asked for them;
    `protocol` names how each sample was taken and sequenced, None where nobody says.
    """

    subject: Objects
    sample: Objects
    baseline_time: Array
    baseline: Array
    arm: Objects
    study: Objects
    lag: Array
    genera: tuple[str, ...]
    abundance: Array
    stool: npt.NDArray[np.bool_]
    unit: str
    covariates: Columns
    follow_up: Array
    label: Objects
    function_names: tuple[str, ...] = ()
    functions: Array | None = None
    protocol: Objects | None = None

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.subject)

    @property
    def change(self) -> Array:
        """Return follow-up minus baseline, NaN where there is no follow-up."""
        return self.follow_up - self.baseline

    @cached_property
    def total(self) -> Array:
        """Return each row's whole abundance (n), added from left to right."""
        return row_sums(self.abundance)

    def numbers(self, names: tuple[str, ...]) -> Array:
        """Return k covariates as n × k numbers that are not to be written to; what is not a number, or not there, is NaN."""
        if names not in self._numbers:
            self._numbers[names] = numbers_of([self.covariates.get(name) for name in names], len(self))
        return self._numbers[names]

    @cached_property
    def _numbers(self) -> dict[tuple[str, ...], Array]:
        return {}

    @classmethod
    def from_frame(cls, X: pd.DataFrame, unit: str) -> Design:
        """Return the design behind a frame made by `frame`; identities and follow-up are not in a frame."""
        n, blank = len(X), np.full(len(X), np.nan)
        genera = [name for name in X.columns if name.startswith("taxon:")]
        life = {name[5:]: X[name].to_numpy(dtype=object) for name in X.columns if name.startswith("life:")}
        life = {name: _blanked(column) for name, column in life.items()}
        functions = [name for name in X.columns if name.startswith("function:")]
        nobody = np.full(n, "", dtype=object)
        return cls(
            subject=nobody, sample=nobody, baseline_time=blank, baseline=X["base:score"].to_numpy(dtype=float),
            arm=X["arm:arm"].to_numpy(dtype=object), study=X["study:study"].to_numpy(dtype=object), lag=blank,
            genera=tuple(name[6:] for name in genera), abundance=X[genera].to_numpy(dtype=float),
            stool=X["stool:present"].to_numpy(dtype=bool), unit=unit, covariates=life, follow_up=blank, label=nobody,
            function_names=tuple(name[9:] for name in functions),
            functions=X[functions].to_numpy(dtype=float) if functions else None,
        )  # fmt: skip

    def take(self, rows: npt.NDArray[Any]) -> Design:
        """Return the design of some rows, in the order given."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        per_row = {name: value[rows] for name, value in given.items() if isinstance(value, np.ndarray)}
        covariates = {name: column[rows] for name, column in self.covariates.items()}
        return replace(self, **per_row, covariates=covariates)

    def with_arm(self, arm: str) -> Design:
        """Return the same people as if all were given one arm."""
        return replace(self, arm=np.full(len(self), arm, dtype=object))

    def frame(self) -> pd.DataFrame:
        """Return the plain data frame scikit-learn sees: `base:`, `arm:`, `study:`, `life:`, `stool:`, `taxon:` (and, where asked for, `function:`) columns."""
        import pandas as pd

        head = {
            "base:score": self.baseline,
            "arm:arm": self.arm,
            "study:study": self.study,
            "stool:present": self.stool,
        }
        life = {f"life:{name}": column for name, column in self.covariates.items()}
        tables = [pd.DataFrame(self.abundance, columns=[f"taxon:{name}" for name in self.genera])]
        if self.functions is not None:
            tables.append(pd.DataFrame(self.functions, columns=[f"function:{name}" for name in self.function_names]))
        return pd.concat([pd.DataFrame({**head, **life}), *tables], axis=1)


def numbers_of(columns: Sequence[Objects | None], n: int) -> Array:
    """Return k raw value columns (None: all blank) as n × k numbers; what is not a number is NaN."""
    nan = float("nan")
    cells = [
        [nan] * n if column is None else [value if isinstance(value, float) else nan for value in column.tolist()]
        for column in columns
    ]
    return np.array(cells, dtype=float).reshape(len(cells), n).T


def _blanked(column: Objects) -> Objects:
    """Turn NaN back into None: pandas writes a blank in a column of floats as NaN."""
    return np.array(
        [None if value is None or (isinstance(value, float) and np.isnan(value)) else value for value in column],
        dtype=object,
    )
