"""Whatever a user may name is named in the documentation."""

from pathlib import Path

import pytest

from features.importers import FORMATS
from features.importers.folder import ACCEPTABLE, NOTED, REQUIRED
from features.instruments import INSTRUMENTS
from features.lifestyle import FIELDS
from features.lifestyle_scores import SCORERS
from features.scoring import FORMS, NAMES

TEXT = " ".join((Path(__file__).resolve().parents[2] / "docs" / "cohorts.md").read_text().split())
NAMED = [
    *ACCEPTABLE, *NOTED, *INSTRUMENTS, *FIELDS, *NAMES, *SCORERS,
    *(f"{stem}.tsv" for stem in REQUIRED), *(rule for form in FORMS.values() for rule in form.prorate),
]  # fmt: skip


@pytest.mark.parametrize("name", sorted(set(NAMED)))
def test_every_name_is_documented(name):
    assert f"`{name}`" in TEXT or f"{name}`" in TEXT


@pytest.mark.parametrize("name", sorted({form.name for form in FORMATS}))
def test_every_format_is_documented(name):
    assert name in TEXT
