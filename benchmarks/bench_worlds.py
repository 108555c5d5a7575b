"""How much of what can be predicted is predicted: simulated worlds with known truth, through the bundle that is served.

`python benchmarks/bench_worlds.py [--seeds 5] [--worlds A,B,...]` writes the rows of these worlds into docs/benchmarks-worlds.md. `frac` is the share of the
predictable variance captured on 2,000 fresh people (1 = E[change | what a server can see], 0 = the mean); `benefit` the share of
what choosing the arm could gain over placebo for all, `one arm for all` that of the arm best on average, known in hindsight; `effects` the
mean correlation of predicted with true effects of the arms; `recipe` and `recipe's choice` are the same of a peer, the published additive model (`benchmarks/recipe.py`);
`Vagus` is the additive model, `searched` whichever of it, trees on its residual and XGBoost the inner loop kept; `over the truth's` is the intervals' mean width over that of 90 % intervals around the truth whose width follows severity. The generator is `features.synthetic`. The additive model's priors were set while
looking at seeds 50-57 of the worlds without taxa and 0-15 of C, and at seeds 0-4 of easier worlds that this generator gave before.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from recipe import PRIORS, RecipeRegressor, recipe_columns
from scipy.optimize import minimize

from features.blocks import site_reference
from features.instruments import INSTRUMENTS, reachable
from features.synthetic import World, simulate
from models.bundle import Bundle
from training.batch import site_references
from training.config import SEARCH, RunConfig
from training.finalfit import fit_final
from training.findings import widening
from training.increment import increments
from training.metrics import resamples
from training.problem import literature_for, pose
from training.protocol import evaluate, leave_one_study_out, outer_splits
from training.selection import known, to_fit

ROOT = Path(__file__).resolve().parents[1]
FRESH = 2000


@dataclass(frozen=True)
class Scenario:
    """A kind of world and the size of the training cohort."""

    title: str
    people: int
    world: World
    studies: int = 1
    null: bool = False
    literature: str = "auto"


def _world(
    microbiome: float, moderation: float, lifestyle: float, noise: float, personal: float, **other: Any
) -> World:
    """A world with a trial's untidiness: noise that grows with severity, people who were lost, people with two samples."""
    return World(microbiome, moderation, lifestyle, personal, noise, uneven=0.1, lost=0.1, twice=0.1, **other)


SMALL = _world(1.0, 0.7, 0.7, 3.25, 0.6, arms=("placebo", "probiotic"))
SCENARIOS = {
    "A": Scenario("easy, strong effects", 2000, _world(1.7, 1.5, 1.0, 2.2, 0.8)),
    "B": Scenario("realistic, most of it from baseline", 300, _world(1.0, 0.6, 0.8, 3.4, 0.7)),
    "C": Scenario("small two-arm trial", 60, SMALL),
    "C0": Scenario("the same without published priors", 60, SMALL, literature="none"),
    "D": Scenario("6 studies, tested on 8 unseen", 900, _world(1.5, 1.0, 1.05, 3.4, 0.75), studies=6),
    "E": Scenario("null: the microbiome says nothing", 800, _world(0.0, 0.0, 1.1, 3.1, 0.8), null=True),
    "F": Scenario("5,000 ASVs", 800, _world(1.5, 1.3, 0.95, 3.0, 0.75, asv_per_genus=23)),
    "G": Scenario("the arm follows severity and age", 1200, _world(1.2, 1.3, 1.0, 3.4, 0.75, confounded=0.5)),
    "H": Scenario("served older, sicker, more antibiotics, fewer reads", 1000, _world(1.5, 1.0, 0.95, 3.2, 0.75, shift=1.0)),
    "P": Scenario("arms act through the genera that matter anyway", 800, _world(1.5, 1.3, 0.95, 3.0, 0.75, truth="shared")),
    "S": Scenario("two genera carry it (sparse)", 800, _world(1.5, 1.3, 0.95, 3.0, 0.75, truth="sparse")),
    "T": Scenario("thresholds, not log-linear", 1000, _world(1.5, 1.3, 0.95, 3.0, 0.75, truth="threshold")),
    "W": Scenario("whole families carry it", 800, _world(1.5, 1.3, 0.95, 3.0, 0.75, truth="family")),
    "J": Scenario("lifestyle that matters only jointly", 800, _world(1.2, 1.0, 1.8, 3.0, 0.75, truth="together")),
}  # fmt: skip
COLUMNS = (
    "baseline alone",
    "covariates",
    "tuned XGBoost",
    "recipe",
    "Vagus",
    "searched",
    "one arm for all",
    "recipe's choice",
    "benefit",
    "effects",
    "coverage",
    "worst third",
    "width",
    "over the truth's",
    "CPU s",
    "increment shown",
)
HEAD = f"| world | n | {' | '.join(COLUMNS)} |"
RULE = f"|{'---|' * (len(COLUMNS) + 2)}"


