"""`cohort.toml`: the header of a cohort folder, read with every problem and written back."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from features.cohort import UNITS, CohortInfo, ColumnInfo
from features.errors import Problem
from features.lifestyle import factor, units_of

FILE = "cohort.toml"
TIME_UNITS = ("none", "minute", "hour", "day", "week", "month", "year")
ROLES = ("baseline", "post_baseline", "id", "ignore")
_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "title": str,
    "citation": str,
    "source": str,
    "licence": str,
    "accrual": str,
    "eligibility": str,
    "geography": str,
    "registration": str,
    "funding": str,
    "conflicts": str,
    "contact": str,
    "sample_size": str,
    "randomised": bool,
    "comparator": str,
    "abundance_unit": str,
    "taxonomy_database": str,
    "time_unit": str,
    "outcome_time_unit": str,
    "not_participants": list,
    "sequencing": dict,
    "columns": dict,
}
_COLUMN_KINDS: Mapping[str, type | tuple[type, ...]] = {"measured_at": (int, float), "unit": str, "role": str}
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "abundance_unit": UNITS,
    "time_unit": TIME_UNITS,
    "outcome_time_unit": (*TIME_UNITS, "code"),
    "role": ROLES,
}
#: What is only passed on: it stands in the record of a run, where guidelines ask for it.
_EXTRA = (
    *("citation", "source", "licence", "accrual", "eligibility", "geography", "registration", "funding", "conflicts"),
    *("contact", "sample_size", "sequencing"),
)


def read_header(folder: Path, problems: list[Problem]) -> CohortInfo:
    """Read `cohort.toml`; a folder without one gets the defaults. Keys that are wrong are left out."""
    path = folder / FILE
    if not path.is_file():
        return CohortInfo()
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError):
        problems.append(Problem("unreadable_file", "the file is not valid TOML", "Correct it, or remove it", FILE))
        return CohortInfo()
    values = _checked(raw, _KINDS, "", problems)
    if "sequencing" in values:
        plain: dict[str, type | tuple[type, ...]] = dict.fromkeys(values["sequencing"], (str, int, float))
        values["sequencing"] = _checked(values["sequencing"], plain, "sequencing.", problems)
    columns = {
        name: ColumnInfo(**_checked(entry, _COLUMN_KINDS, f"columns.{name}.", problems))
        for name, entry in values.pop("columns", {}).items()
        if isinstance(entry, dict)
    }
    problems += _unit_problems(columns)
    extra = {key: values.pop(key) for key in _EXTRA if key in values}
    values["not_participants"] = tuple(str(arm) for arm in values.pop("not_participants", ()))
    return CohortInfo(**values, columns=columns, extra=extra)


def _checked(
    raw: Mapping[str, Any],
    kinds: Mapping[str, type | tuple[type, ...]],
    place: str,
    problems: list[Problem],
) -> dict[str, Any]:
    good: dict[str, Any] = {}
    for key, value in raw.items():
        at = place + key
        if key not in kinds:
            known = ", ".join(kinds)
            problems.append(Problem("unknown_key", "the key is not known", f"Use one of: {known}", FILE, None, at))
        elif not isinstance(value, kinds[key]) or (isinstance(value, bool) and kinds[key] is not bool):
            problems.append(Problem("wrong_type", "the value has the wrong type", "See the contract", FILE, None, at))
        elif key in _CHOICES and value not in _CHOICES[key]:
            choices = ", ".join(_CHOICES[key])
            problems.append(
                Problem("unknown_value", "the value is not known", f"Use one of: {choices}", FILE, None, at)
            )
        else:
            good[key] = value
    return good


def _unit_problems(columns: Mapping[str, ColumnInfo]) -> Iterator[Problem]:
    for name, info in columns.items():
        if factor(name, info.unit) is None:
            message = "the declared field cannot be read in this unit"
            remedy = f"Use one of: {', '.join(units_of(name))}; or give the column a name of its own"
            yield Problem("unknown_unit", message, remedy, FILE, None, f"columns.{name}.unit")


def header_text(info: CohortInfo) -> str:
    """Return the `cohort.toml` of a header; reading it gives the same header."""
    extra = dict(info.extra)
    sequencing = extra.pop("sequencing", {})
    values = {**extra, **{key: getattr(info, key) for key in _KINDS if hasattr(info, key)}}
    values.pop("columns")
    lines = [f"{key} = {_toml(value)}" for key, value in values.items() if value not in ("", ())]
    tables = {"sequencing": sequencing} if sequencing else {}
    tables |= {f"columns.{json.dumps(name)}": vars(column) for name, column in info.columns.items()}
    for name, table in tables.items():
        lines += ["", f"[{name}]"]
        lines += [f"{_key(key)} = {_toml(value)}" for key, value in table.items() if value not in (None, "")]
    return "\n".join(lines) + "\n"


def _key(text: str) -> str:
    return text if text.isidentifier() and text.isascii() else json.dumps(text, ensure_ascii=False)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    return repr(value) if isinstance(value, (int, float)) else json.dumps(str(value)).replace("\x7f", "\\u007f")
