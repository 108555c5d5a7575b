"""The pictures of a run, as SVG: numbers come from the record, drawing changes none. Same record, same bytes."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from training.assess import HeldOut
from training.problem import Problem
from training.protocol import CHOSEN

BLUE, GREY, RED = "#2b6cb0", "#9aa5b1", "#b03a2e"
EVENTS = {"response": BLUE, "remission": RED, "label": BLUE}
Draw = Callable[[Figure, Problem, HeldOut, Mapping[str, Any]], bool]


def draw_all(
    folder: Path, problem: Problem, answers: Mapping[str, HeldOut], record: Mapping[str, Any]
) -> dict[str, str]:
    """Write every plot the run has data for and return name -> SVG text."""
    folder.mkdir()
    held = answers.get(CHOSEN, answers["baseline"])
    drawn = {}
    for name, draw in PLOTS.items():
        figure = Figure(figsize=(5.4, 3.6), layout="constrained")
        if draw(figure, problem, held, record):
            drawn[name] = svg(figure)
            (folder / f"{name}.svg").write_text(drawn[name], encoding="utf-8")
    return drawn


def svg(figure: Figure) -> str:
    """Return a figure as SVG text whose bytes depend on what is drawn alone."""
    out = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "vagus", "svg.fonttype": "none", "font.size": 9}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)


def _predicted_observed(figure: Figure, problem: Problem, held: HeldOut, record: Mapping[str, Any]) -> bool:
    """Binned, so that no single person can be read off: each point is a tenth of the people, at least ten."""
    if problem.task == "label":
        return False
    predicted = held.prediction.mean(axis=0)
    x, y, low, high = _binned(predicted, problem.y)
    axis = figure.add_subplot()
    axis.vlines(x, low, high, color=GREY)
    axis.plot(x, y, "o", color=BLUE)
    ends = [min(x.min(), y.min()), max(x.max(), y.max())]
    axis.plot(ends, ends, "--", color=GREY, lw=1)
    axis.set(
        xlabel="predicted (mean of group)",
        ylabel="observed (mean, middle 80 %)",
        title=f"Predicted against observed {problem.task}",
    )
    return True


def _binned(predicted: Any, y: Any) -> tuple[Any, ...]:
    groups = np.array_split(np.argsort(predicted, kind="stable"), max(1, min(10, len(y) // 10)))
    rows = [(predicted[g].mean(), y[g].mean(), *np.quantile(y[g], [0.1, 0.9])) for g in groups]
    return tuple(np.array(column) for column in zip(*rows, strict=True))


def _calibration(figure: Figure, problem: Problem, held: HeldOut, record: Mapping[str, Any]) -> bool:
    """Reliability of the probabilities of response and remission."""
    axis = figure.add_subplot()
    axis.plot([0, 1], [0, 1], "--", color=GREY, lw=1)
    for event in ("response", "remission"):
        p, seen, known = held.known(event)
        if known.sum() >= 20:
            x, y, *_ = _binned(p.mean(axis=0)[known], seen[known])
            axis.plot(x, y, "o-", color=EVENTS[event], label=problem.positive or event)
    axis.set(xlabel="predicted probability", ylabel="observed share", xlim=(0, 1), ylim=(0, 1), title="Calibration")
    return _with_legend(axis)


def _decision_curve(figure: Figure, problem: Problem, held: HeldOut, record: Mapping[str, Any]) -> bool:
    """Net benefit of acting on the probability, against acting on everyone, on no one, and on baseline alone."""
    axis = figure.add_subplot()
    axis.axhline(0, color=GREY, lw=1)
    for event, curve in record["decision_curve"].items():
        t = [point["threshold"] for point in curve]
        for name, style in (("estimate", "-"), ("baseline", ":"), ("treat_all", "--")):
            label = {"estimate": f"{event}: the model", "treat_all": f"{event}: everyone"}.get(
                name, f"{event}: baseline"
            )
            axis.plot(t, [point[name] for point in curve], style, color=EVENTS[event], lw=1.2, label=label)
    top = max((point[name] for c in record["decision_curve"].values() for point in c for name in ("estimate", "baseline")),
              default=1.0)  # fmt: skip
    axis.set(xlabel="threshold probability", ylabel="net benefit", ylim=(-0.1, top + 0.05), title="Decision curve")
    return _with_legend(axis)


def _with_legend(axis: Any) -> bool:
    """Draw the legend; False where nothing was drawn that has a name."""
    named = bool(axis.get_legend_handles_labels()[0])
    if named:
        axis.legend(fontsize=7)
    return named


def _coverage(figure: Figure, problem: Problem, held: HeldOut, record: Mapping[str, Any]) -> bool:
    """Coverage by third of the baseline."""
    start = problem.design.baseline
    if np.isnan(start).any() or len(start) < 30:
        return False
    inside = ((problem.y >= held.lower) & (problem.y <= held.upper)).mean(axis=0)
    thirds = np.array_split(np.argsort(start, kind="stable"), 3)
    axis = figure.add_subplot()
    axis.bar(["low", "middle", "high"], [inside[g].mean() for g in thirds], color=BLUE)
    axis.axhline(0.9, color=RED, lw=1)
    axis.set(
        ylim=(0.5, 1.0),
        xlabel="third of baseline score",
        ylabel="share inside the 90 % interval",
        title="Coverage (cross-fitted)",
    )
    return True


def _increments(figure: Figure, problem: Problem, held: HeldOut, record: Mapping[str, Any]) -> bool:
    rows = record["increment"]
    if not rows:
        return False
    axis = figure.add_subplot()
    for i, row in enumerate(rows):
        colour = BLUE if row["verdict"] == "shown" else GREY
        axis.plot([row["lower"], row["upper"]], [i, i], color=colour, lw=2)
        axis.plot(row["estimate"], i, "o", color=colour)
    axis.axvline(0, color=RED, lw=1)
    axis.set_yticks(range(len(rows)), [f"{row['block']}\n({row['verdict']})" for row in rows])
    axis.set(xlabel="R² added, 95 % interval over subjects", ylim=(-0.6, len(rows) - 0.4), title="What each block adds")
    return True


def _rejects(figure: Figure, problem: Problem, held: HeldOut, record: Mapping[str, Any]) -> bool:
    """Error among those still answered, the least certain and the least like the training people refused first."""
    axis = figure.add_subplot()
    for (name, curve), colour in zip(record["reject_curve"].items(), (BLUE, RED), strict=False):
        share = [100 * point["share"] for point in curve]
        axis.plot(share, [point["estimate"] for point in curve], "o-", color=colour, ms=3, label=name.replace("_", " "))
        low, high = ([point[end] for point in curve] for end in ("lower", "upper"))
        axis.fill_between(share, low, high, color=colour, alpha=0.12)
    axis.set(xlabel="people answered, %", ylabel="MAE, points (95 % interval)", title="Reject-option curve")
    return _with_legend(axis)


def _models(figure: Figure, problem: Problem, held: HeldOut, record: Mapping[str, Any]) -> bool:
    rows = {**record["reference_rows"], **record["model_rows"]}
    axis = figure.add_subplot()
    for i, (name, row) in enumerate(reversed(rows.items())):
        r2 = row["r2"]
        colour = GREY if name in record["reference_rows"] else BLUE
        if r2["estimate"] is not None:
            axis.plot([r2["lower"], r2["upper"]], [i, i], color=colour, lw=2)
            axis.plot(r2["estimate"], i, "o", color=colour)
    axis.axvline(0, color=RED, lw=1)
    axis.set_yticks(range(len(rows)), list(reversed(rows)))
    axis.set(xlabel="held-out R², 95 % interval over subjects", title="References (grey) and models")
    return True


PLOTS: Mapping[str, Draw] = {
    "models": _models, "increment": _increments, "predicted_observed": _predicted_observed, "calibration": _calibration,
    "decision_curve": _decision_curve, "coverage": _coverage, "reject_curve": _rejects,
}  # fmt: skip
