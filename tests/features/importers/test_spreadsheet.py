"""Excel workbooks: choice of sheet, title rows, two header rows, merged cells."""

import openpyxl
import pytest

from features.errors import InvalidInput
from features.importers import read


def book(path, **sheets):
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for name, (rows, merged) in sheets.items():
        sheet = workbook.create_sheet(name)
        for row in rows:
            sheet.append(row)
        for place in merged:
            sheet.merge_cells(place)
    workbook.save(path)
    return path


PEOPLE = (
    [
        ["Table S1. People of the trial", None, None, None, None],
        [None] * 5,
        ["Subject number", "Information", None, "Levels", None],
        [None, "Group", "Sample_ID", "CRP (mg/l)", "IL-6 (pg/ml)"],
        [1, "Placebo", "S1", 3.5, 1],
        [None, None, "S2", 2.5, 2],
        [2, "Active", "S3", 1.5, None],
    ],
    ["B3:C3", "D3:E3", "A3:A4", "A5:A6", "B5:B6"],
)
COUNTS = ([[None, "S1", "S2"], ["o1", 5, 0], ["o2", 1, 7], ["o3", 0, 2]], [])
RANKS = ([[None, "Kingdom", "Phylum", "Genus"], ["o1", "Bacteria", "Bacillota", None]], [])


def test_two_header_rows_and_merged_cells(tmp_path):
    assert read(book(tmp_path / "b.xlsx", S1=PEOPLE)).facts == {
        "Subject number": ["1", "1", "2"],
        "Group": ["Placebo", "Placebo", "Active"],
        "Sample_ID": ["S1", "S2", "S3"],
        "CRP (mg/l)": ["3.5", "2.5", "1.5"],
        "IL-6 (pg/ml)": ["1", "2", ""],
    }


def test_a_sheet_is_chosen_by_name(tmp_path):
    path = book(tmp_path / "b.xlsx", Counts=COUNTS, Taxonomy=RANKS)
    counts = read(path, sheet="Counts").counts
    assert counts.sample_ids == ("S1", "S2")
    assert counts.data.tolist() == [5, 1, 7, 2]
    assert read(path, sheet="Taxonomy").lineages == {"o1": "k__Bacteria;p__Bacillota"}


@pytest.mark.parametrize("sheet", ["", "None of them"])
def test_an_open_choice_lists_the_sheets(tmp_path, sheet):
    path = book(tmp_path / "b.xlsx", Counts=COUNTS, Taxonomy=RANKS)
    with pytest.raises(InvalidInput, match="Counts, Taxonomy") as caught:
        read(path, sheet=sheet)
    assert caught.value.problems[0].code == "choose_sheet"


def test_an_empty_sheet_and_a_broken_book(tmp_path):
    with pytest.raises(InvalidInput, match="empty_file"):
        read(book(tmp_path / "b.xlsx", Sheet1=([], [])))
    (tmp_path / "c.xlsx").write_bytes(b"PK\x03\x04 not a workbook")
    with pytest.raises(InvalidInput, match="unreadable_file"):
        read(tmp_path / "c.xlsx")
