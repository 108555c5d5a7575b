"""The pictures of a comparison, as SVG text that stands in the page. Groups, never single people."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from training.audit.alignment import Aligned
from training.audit.compare import LOWER_IS_BETTER

FIRST, SECOND, GREY = "#52606d", "#2b6cb0", "#9aa5b1"
LEAST_IN_BIN = 10
Draw = Callable[[Figure, Mapping[str, Any], Aligned], bool]


def draw_all(content: Mapping[str, Any], aligned: Aligned) -> dict[str, str]:
    """Return name -> SVG of every plot the comparison has data for; `content` is `Comparison.as_dict()`."""
    drawn = {}
    for name, draw in PLOTS.items():
        figure = Figure(figsize=(5.6, 3.6), layout="constrained")
        if draw(figure, content, aligned):
            drawn[name] = _svg(figure)
    return drawn


def _differences(figure: Figure, content: Mapping[str, Any], aligned: Aligned) -> bool:
    tests = [test for test in content["tests"] if test["paired"]["difference"] is not None]
    figure.set_figheight(1 + 0.6 * len(tests))
    axes = figure.subplots(len(tests), 1, squeeze=False)[:, 0]
    for axis, test in zip(axes, tests, strict=True):
        found = test["paired"]
        axis.plot([found["lower"], found["upper"]], [0.0, 0.0], "-", color=SECOND)
        axis.plot([found["difference"]], [0.0], "o", color=SECOND)
        axis.axvline(0, color=GREY, lw=1)
        side = "left" if test["measure"] in LOWER_IS_BETTER else "right"
        axis.set(yticks=[], ylim=(-1, 1))
        axis.set_ylabel(f"{test['measure']}\n(better: {side})", rotation=0, ha="right", va="center")
    figure.suptitle("Second minus first, 95 % interval")
    return bool(tests)


def _calibration(figure: Figure, content: Mapping[str, Any], aligned: Aligned) -> bool:
    axis = figure.add_subplot()
    for answers, colour, label in ((aligned.first, FIRST, "first"), (aligned.second, SECOND, "second")):
        predicted = answers.prediction.mean(axis=0)
        bins = np.array_split(np.argsort(predicted, kind="stable"), max(1, min(10, len(predicted) // LEAST_IN_BIN)))
        x, y = ([values[rows].mean() for rows in bins] for values in (predicted, answers.y))
        axis.plot(x, y, "o-", color=colour, label=label, lw=1, ms=4)
    ends = axis.get_xlim()
    axis.plot(ends, ends, "--", color=GREY, lw=1)
    axis.set(xlabel="predicted (mean of group)", ylabel="observed (mean of group)", title="Calibration")
    axis.legend(frameon=False)
    return True


def _decision_curve(figure: Figure, content: Mapping[str, Any], aligned: Aligned) -> bool:
    curve = content.get("decision_curve")
    if not curve:
        return False
    axis = figure.add_subplot()
    x = [row["threshold"] for row in curve]
    for name, colour, style in (("first", FIRST, "-"), ("second", SECOND, "-"), ("all", GREY, "--")):
        axis.plot(x, [row[name] for row in curve], style, color=colour, label=name if name != "all" else "treat all")
    axis.axhline(0, color=GREY, lw=1, label="treat none")
    top = max(row[name] for row in curve for name in ("first", "second"))
    axis.set(xlabel="threshold probability", ylabel="net benefit", title="Decision curve", ylim=(-0.1, top + 0.05))
    axis.legend(frameon=False)
    return True


def _people(figure: Figure, content: Mapping[str, Any], aligned: Aligned) -> bool:
    errors = [np.abs(a.y - a.prediction).mean(axis=0) for a in (aligned.first, aligned.second)]
    change = errors[1] - errors[0]
    if len(change) < LEAST_IN_BIN:
        return False
    axis = figure.add_subplot()
    axis.hist(change, bins=max(5, min(30, len(change) // LEAST_IN_BIN)), color=SECOND, edgecolor="white")
    axis.axvline(0, color="black", lw=1)
    axis.set(xlabel="change of absolute error (left: better in the second)", ylabel="outcome rows", title="Who gains")
    return True


def _svg(figure: Figure) -> str:
    out = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "vagus", "svg.fonttype": "none", "font.size": 9}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


PLOTS: Mapping[str, Draw] = {
    "differences": _differences,
    "calibration": _calibration,
    "decision_curve": _decision_curve,
    "people": _people,
}
