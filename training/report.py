"""The report of a run in plain words: one self-contained page, and the model card a service shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, select_autoescape
from markupsafe import Markup

from features.derived import KINDS, DerivedBlock

TEMPLATES = Path(__file__).resolve().parent / "templates"
OVER = {"lifestyle": "baseline and arm", "arm": "baseline and lifestyle"}
OVER |= dict.fromkeys(KINDS, "baseline, lifestyle, arm and the taxa")
INTENDED_USE = (
    "Decision support for research: a prognostic association between a baseline and the change that followed it. Not a medical "
    "device, no diagnosis, no statement that a therapy causes the change. A positive self-harm item outranks every prediction."
)


def page(record: Mapping[str, Any], plots: Mapping[str, str]) -> str:
    """Return report.html of a run record, its plots inlined."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=select_autoescape(["html"]), trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "figure": _figure,
        "interval": _interval,
        "transposed": lambda rows: list(zip(*rows, strict=True)),
    }
    drawn = {name: Markup(svg) for name, svg in plots.items()}  # noqa: S704  (our own SVG)
    return environment.get_template("report.html").render(
        run=record, plots=drawn, words=words(record), intended_use=INTENDED_USE
    )


def words(record: Mapping[str, Any]) -> list[str]:
    """Return the findings as sentences a clinician can read."""
    found, reference = record["metrics"], record["reference_rows"]
    if not found:
        return [
            f"Only {record['subjects']} people: too few to learn from or to judge a model. The reference rows are recorded, nothing is claimed."
        ]
    gain = found["r2_gain_over_mean"]
    said = [
        f"On people it had not seen the model explains {_percent(found['r2'])} of the differences in {record['instrument']} {record['task']}; "
        f"baseline severity alone explains {_percent(reference['baseline']['r2'])}.",
        f"A typical error is {found['mae']['estimate']:.2f} points (baseline alone: {reference['baseline']['mae']['estimate']:.2f}).",
        f"The 90 % interval held {100 * found['coverage']['estimate']:.0f} % of the outcomes and is {found['interval_width']['estimate']:.1f} points wide on average.",
    ]
    if not gain["lower"] or gain["lower"] <= 0:
        said.append("Whether it beats simply stating the average change has not been shown.")
    return said + [_increment_words(row, len(record["increment"])) for row in record["increment"]]


def _increment_words(row: Mapping[str, Any], tested: int) -> str:
    over = OVER.get(row["block"], "baseline, lifestyle and arm")
    span = f"{row['estimate']:+.3f} R², 95 % interval {row['lower']:+.3f} to {row['upper']:+.3f}"
    if row["verdict"] == "shown":
        return f"That the {row['block']} adds something beyond {over} is shown here ({span})."
    if row["lower"] > 0:
        span += f"; that interval is of this block alone, and with {tested} tested at once one-sided p {row['p_value']:.3f} is not enough"
    return f"That the {row['block']} adds anything beyond {over} is not shown here ({span}). That is not proof that it adds nothing."


def card(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the machine-readable model card that travels in the bundle."""
    kept = (
        "instrument",
        "task",
        "subjects",
        "rows",
        "arms",
        "lag",
        "metrics",
        "reference_rows",
        "increment",
        "gates",
        "noise",
        "warnings",
        "cohort",
    )
    return {
        "intended_use": INTENDED_USE,
        "claim": "prognostic",
        "words": words(record),
        **{name: record[name] for name in kept},
    }


def stating_modules(card: Mapping[str, Any], blocks: Sequence[DerivedBlock]) -> dict[str, Any]:
    """Return a card that also says that the bundle holds definitions of modules, where it does: they may not be free."""
    said = [
        f"This bundle holds the definitions (steps and gene families) of {len(block.sets)} modules, from a file of the "
        f"trainer's own ({block.digest}): look at the licence of that file before the bundle is passed on."
        for block in blocks
        if block.kind == "modules"
    ]
    return {**card, "words": [*card["words"], *said]}


def _figure(value: Any, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _interval(value: Mapping[str, Any] | None, digits: int = 3) -> str:
    if not value or value["estimate"] is None:
        return "–"
    return f"{value['estimate']:.{digits}f} [{_figure(value['lower'], digits)}, {_figure(value['upper'], digits)}]"


def _percent(value: Mapping[str, Any]) -> str:
    if value["estimate"] is None:
        return "an unknown share"
    if value["estimate"] <= 0:
        return "nothing"
    return f"{100 * value['estimate']:.0f} %"
