"""Declared lifestyle fields: ranges, codings, transforms."""

import pytest

from features.lifestyle import CONVERSIONS, FIELDS, allowed, canonical, converted, factor, fault, units_of


def test_the_fields_of_the_contract_are_declared():
    contract = (
        "age_years sex bmi fibre_g_day fermented_servings_day sleep_h exercise_min_week antibiotics_3m ssri "
        "smoking alcohol_units_week"
    )
    assert set(contract.split()) <= set(FIELDS)


def test_transforms_are_the_ones_of_the_recipe():
    assert {n: FIELDS[n].transform for n in ("fibre_g_day", "fermented_servings_day", "exercise_min_week")} == {
        "fibre_g_day": "log",
        "fermented_servings_day": "sqrt",
        "exercise_min_week": "sqrt",
    }
    assert (FIELDS["sleep_h"].transform, FIELDS["alcohol_units_week"].transform) == ("quadratic", "log1p")


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("sex", "Female", "female"),
        ("sex", " M ", "male"),
        ("antibiotics_3m", "Yes", 1.0),
        ("antibiotics_3m", 0.0, 0.0),
        ("smoking", "Past", 0.0),
        ("smoking", "current", 1.0),
        ("sex", 1.0, 1.0),
        ("age_years", 41.0, 41.0),
        ("undeclared", "Yes", "Yes"),
        ("ssri", None, None),
    ],
)
def test_codes_are_harmonised(name, value, stored):
    assert canonical(name, value) == stored


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("age_years", 150.0, "out_of_range"),
        ("age_years", 120.0, ""),
        ("fibre_g_day", -1.0, "out_of_range"),
        ("fibre_g_day", 100.0, ""),
        ("waist_cm", 32.3, "out_of_range"),
        ("bmi", "tall", "not_a_number"),
        ("sex", 2.0, "unknown_code"),
        ("ssri", "sometimes", "unknown_code"),
        ("bmi", None, ""),
        ("undeclared", "x", ""),
    ],
)
def test_faults(name, value, code):
    assert fault(name, value) == code


def test_a_remedy_names_what_is_allowed():
    assert allowed("fibre_g_day") == "a number from 0 to 100 g/day"
    assert "female" in allowed("sex")


@pytest.mark.parametrize(
    ("name", "value", "unit", "own"),
    [
        ("waist_cm", 32.0, "inch", 81.28),
        ("height_m", 174.0, "cm", 1.74),
        ("crp_mg_l", 0.35, "mg/dl", 3.5),
        ("weight_kg", 150.0, "lb", 68.0388555),
        ("energy_kcal_day", 8368.0, "kJ/day", 2000.0),
        ("sleep_h", 450.0, "min/night", 7.5),
        ("waist_cm", 82.0, "cm", 82.0),
        ("waist_cm", 82.0, "", 82.0),
    ],
)
def test_units_are_converted(name, value, unit, own):
    assert converted(name, value, unit) == pytest.approx(own, rel=1e-12)


def test_what_cannot_be_converted():
    assert factor("fibre_g_day", "spoons") is None
    assert converted("crp_mg_l", "<0.5", "mg/dl") == "<0.5"
    assert factor("undeclared", "furlong") == 1.0
    assert units_of("crp_mg_l") == ("mg/l", "mg/dl", "ug/ml")
    assert {name for name, _ in CONVERSIONS} <= set(FIELDS)