def measure(scenario: Scenario, seed: int, challenger: bool) -> list[float]:
    cohort, _ = simulate(
        subjects=scenario.people, seed=seed, studies=scenario.studies, null=scenario.null, world=scenario.world
    )
    studies = 8 if scenario.studies > 1 else 1
    fresh, truth = simulate(
        subjects=FRESH,
        seed=seed,
        studies=studies,
        null=scenario.null,
        world=replace(scenario.world, twice=0.0, lost=0.0),
        population=1,
    )
    problem = pose(cohort, "PHQ-9")
    problem = replace(problem, literature=literature_for(problem, scenario.literature))
    evaluation = evaluate(
        problem,
        outer_splits(problem, repeats=1, seed=0),
        seed=0,
        candidates=("additive", "residual_trees", "xgboost") if challenger else ("additive",),
        title=scenario.title,
    )
    widen = widening(problem, evaluation, leave_one_study_out(problem, seed=0))
    manifest = {"name": "bench", "run_id": "bench"}
    models = {
        name: fit_final(problem, evaluation, RunConfig(model=name), widen=widen, manifest=manifest)
        for name in ("baseline", "covariates", "additive", *(["xgboost", SEARCH] if challenger else []))
    }
    means = np.array(truth["expected_change"]).reshape(FRESH, -1)
    design = fresh.design("PHQ-9")
    given = (np.arange(FRESH), [scenario.world.arms.index(arm) for arm in design.arm])
    own = means[given]
    answers = {name: _answers(fresh, final.bundle, None) for name, final in models.items()}
    recipe = _recipe(problem, fresh, scenario.world.arms)
    fracs = {name: _frac(answer[0], own) for name, answer in answers.items()} | {"recipe": _frac(recipe[given], own)}
    vagus = np.column_stack([_answers(fresh, models["additive"].bundle, arm)[0] for arm in scenario.world.arms])
    _, lower, upper = answers["additive"]
    inside = (design.change >= lower - 1e-9) & (design.change <= upper + 1e-9)
    worst = design.baseline >= np.quantile(design.baseline, 2 / 3)
    gain = increments(
        problem.y,
        evaluation.predictions,
        [("microbiome", "covariates", "additive")],
        resamples(problem.subjects, seed=0),
    )[0]
    cpu = evaluation.additive_s + models["additive"].fit_s
    return [
        *(fracs.get(name, np.nan) for name in ("baseline", "covariates", "xgboost", "recipe", "additive", SEARCH)),
        _benefit(means, np.full(FRESH, means.mean(axis=0).argmin())),
        _benefit(means, recipe.argmin(axis=1)),
        _benefit(means, vagus.argmin(axis=1)),
        _told_apart(means, vagus),
        inside.mean(),
        inside[worst].mean(),
        (upper - lower).mean(),
        (upper - lower).mean() / _true_width(design, own),
        cpu,
        gain.verdict == "shown",
    ]


def _frac(prediction, truth) -> float:
    """Return the share of the predictable variance captured."""
    return 1 - float(np.mean((prediction - truth) ** 2) / np.var(truth))


def _answers(cohort, bundle: Bundle, arm: str | None):
    design = cohort.design("PHQ-9")
    design = design if arm is None else design.with_arm(arm)
    sites = site_references(cohort, bundle)
    found = np.empty((3, len(design)))
    for study in sorted(set(design.study.tolist())):
        rows = np.flatnonzero(design.study == study)
        answer = bundle.predict(design.take(rows), sites.get(study))
        found[:, rows] = answer.change, answer.lower, answer.upper
    return found


