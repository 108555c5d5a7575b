"""The sealed folder that is served: arrays and a manifest, and the one predictor that runs it.

`vagus predict` and the HTTP service both call `Bundle.predict`. Nothing here can execute code from a file: arrays are
read without pickle, everything else is JSON.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from features.covariates import Bar, CovariateCode
from features.derived import DerivedBlock
from features.design import Design
from features.digest import canonical_json
from features.encoding import MICROBIOME, Encoding, SiteReference
from features.errors import VerificationFailed
from features.instruments import find, reachable, remission_threshold, response_threshold
from models.applicability import Limits, with_reason
from models.cores import KINDS, Core, blocks_of
from models.intervals import GroupQuantiles, clip_interval, probability_below, within
from models.likeness import Likeness
from models.manifest import folder_digest, read_manifest, write_manifest
from models.prediction import Predictions
from models.seal import verify_seal
from models.segments import Segment

Array = npt.NDArray[np.float64]

_RECORDS: Mapping[str, type[Any]] = {
    "covariates": CovariateCode, "segments": Segment, "derived": DerivedBlock, "bars": Bar,
}  # fmt: skip
_WITHIN: Mapping[str, type[Any]] = {"additive": KINDS["additive"], "trees": KINDS["forest"]}  # cores of a core
_OPTIONAL = frozenset({"derived", "bars", "apart", "by", "cuts", "groups", "quantiles", "protocols", "cover", "steep"})
ARRAYS, MODEL = "arrays.npz", "model.json"


@dataclass(frozen=True, eq=False)
class Calibration:
    """How wide: the conformal quantile of scaled out-of-fold residuals, and their whole distribution.

    For a row whose study training never saw, `widen_site` multiplies the half-width when the study is centred on its own
    samples, `widen` when there is no such reference; both from leaving whole studies out. With `by`, each of `groups`
    has one of `quantiles` in place of `quantile` (`models.intervals.GroupQuantiles`).
    """

    level: float
    quantile: float
    grid: Array
    widen: float = 1.0
    widen_site: float = 1.0
    by: str = ""
    cuts: tuple[float, ...] = ()
    groups: tuple[str, ...] = ()
    quantiles: tuple[float, ...] = ()

    def quantile_of(self, design: Design) -> Array:
        """Return each row's quantile: the one of all, or with `by` its group's; NaN where that group has none."""
        if not self.by:
            return np.full(len(design), self.quantile)
        return GroupQuantiles(self.by, self.cuts, self.groups, self.quantiles).of(design)


@dataclass(frozen=True, eq=False)
class Bundle:
    """A served model: encoding, core, calibration, applicability limits, floor and the manifest that describes it."""

    manifest: Mapping[str, Any]
    encoding: Encoding
    core: Core
    calibration: Calibration
    limits: Limits
    floor: tuple[float, float]
    likeness: Likeness | None = None

    @cached_property
    def digest(self) -> str:
        """Return the digest that stands for the whole folder."""
        return folder_digest(dict(self.manifest))

    @property
    def instrument(self) -> str:
        """Return the instrument whose change is predicted."""
        return str(self.manifest["instrument"])

    @property
    def arms(self) -> tuple[str, ...]:
        """Return the arms of training."""
        return self.encoding.arms

    def predict(self, design: Design, site: SiteReference | None = None) -> Predictions:
        """Return the answers for a design's rows; `site` centres rows of a study that training never saw."""
        parts = self.encoding.blocks(design, site, self._blocks)
        own, sd, raw = self.core.moments(parts)
        contributions = {"origin": np.full(len(design), self.core.intercept), **own}
        low, high = self._reachable(design.baseline)
        change = within(raw, low, high)
        unlike = self.likeness.distance(parts) if self.likeness else np.zeros(len(design))
        new_study = self.calibration.widen if site is None else self.calibration.widen_site
        answered, reasons, factor = self.limits.judge(design, self.encoding, site is not None, new_study, unlike)
        sd = sd * factor
        lower, upper = clip_interval(change, (quantile := self.calibration.quantile_of(design)) * sd, low, high)
        if self.calibration.by:
            reasons = with_reason(reasons, "no_interval_for_group", np.isnan(quantile))
        below = probability_below(self._thresholds(design.baseline), raw, sd, self.calibration.grid)
        p_response, p_remission = below if find(self.instrument).lower_is_better else 1.0 - below
        return Predictions(
            level=self.calibration.level, change=change, lower=lower, upper=upper, p_response=p_response, p_remission=p_remission,
            floor_change=within(self.floor[0] + self.floor[1] * design.baseline, low, high),
            answered=answered, reasons=reasons, contributions={**contributions, "range": change - raw},
        )  # fmt: skip

    @cached_property
    def _blocks(self) -> set[str]:
        """The blocks that anything here reads."""
        return blocks_of(self.core) | {"base", "arm"} | set(self.likeness.blocks if self.likeness else ())

    def _reachable(self, baseline: Array) -> tuple[Array, Array]:
        low, high = reachable(find(self.instrument))
        return low - baseline, high - baseline

    def _thresholds(self, baseline: Array) -> Array:
        """Return the changes at which a person counts as responder and, second row, as in remission; NaN where undefined."""
        bars = [_bars(self.instrument, score) for score in baseline.tolist()]
        return np.asarray(np.array(bars, dtype=float).reshape(len(bars), 2).T - baseline)

    def save(self, folder: Path) -> Self:
        """Write the bundle into an empty or new folder and return it with its manifest completed."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, npt.NDArray[Any]] = {}
        kind = next(name for name, cls in KINDS.items() if isinstance(self.core, cls))
        state = {
            "kind": kind, "floor": list(self.floor), "encoding": _pack("encoding", self.encoding, arrays),
            "core": _pack("core", self.core, arrays), "calibration": _pack("calibration", self.calibration, arrays),
            "limits": _pack("limits", self.limits, arrays),
            **({"likeness": _pack("likeness", self.likeness, arrays)} if self.likeness else {}),
        }  # fmt: skip
        (folder / ARRAYS).write_bytes(_npz(arrays))
        (folder / MODEL).write_bytes(canonical_json(state))
        written = write_manifest(
            folder, {k: v for k, v in self.manifest.items() if k not in ("files", "format_version")}
        )
        return replace(self, manifest=written)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a bundle after checking its seal and recomputing every digest; raises VerificationFailed on any difference."""
        verify_seal(folder)
        manifest = read_manifest(folder)
        try:
            state = json.loads((folder / MODEL).read_bytes())
            with np.load(folder / ARRAYS, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            encoding = _unpack(Encoding, "encoding", state, arrays)
            core = _unpack(KINDS[state["kind"]], "core", state, arrays)
            rest = (_unpack(Calibration, "calibration", state, arrays), _unpack(Limits, "limits", state, arrays))
            likeness = _unpack(Likeness, "likeness", state, arrays) if "likeness" in state else None
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise VerificationFailed(
                f"{MODEL} or {ARRAYS} cannot be read as a bundle: {type(error).__name__}"
            ) from error
        return cls(manifest, encoding, core, *rest, tuple(state["floor"]), likeness)


@lru_cache(maxsize=4096)
def _bars(name: str, baseline: float) -> tuple[float, float]:
    """The scores of response and remission at one baseline score, NaN where undefined; an instrument has few scores."""
    response, remission = response_threshold(find(name), baseline), remission_threshold(find(name))
    return math.nan if response is None else float(response), math.nan if remission is None else remission


def uses_microbiome(core: Core) -> bool:
    """Return whether any microbiome column carries weight."""
    segments = getattr(core, "segments", None)
    return segments is None or any(segment.block.removeprefix("arm×") in MICROBIOME for segment in segments)


def _pack(prefix: str, part: Any, arrays: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
    """Put a dataclass's arrays aside under `prefix.name` and return the rest as JSON."""
    plain: dict[str, Any] = {}
    for field in fields(part):
        value = getattr(part, field.name)
        if isinstance(value, np.ndarray):
            arrays[f"{prefix}.{field.name}"] = value
        elif field.name in _WITHIN:
            plain[field.name] = _pack(f"{prefix}.{field.name}", value, arrays)
        else:
            plain[field.name] = [vars(item) for item in value] if field.name in _RECORDS else value
    # Left out where there are none: a bundle without them has the bytes it always had.
    return {name: value for name, value in plain.items() if name not in _OPTIONAL or value}


def _unpack(cls: type[Any], prefix: str, state: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Any:
    own = {name.removeprefix(f"{prefix}."): array for name, array in arrays.items() if name.startswith(f"{prefix}.")}
    plain = {name: tuple(value) if isinstance(value, list) else value for name, value in state[prefix].items()}
    for name in _WITHIN.keys() & plain.keys():
        plain[name] = _unpack(_WITHIN[name], name, plain, own)
        own = {key: array for key, array in own.items() if not key.startswith(f"{name}.")}
    for name in _RECORDS.keys() & plain.keys():
        plain[name] = tuple(_RECORDS[name](**_tuples(item)) for item in plain[name])
    return cls(**own, **plain)


def _tuples(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in item.items()}


def _npz(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Return an uncompressed .npz whose bytes depend on the arrays alone (fixed times, sorted names)."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), member.getvalue())
    return out.getvalue()
