"""A laboratory's file over HTTP: the importers of cohort folders read it, and no cell of it comes back in a fault."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from serving.access import OPEN_DOOR, Access
from serving.budget import Budget
from serving.desk import Desk
from serving.faults import RequestError
from serving.lab_file import post_lab_file
from serving.settings import Settings
from serving.switch import Switch
from serving.wire import Call

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def send(bundles):
    desk = Desk(Settings(row_limit=3), bundles, Access([]), Budget(0, 0), Switch(None))

    def act(text, media="text/tab-separated-values"):
        body = text if isinstance(text, bytes) else text.encode()
        call = Call(body, {b"content-type": media.encode()}, {}, b"", OPEN_DOOR)
        return msgspec.json.decode(post_lab_file(desk, call).body)

    return act


METAPHLAN = """#mpa_vJan21_CHOCOPhlAnSGB_202103
clade_name\tp1_profile\tp2_profile
k__Bacteria\t100\t100
k__Bacteria|p__Firmicutes\t100\t100
k__Bacteria|p__Firmicutes|g__Blautia\t100\t100
k__Bacteria|p__Firmicutes|g__Blautia|s__Blautia_obeum\t40.0\t75.0
k__Bacteria|p__Firmicutes|g__Blautia|s__Blautia_wexlerae\t60.0\t25.0
"""
KRAKEN = (
    "50.00\t2\t2\tU\t0\tunclassified\n 50.00\t2\t0\tR\t1\troot\n 50.00\t2\t0\tG\t572511\t  Blautia\n"
    " 25.00\t2\t2\tS\t40520\t    Blautia obeum\n"
)
BIOM = (
    "# Constructed from biom file\n#OTU ID\tp1\tp2\ttaxonomy\no1\t3\t0\tk__Bacteria; g__Blautia\n"
    "o2\t4\t5\tk__Bacteria; g__Blautia\n"
)
MOTHUR = "label\tGroup\tnumOtus\tOtu1\tOtu2\n0.03\tp1\t2\t7\t0\n0.03\tp2\t2\t1\t2\n"


@pytest.mark.parametrize(
    ("text", "unit", "samples"),
    [
        ("taxon\tcount\ng__Blautia\t300\ng__Roseburia\t0\n", "counts", {"count": {"g__Blautia": 300}}),
        ("g__Blautia\t300\ng__Roseburia\t1\n", "counts", {"amount": {"g__Blautia": 300, "g__Roseburia": 1}}),
        ("g__Blautia;0,25\r\ng__Roseburia;0,75\r\n", "proportion", {"amount": {"g__Blautia": 0.25, "g__Roseburia": 0.75}}),
        ("taxon,1,2\ng__A,5,0\n", "counts", {"1": {"g__A": 5}, "2": {}}),
        ("sample,g__A,g__B\nx,1,2\ny,3,0\n", "counts", {"x": {"g__A": 1, "g__B": 2}, "y": {"g__A": 3}}),
        (BIOM, "counts", {"p1": {"k__Bacteria;g__Blautia": 7}, "p2": {"k__Bacteria;g__Blautia": 5}}),
        (MOTHUR, "counts", {"p1": {"Otu1": 7}, "p2": {"Otu1": 1, "Otu2": 2}}),
    ],
)  # fmt: skip
def test_each_kind_of_file_by_hand(send, text, unit, samples):
    told = send(text)
    assert told["unit"] == unit
    assert {one["id"]: one["taxa"] for one in told["samples"]} == samples
    assert send(msgspec.json.encode({"text": text}), "application/json") == told


def test_only_the_species_of_a_profile_are_taken(send):
    told = send(METAPHLAN)
    assert (told["format"], told["unit"]) == ("MetaPhlAn", "percent")
    assert [one["id"] for one in told["samples"]] == ["p1", "p2"]
    assert [sorted(one["taxa"].values()) for one in told["samples"]] == [[40, 60], [25, 75]]
    assert all("s__Blautia" in name for one in told["samples"] for name in one["taxa"])


def test_a_report_of_one_sample_keeps_reads_with_their_node(send):
    (one,) = send(KRAKEN)["samples"]
    assert one["taxa"] == {"UNCLASSIFIED": 2, "g__Blautia;s__Blautia obeum": 2}


@pytest.mark.parametrize(
    ("text", "status", "code", "field"),
    [
        ("taxon\tx\ng__A\t1\ng__B\tCANARY\n", 422, "not_a_number", "line 3"),
        ("taxon\tx\ty\ng__A\t1\t2\ng__B\tCANARY\n", 422, "row_length", "line 3"),
        ("taxon\tCANARY\ng__A\t-1\n", 422, "negative_count", ""),
        ("CANARY", 422, "unknown_format", ""),
        (b"\x89HDF\r\n", 422, "not_read_here", ""),
        (b'{"id": "CANARY"}', 422, "not_read_here", ""),
        ("Feature ID\tTaxon\nCANARY\tk__Bacteria\n", 422, "no_abundances", ""),
        ("sample,g__A,g__B\nw,1,1\nx,1,2\ny,3,0\nz,1,1\n", 413, "too_many_rows", ""),
        (b"", 422, "empty_file", ""),
        (b"taxon\tx\n" + b"CANARY\t1\n" * 300_000, 413, "too_many_rows", ""),
        (b"CANARY," * 300_000, 413, "too_many_rows", ""),
    ],
)
def test_a_bad_file_is_refused_without_a_cell_of_it(send, text, status, code, field):
    with pytest.raises(RequestError) as caught:
        send(text)
    fault = caught.value
    assert (fault.status, fault.code, fault.field) == (status, code, field)
    assert "CANARY" not in str(fault)


def test_it_needs_numpy_alone():
    code = "import serving.lab_file, features.importers.amplicon, features.importers.profiles, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {name.split(".")[0] for name in done.stdout.split()} & {"pandas", "scipy", "biom", "h5py", "pyarrow"}


def test_the_running_service_reads_a_file(server):
    with server.client() as client:
        told = client.post("/lab-file", content=MOTHUR, headers={"Content-Type": "text/tab-separated-values"}).json()
        assert [one["id"] for one in told["samples"]] == ["p1", "p2"]
        refused = client.post("/lab-file", content=b"\x80\x04.", headers={"Content-Type": "application/octet-stream"})
        assert refused.status_code == 415