def _true_width(design, truth) -> float:
    """Return the mean width of 90 % intervals around the truth, noise log-linear in severity, within the reachable range."""
    off, z = design.change - truth, (design.baseline - design.baseline.mean()) / design.baseline.std()

    def unlikely(sd):
        return (sd[0] + sd[1] * z).sum() + 0.5 * (off**2 * np.exp(-2.0 * (sd[0] + sd[1] * z))).sum()

    start, slope = minimize(unlikely, [np.log(off.std()), 0.0]).x
    half = np.exp(start + slope * z)
    half *= np.quantile(np.abs(off) / half, 0.9)
    low, high = reachable(INSTRUMENTS["PHQ-9"])
    return float(
        (np.minimum(truth + half, high - design.baseline) - np.maximum(truth - half, low - design.baseline)).mean()
    )


def _recipe(problem, fresh, arms):
    """Return FRESH × arms predictions of the published recipe, each new study centred on its own samples."""
    encoder, Z, y = to_fit(problem)
    model = RecipeRegressor(priors=PRIORS, known=known(problem, encoder)).fit(recipe_columns(Z), y)
    design, encoding = fresh.design("PHQ-9"), encoder.encoding_
    found = np.empty((len(design), len(arms)))
    for study in sorted(set(design.study.tolist())):
        rows = np.flatnonzero(design.study == study)
        part = design.take(rows)
        site = None if study in encoding.studies else site_reference(encoding, part, study)
        for k, arm in enumerate(arms):
            found[rows, k] = model.predict(recipe_columns(encoder.encode(part.with_arm(arm), site)))
    return found


def _benefit(means, chosen) -> float:
    """Return what a choice of an arm for each gains over placebo for all, as a share of what could be gained."""
    placebo = means[:, 0].mean()
    return float((placebo - means[np.arange(len(means)), chosen].mean()) / (placebo - means.min(axis=1).mean()))


def _told_apart(means, predicted) -> float:
    """Return the mean correlation of predicted with true effects of the arms."""
    effects = [
        np.corrcoef(*(table[:, a] - table[:, 0] for table in (predicted, means)))[0, 1]
        for a in range(1, means.shape[1])
    ]
    return float(np.mean(effects))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--worlds", default=",".join(SCENARIOS))
    parser.add_argument(
        "--no-challenger", action="store_true", help="leave out tuned XGBoost and the search: a third of the time"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks-worlds.md")
    given = parser.parse_args()
    rows = {}
    for name in given.worlds.split(","):
        scenario = SCENARIOS[name]
        found = np.array([measure(scenario, given.first + k, not given.no_challenger) for k in range(given.seeds)])
        rows[name] = _row(name, scenario, found)
        print(rows[name], flush=True)
    given.out.write_text(with_rows(given.out.read_text() if given.out.exists() else "", rows))


def _row(name: str, scenario: Scenario, found) -> str:
    """Return a world's row of the table: mean ± sd over seeds, – where nothing was run."""
    cells = [
        "–" if np.isnan(m) else f"{m:.2f} ± {s:.2f}" for m, s in zip(found.mean(axis=0), found.std(axis=0), strict=True)
    ]
    cells[COLUMNS.index("Vagus")] += f", least {found[:, COLUMNS.index('Vagus')].min():.2f}"
    cells[-1] = f"{int(found[:, -1].sum())} of {len(found)}"
    return f"| {name}: {scenario.title} | {scenario.people} | {' | '.join(cells)} |"


def with_rows(page: str, rows: Mapping[str, str]) -> str:
    """Return a page whose table has these rows, old ones of the same worlds replaced, and those with other columns left out.

    All that is not a row stays as it is.
    """
    lines = page.splitlines() or ["# Simulated worlds with known truth", "", HEAD, RULE]
    table = next(k for k, line in enumerate(lines) if line.startswith("|---")) + 1
    lines[table - 2 : table] = [HEAD, RULE]
    end = next((k for k in range(table, len(lines)) if not lines[k].startswith("|")), len(lines))
    old = [line for line in lines[table:end] if line.count("|") == HEAD.count("|")]
    known = {line[2:].split(":")[0]: line for line in old} | dict(rows)
    ordered = [known[name] for name in SCENARIOS if name in known]
    return "\n".join([*lines[:table], *ordered, *lines[end:]]) + "\n"


if __name__ == "__main__":
    main()
