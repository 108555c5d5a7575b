"""FORMATS as a whole: any bytes at all are read or refused in words, never with a traceback or a hang."""

import gzip
import json
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.errors import InvalidInput
from features.importers import FORMATS, read

BIOM = {
    "rows": [{"id": "o", "metadata": None}], "columns": [{"id": "s", "metadata": None}], "data": [[0, 0, 1]],
    "shape": [1, 1], "matrix_type": "sparse", "matrix_element_type": "int", "type": "OTU table",
    "format": "Biological Observation Matrix 1.0.0", "id": None, "generated_by": "test", "date": "2020-01-01",
}  # fmt: skip
PIECES = st.binary(max_size=4) | st.sampled_from([b"\t", b"\n", b'"', b"\r", b";", b"nan", b"1e999", b"-"])
SEEDS = {
    "metaphlan.txt": b"#mpa_v\nclade_name\tA_p\tB_p\nk__Bacteria\t90\t100\nk__Bacteria|s__X_y\t90\t100\n",
    "kraken.txt": b" 10.0\t10\t10\tU\t0\tunclassified\n 90.0\t90\t2\tR\t1\troot\n 88.0\t88\t3\tG\t2\t  Blautia\n",
    "bracken.txt": b"name\ttaxonomy_id\ttaxonomy_lvl\tA_num\tA_frac\nBlautia obeum\t40520\tS\t80\t0.8\n",
    "ko.tsv": b"function\tA\tB\nK00001\t1.5\t0\nko:K00002\t0\t2\n",
    "mothur.shared": b"label\tGroup\tnumOtus\to1\to2\n0.03\tS1\t2\t5\t1\n0.03\tS2\t2\t0\t7\n",
    "otu.tsv": b"# Constructed from biom file\n#OTU ID\tS1\tS2\ttaxonomy\no1\t5.0\t0.0\tBacteria; __Bacillota\n",
    "map.txt": b"#SampleID\tSubjectID\tWeek\nS1\tP1\t0\n",
    "taxa.csv": b'"","Kingdom","Phylum","Family","Genus"\n"o1","Bacteria","Bacillota",NA,NA\n',
    "table.csv": b"sample;o1;o2\nS1;5,0;1,0\nS2;0,0;7,0\n",
    "t.biom": json.dumps(BIOM).encode(),
    "t.qza": b"PK\x03\x04" + b"\0" * 60,
    "t.xlsx": b"PK\x03\x04" + b"\0" * 60,
    "t.rds": b"A\n3\n262660\n197888\n5\nUTF-8\n13\n2\n1\n2\n",
}  # fmt: skip


def attempt(folder: Path, name: str, data: bytes) -> None:
    """Anything but a reading or a refusal is a failure of the test."""
    path = folder / name
    path.write_bytes(data)
    with suppress(InvalidInput):
        read(path)


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: f"{form.name}-{form.function}")
def test_every_reader_is_there(form):
    assert callable(getattr(import_module(f"features.importers.{form.module}"), form.function))


@settings(max_examples=60, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(sorted(SEEDS)), data=st.binary(max_size=400))
def test_any_bytes(tmp_path, name, data):
    attempt(tmp_path, name, data)


@settings(max_examples=400, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from(sorted(SEEDS)), packed=st.booleans())
def test_good_files_with_bytes_changed_cut_or_put_in(tmp_path, data, name, packed):
    bad = bytearray(SEEDS[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(bad)))
        cut = data.draw(st.integers(0, 8))
        bad[at : at + cut] = data.draw(PIECES)
    attempt(tmp_path, name, gzip.compress(bytes(bad)) if packed else bytes(bad))
