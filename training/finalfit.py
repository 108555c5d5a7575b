"""The model that is kept: chosen and fitted on all people, with intervals from out-of-fold residuals, as a Bundle."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from features.blocks import FeatureEncoder
from features.encoding import Encoding
from models.applicability import Limits
from models.bundle import Bundle, Calibration, uses_microbiome
from models.catalog import CANDIDATES, CATALOG, columns_of
from models.contributions import how
from models.cores import AdditiveCore, Core, LinearCore, ResidualTreesCore, blocks_of
from models.export import to_core
from models.forest import ForestCore
from models.intervals import GroupQuantiles, distribution, quantile
from models.likeness import Likeness
from models.noise import FLAT, Noise
from training.assess import LEVEL, scaled_residuals
from training.config import SEARCH, RunConfig
from training.problem import Problem
from training.protocol import Evaluation
from training.selection import Configuration, choose, fit_entry, known, to_fit


@dataclass(frozen=True, eq=False)
class FinalModel:
    """The fitted model, what it was fitted with, and its bundle."""

    configuration: Configuration
    encoder: FeatureEncoder
    model: Any
    bundle: Bundle
    fit_s: float


def fit_final(
    problem: Problem,
    evaluation: Evaluation,
    config: RunConfig,
    *,
    widen: tuple[float, float],
    manifest: Mapping[str, Any],
    deadline: float = inf,
) -> FinalModel:
    """Choose on all people, fit on all people, and take the interval width from that entry's out-of-fold residuals."""
    with threadpool_limits(1):
        chosen, noise = _choose(problem, evaluation, config, deadline)
        clock = time.process_time()
        encoder, Z, y = to_fit(problem)
        entry = CATALOG[chosen.entry]
        columns = columns_of(list(Z.columns), entry)
        model = fit_entry(entry, chosen.params, Z[columns], y, seed=config.seed, known=known(problem, encoder))
        fit_s = time.process_time() - clock
    core = to_core(model, columns)
    core = replace(core, **noise._asdict()) if isinstance(core, LinearCore | ForestCore) else core
    scores = scaled_residuals(problem, evaluation, chosen.entry)
    bundle = Bundle(
        manifest={**manifest, "entry": chosen.entry, "params": dict(chosen.params), "contributions": how(core),
                  **served_fields(problem, encoder)},
        encoding=_needed(encoder.encoding_, core), core=core,
        calibration=_calibration(problem, scores, config.interval_groups, widen),
        limits=_limits(problem, core), floor=_floor(problem),
        likeness=Likeness.learn(encoder.encoding_.blocks(problem.design), blocks_of(core)),
    )  # fmt: skip
    return FinalModel(chosen, encoder, model, bundle, fit_s)


def _calibration(problem: Problem, scores: Any, by: str, widen: tuple[float, float]) -> Calibration:
    groups = vars(GroupQuantiles.learn(problem.design, scores, by, LEVEL)) if by else {}
    return Calibration(LEVEL, quantile(scores, LEVEL), distribution(scores), *widen, **groups)


def _needed(encoding: Encoding, core: Core) -> Encoding:
    """Leave out derived blocks that the fitted model does not read: a bundle then needs no module file or KO table for them."""
    return replace(encoding, derived=tuple(block for block in encoding.derived if block.kind in blocks_of(core)))


def _choose(
    problem: Problem, evaluation: Evaluation, config: RunConfig, deadline: float
) -> tuple[Configuration, Noise]:
    """Return the configuration to keep and its noise (flat where nothing was searched: residuals are not scaled)."""
    if config.model not in (SEARCH, *CANDIDATES):
        return Configuration(config.model, {}), FLAT
    candidates = evaluation.candidates if config.model == SEARCH else (config.model,)
    choice = choose(problem, candidates, seed=config.seed, deadline=deadline)
    return choice.winner, choice.noise.get(choice.winner.entry, FLAT)


def served_fields(problem: Problem, encoder: FeatureEncoder) -> dict[str, Any]:
    """Return what a service must know to check a request: arms, units, covariates, taxa, the trained follow-up lag."""
    encoding = encoder.encoding_
    lag = problem.design.lag[~np.isnan(problem.design.lag)]
    covariates = {
        code.name: {"kind": "numeric", "low": code.low, "high": code.high}
        if code.kind == "numeric"
        else {"kind": "categorical", "levels": list(code.levels)}
        for code in encoding.covariates
    }
    return {
        "instrument": problem.instrument.name, "level": LEVEL, "arms": list(encoding.arms), "comparator": encoding.comparator,
        "unit": encoding.unit, "lag": {"low": float(lag.min()), "high": float(lag.max())} if len(lag) else None,
        "covariates": covariates, "genera": list(encoding.genera), "studies": len(encoding.studies),
        "subjects": problem.people, "rows": len(problem.y), "claim": "prognostic",
    }  # fmt: skip


def _floor(problem: Problem) -> tuple[float, float]:
    """Return intercept and slope of change on baseline: what baseline severity alone predicts."""
    slope, intercept = (
        np.polyfit(problem.design.baseline, problem.y, 1)
        if np.ptp(problem.design.baseline) > 0
        else (0.0, problem.y.mean())
    )
    return float(intercept), float(slope)


def _limits(problem: Problem, core: Core) -> Limits:
    baseline = problem.design.baseline
    slack = 0.1 * float(np.ptp(baseline))
    low, high = float(baseline.min()) - slack, float(baseline.max()) + slack
    own = problem.design.protocol if problem.design.protocol is not None else ()
    protocols = tuple(sorted({str(name) for name in own if name is not None}))
    return Limits(low, high, uses_microbiome(core), _no_stool(core), protocols)


def _no_stool(core: Core) -> float:
    """Return the sd factor of a person without stool: what the microbiome blocks could say becomes noise."""
    core = core.additive if isinstance(core, ResidualTreesCore) else core
    if not isinstance(core, AdditiveCore):
        return 1.0
    start, lost = 0, 0.0
    for segment in core.segments:
        own = core.prior[start : start + segment.width]
        lost += (
            float(own @ own) if segment.contribution == "microbiome" and not segment.block.startswith("arm×") else 0.0
        )
        start += segment.width
    noise = float(np.exp(core.noise[0])) * core.noise[2] ** 2
    return float(np.sqrt(1.0 + lost / noise))
