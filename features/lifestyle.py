"""Declared lifestyle fields: names, units, plausible ranges and codings.

A column of `lifestyle.tsv` that bears one of these names is checked against its row of FIELDS and enters a
model through the stated transform. Any other column stays a covariate whose type is learned at fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_YES_NO: Mapping[str, float | str] = {"0": 0.0, "1": 1.0, "no": 0.0, "yes": 1.0, "false": 0.0, "true": 1.0}
_SEX: Mapping[str, float | str] = {
    "female": "female",
    "f": "female",
    "male": "male",
    "m": "male",
    "other": "other",
    "intersex": "other",
}
# Whether somebody smokes now: published tables rarely tell never from former.
_SMOKING: Mapping[str, float | str] = {**_YES_NO, "current": 1.0, "never": 0.0, "former": 0.0, "past": 0.0}
DOSE_GUARD = "plausibility guard of intervention doses (project rule)"
PHYSICAL = "physically possible in people (project rule)"


@dataclass(frozen=True)
class LifestyleField:
    """One declared field: a number in `unit` within [low, high], or a category given by `coding`.

    `coding` maps accepted lower-case text to the stored value. `transform` names how a model sees a number:
    identity, log, log1p, sqrt, or quadratic (the value and its square around the training mean). `source`
    says why the range.
    """

    name: str
    unit: str
    low: float = 0.0
    high: float = 1.0
    transform: str = "identity"
    coding: Mapping[str, float | str] = field(default_factory=dict)
    source: str = PHYSICAL


_TABLE = (
    LifestyleField("age_years", "years", 0, 120),
    LifestyleField("sex", "category", coding=_SEX),
    LifestyleField("bmi", "kg/m2", 10, 90),
    LifestyleField("height_m", "m", 0.5, 2.5),
    LifestyleField("weight_kg", "kg", 3, 400),
    LifestyleField("waist_cm", "cm", 48, 250),
    LifestyleField("energy_kcal_day", "kcal/day", 300, 10_000),
    LifestyleField("fibre_g_day", "g/day", 0, 100, "log", source=DOSE_GUARD),
    LifestyleField("fibre_g_1000kcal", "g/1000 kcal", 0, 100, "log", source=DOSE_GUARD),
    LifestyleField("fermented_servings_day", "servings/day", 0, 15, "sqrt", source=DOSE_GUARD),
    LifestyleField("medas", "points", 0, 14, source="MEDAS has 14 items of one point each"),
    LifestyleField("alcohol_units_week", "units/week", 0, 300, "log1p"),
    LifestyleField("smoking", "smokes now, yes/no", coding=_SMOKING),
    LifestyleField("exercise_min_week", "min/week", 0, 5040, "sqrt"),
    LifestyleField("exercise_met_min_week", "MET-min/week", 0, 40_320, "sqrt"),
    LifestyleField("sleep_h", "h/night", 0, 24, "quadratic"),
    LifestyleField("stool_form", "Bristol type", 1, 7, source="Bristol stool form scale has types 1 to 7"),
    LifestyleField("antibiotics_3m", "yes/no", coding=_YES_NO),
    LifestyleField("ssri", "yes/no", coding=_YES_NO),
    LifestyleField("ppi", "yes/no", coding=_YES_NO),
    LifestyleField("metformin", "yes/no", coding=_YES_NO),
    LifestyleField("laxatives", "yes/no", coding=_YES_NO),
    LifestyleField("crp_mg_l", "mg/l", 0, 600, "log1p"),
    LifestyleField("il6_pg_ml", "pg/ml", 0, 10_000, "log1p"),
)
FIELDS: Mapping[str, LifestyleField] = {entry.name: entry for entry in _TABLE}
# (field, unit that a table may declare) -> factor to the field's own unit.
CONVERSIONS: Mapping[tuple[str, str], float] = {
    ("height_m", "cm"): 0.01,
    ("weight_kg", "lb"): 0.45359237,
    ("waist_cm", "inch"): 2.54,
    ("energy_kcal_day", "kJ/day"): 1.0 / 4.184,
    ("exercise_min_week", "h/week"): 60.0,
    ("sleep_h", "min/night"): 1.0 / 60.0,
    ("crp_mg_l", "mg/dl"): 10.0,
    ("crp_mg_l", "ug/ml"): 1.0,
    ("il6_pg_ml", "ng/l"): 1.0,
}


def factor(name: str, unit: str) -> float | None:
    """Return what a number in a declared unit is multiplied by, None where the field cannot be in that
    unit.
    """
    declared = FIELDS.get(name)
    if declared is None or unit in ("", declared.unit):
        return 1.0
    return CONVERSIONS.get((name, unit))


def converted(name: str, value: float | str | None, unit: str) -> float | str | None:
    """Return a cell in its field's own unit; words and cells of an unknown unit are left as they are."""
    times = factor(name, unit)
    return value * times if isinstance(value, float) and times not in (None, 1.0) else value


def units_of(name: str) -> tuple[str, ...]:
    """Return the units in which a declared field may be given, its own first."""
    return (FIELDS[name].unit, *(unit for field_name, unit in CONVERSIONS if field_name == name))


def canonical(name: str, value: float | str | None) -> float | str | None:
    """Return a cell as a model sees it: a declared category or yes/no by its code, all else unchanged.

    A value that the field's coding does not know is returned as it is; `fault` says so.
    """
    declared = FIELDS.get(name)
    if declared is None or value is None or not declared.coding:
        return value
    return declared.coding.get(_code_text(value), value)


def fault(name: str, value: float | str | None) -> str:
    """Return what is wrong with a value: '' (nothing), `not_a_number`, `out_of_range` or `unknown_code`."""
    declared = FIELDS.get(name)
    if declared is None or value is None:
        return ""
    if declared.coding:
        return "" if _code_text(value) in declared.coding else "unknown_code"
    if isinstance(value, str):
        return "not_a_number"
    return "" if declared.low <= value <= declared.high else "out_of_range"


def allowed(name: str) -> str:
    """Return in words what a declared field may hold, for a remedy."""
    declared = FIELDS[name]
    if declared.coding:
        return "one of " + ", ".join(declared.coding)
    return f"a number from {declared.low:g} to {declared.high:g} {declared.unit}"


def _code_text(value: float | str) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).strip().lower()
