"""What the auditor sees: self-contained pages, and a comparison as lines for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, select_autoescape
from markupsafe import Markup
from rich.console import Console
from rich.table import Table

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"


def page(content: Mapping[str, Any], plots: Mapping[str, str]) -> str:
    """Return the HTML of a comparison (`Comparison.as_dict()`), its plots inlined."""
    drawn = {name: Markup(svg) for name, svg in plots.items()}  # noqa: S704 - our own drawing
    return render("comparison.html", c=content, plots=drawn)


def render(template: str, **content: Any) -> str:
    """Return a page of this room; all that is put in is escaped."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html"]),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"figure": figure, "span": span, "estimate": _estimate}
    return environment.get_template(template).render(**content)


def say(content: Mapping[str, Any], console: Console) -> None:
    """Print a comparison: verdict, what differs, and the paired tests."""
    first, second = (f"{run['run']} ({run['model']}, {run['seal']['status']})" for run in content["runs"])
    console.print(f"first:  {first}\nsecond: {second}", highlight=False)
    rows = content["rows"]
    console.print(f"rows:   {rows['both']} in both, {rows['removed']} only first, {rows['added']} only second")
    console.print(_table("What differs", ("part", "name", "first", "second"), map(_difference, content["differences"])))
    if content["tests"]:
        columns = ("measure", "first", "second", "second - first [95 %]", "p", "Holm p", "test")
        console.print(_table(f"Paired tests, {content['people']} people", columns, map(_test, content["tests"])))
    console.print(f"The second run against the first: [bold]{content['verdict']}[/bold]", highlight=False)
    for reason in content["reasons"]:
        console.print(f"  {reason}", highlight=False, markup=False)


def figure(value: float | None) -> str:
    """Return a number with three significant digits, at least two decimals where it is small."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def span(paired: Mapping[str, Any]) -> str:
    """Return a difference with its interval."""
    if paired["difference"] is None:
        return f"– ({paired['note']})" if paired.get("note") else "–"
    return f"{paired['difference']:+.3g} [{paired['lower']:+.3g}, {paired['upper']:+.3g}]"


def _estimate(found: Mapping[str, Any]) -> str:
    if found["estimate"] is None:
        return "–"
    return f"{figure(found['estimate'])} [{figure(found['lower'])}, {figure(found['upper'])}]"


def _difference(item: Mapping[str, Any]) -> tuple[str, ...]:
    own = ("not stated" if item[name] is None else str(item[name]) for name in ("first", "second"))
    return (item["part"], item["name"], *(value if len(value) <= 60 else value[:57] + "..." for value in own))


def _test(item: Mapping[str, Any]) -> tuple[str, ...]:
    paired = item["paired"]
    values = figure(item["first"]), figure(item["second"]), span(paired), figure(paired["p"]), figure(item["adjusted"])
    return (item["measure"], *values, paired["test"])


def _table(title: str, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    table = Table(title=title, title_justify="left", show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table
