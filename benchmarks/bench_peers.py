"""What plain peers reach in worlds A to H, beside what they are published to reach.

`python benchmarks/bench_peers.py [--seeds 5] [--first 50]` writes the table of docs/benchmarks-peers.md. All of them see Vagus's encoded columns, none is Vagus's model;
the sizes of effects and noise in `benchmarks/worlds.py` were set by them, on seeds 0-7 and on these very ones (in-sample, then). `benefit`, `effects`: see docs/benchmarks-worlds.md; all
others but the last two are shares of the predictable variance. Mean over seeds. Published: `../shared/reference/accuracy.md`, sections 2 to 5.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from recipe import PRIORS, RecipeRegressor, recipe_columns
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNetCV, LinearRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from worlds import FRESH, SCENARIOS, Scenario, benefit, captured, drawn, encoded, told_apart, true_width

from training.selection import known

ROOT = Path(__file__).resolve().parents[1]
COVARIATES = ("base", "life", "bend", "blank", "arm")
TAXA = ("abundant", "rare", "family")
PEERS: dict[str, dict[str, float]] = {
    "baseline": {"A": 0.36, "B": 0.60, "D": 0.48, "E": 0.67, "F": 0.48, "G": 0.53, "H": 0.45},
    "ANCOVA": {"A": 0.39, "B": 0.61, "D": 0.51, "E": 0.70, "F": 0.51, "G": 0.55, "H": 0.48},
    "additive model, covariates": {"A": 0.51, "B": 0.67, "D": 0.61, "F": 0.57},
    "elastic net, genera": {"A": 0.73, "B": 0.63, "D": 0.66, "F": 0.64},
    "elastic net, abundant genera": {"A": 0.75, "B": 0.64, "D": 0.69, "F": 0.70},
    "elastic net, with families and arms in them": {"A": 0.88, "B": 0.64, "D": 0.69, "F": 0.72},
    "one arm for all, benefit": {"A": 0.55, "B": 0.75, "D": 0.64, "E": 0.81, "F": 0.59, "G": 0.57, "H": 0.66},
    "a ridge per arm, benefit": {"A": 0.78, "B": 0.62, "D": 0.61, "E": 0.71, "F": 0.65, "G": 0.65, "H": 0.72},
    "a ridge per arm, effects": {"A": 0.49, "B": 0.09, "D": 0.27, "E": 0.15, "F": 0.20, "G": 0.40, "H": 0.36},
    "R² of the truth": {"A": 0.56, "B": 0.34, "D": 0.36, "E": 0.34, "F": 0.46, "G": 0.40, "H": 0.42},
    "width around the truth": {"A": 8.2, "B": 11.9, "D": 12.1, "E": 11.2, "F": 10.9, "G": 11.7, "H": 11.8},
}


def measure(scenario: Scenario, seed: int) -> list[float]:
    """Return what each of PEERS reaches, in that order."""
    problem, fresh, means = drawn(scenario, seed)
    arms, design = scenario.world.arms, fresh.design("PHQ-9")
    encoder, Z, y, asked = encoded(problem, fresh, arms)
    given = (np.arange(FRESH), [arms.index(arm) for arm in design.arm])
    per_arm = _ridge_per_arm(Z, y, asked)
    answers = [
        _answers(LinearRegression(), Z, y, asked, ("base",)),
        _answers(LinearRegression(), Z, y, asked, ("base", "arm")),
        _additive(Z, y, asked, known(problem, encoder)),
        _answers(_net(), Z, y, asked, (*COVARIATES, "abundant", "rare")),
        _answers(_net(), Z, y, asked, (*COVARIATES, "abundant")),
        _answers(_net(), Z, y, asked, (*COVARIATES, "abundant", "family"), crossed=True),
    ]
    return [
        *(captured(answer[given], means[given]) for answer in answers),
        benefit(means, np.full(FRESH, means.mean(axis=0).argmin())),
        benefit(means, per_arm.argmin(axis=1)),
        told_apart(means, per_arm),
        1.0 - np.mean((design.change - means[given]) ** 2) / np.var(design.change),
        true_width(design, means[given]),
    ]


def _net():
    return make_pipeline(StandardScaler(), ElasticNetCV(l1_ratio=[0.2, 0.5, 0.9], alphas=20, cv=5, max_iter=3000))


def _answers(model, Z, y, asked, blocks, crossed=False):
    """Return a peer's FRESH × arms predictions from some blocks of columns, `crossed` with the arm's where asked."""
    model.fit(_columns(Z, blocks, crossed), y)
    return np.column_stack([model.predict(_columns(frame, blocks, crossed)) for frame in asked.values()])


def _columns(frame: pd.DataFrame, blocks, crossed: bool):
    block = np.array([name.split(":")[0] for name in frame.columns])
    own = frame.loc[:, np.isin(block, blocks)].drop(columns="arm:any active arm", errors="ignore")
    if not crossed:
        return own.to_numpy()
    arm = own.loc[:, [name.startswith("arm:") for name in own.columns]].to_numpy() != 0
    taxa = frame.loc[:, np.isin(block, blocks) & np.isin(block, TAXA)].to_numpy()
    return np.column_stack([own.to_numpy(), (taxa[:, :, None] * arm[:, None, :]).reshape(len(frame), -1)])


def _additive(Z, y, asked, effects):
    keep = [name for name in Z.columns if name.split(":")[0] not in TAXA]
    model = RecipeRegressor(priors=PRIORS, known=effects).fit(recipe_columns(Z[keep]), y)
    return np.column_stack([model.predict(recipe_columns(frame[keep])) for frame in asked.values()])


def _ridge_per_arm(Z, y, asked):
    """Return the predictions of a T-learner: a ridge regression fitted on each arm's people alone."""
    blocks = (*COVARIATES[:-1], "abundant", "rare")
    found = []
    for arm, frame in asked.items():
        names = [name for name in Z.columns if name.startswith("arm:") and name != "arm:any active arm"]
        there = Z[f"arm:{arm}"] > 0 if f"arm:{arm}" in Z else (Z[names] == 0).all(axis=1)
        model = RidgeCV(np.logspace(0, 5, 16)).fit(_columns(Z[there], blocks, False), y[there])
        found.append(model.predict(_columns(frame, blocks, False)))
    return np.column_stack(found)


def _beside(published: float | None) -> str:
    return "" if published is None else f" ({published:.2f})"


def main() -> None:
    warnings.simplefilter("ignore", ConvergenceWarning)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=50, help="the first of them")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks-peers.md")
    given = parser.parse_args()
    worlds = sorted({world for row in PEERS.values() for world in row})
    found = {}
    for world in worlds:
        seeds = range(given.first, given.first + given.seeds)
        found[world] = np.mean([measure(SCENARIOS[world], seed) for seed in seeds], axis=0)
        print(
            world,
            *(f"{name} {value:.2f}" for name, value in zip(PEERS, found[world], strict=True)),
            sep=" | ",
            flush=True,
        )
    lines = [f"| here (published) | {' | '.join(worlds)} |", f"|---|{'---:|' * len(worlds)}"]
    for k, (peer, published) in enumerate(PEERS.items()):
        cells = [f"{found[world][k]:.2f}{_beside(published.get(world))}" for world in worlds]
        lines.append(f"| {peer} | {' | '.join(cells)} |")
    given.out.write_text("\n".join(["# How hard the simulated worlds are", "", __doc__.strip(), "", *lines]) + "\n")


if __name__ == "__main__":
    main()
