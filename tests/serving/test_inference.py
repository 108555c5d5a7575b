"""Two public protocols, driven by clients nobody here wrote; the numbers are those of the plain route."""

from __future__ import annotations

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

from models.bundle import Bundle

HEADS = ["id", "intervention", "weeks", "baseline.instrument", "baseline.score", "microbiome.unit"]
ROWS = 12


@pytest.fixture(scope="module")
def table(cohort, person):
    """Twelve people as columns: name -> values."""
    people = [person(i) for i in range(ROWS)]
    taxa = sorted({name for p in people for name in p["microbiome"]["taxa"]})
    columns = {
        "id": [p["id"] for p in people],
        "intervention": [p["intervention"] for p in people],
        "weeks": [8.0] * ROWS,
        "baseline.instrument": ["PHQ-9"] * ROWS,
        "baseline.score": [p["baseline"]["score"] for p in people],
        "microbiome.unit": ["counts"] * ROWS,
    }
    life = people[0]["lifestyle"]
    columns |= {f"lifestyle.{name}": [p["lifestyle"][name] for p in people] for name in life}
    return columns | {f"microbiome.taxa.{t}": [p["microbiome"]["taxa"].get(t, 0.0) for p in people] for t in taxa}


@pytest.fixture(scope="module")
def expected(cohort, bundle_folder):
    return Bundle.load(bundle_folder).predict(cohort.design("PHQ-9").take(np.arange(ROWS)))


@pytest.fixture(scope="module")
def open_server(bundle_folder, open_doors):
    return open_doors(bundle_folder)


def test_triton_s_client_finds_the_model_and_asks(server, table, expected):
    headers = {"Authorization": f"Bearer {server.key}"}
    with triton.InferenceServerClient(server.url.removeprefix("http://")) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("sim", headers=headers)
        outputs = [column["name"] for column in client.get_model_metadata("sim", headers=headers)["outputs"]]
        inputs = []
        for name, values in table.items():
            is_text = any(isinstance(value, str) for value in values)
            array = np.array(["" if v is None else v for v in values], dtype=object) if is_text else np.array(
                [np.nan if v is None else v for v in values], dtype=float)  # fmt: skip
            if not is_text and np.isnan(array).any():
                continue  # JSON has no NaN, and this client writes one: a blank column is left out below
            tensor = triton.InferInput(name, [ROWS], "BYTES" if is_text else "FP64")
            tensor.set_data_from_numpy(array, binary_data=False)
            inputs.append(tensor)
        wanted = [triton.InferRequestedOutput(name, binary_data=False) for name in outputs]
        result = client.infer("sim", inputs, outputs=wanted, headers=headers, request_id="7")
    assert result.get_response()["id"] == "7"
    assert result.as_numpy("answered").all()
    np.testing.assert_array_equal(result.as_numpy("floor"), expected.floor_change)
    assert result.as_numpy("yhat").shape == (ROWS,)


def test_a_hand_written_request_has_the_same_bits(server, table, expected):
    inputs = [
        {"name": name, "shape": [ROWS, 1], "data": [[v] for v in values],
         "datatype": "BYTES" if any(isinstance(v, str) for v in values) else "FP64"}
        for name, values in table.items()
    ]  # fmt: skip
    with server.client() as client:
        body = {"inputs": inputs, "outputs": [{"name": "yhat"}, {"name": "lo90"}, {"name": "hi90"}]}
        reply = client.post("/v2/models/sim/versions/1/infer", json=body).json()
    assert (reply["model_name"], reply["model_version"]) == ("sim", "1")
    values = {tensor["name"]: tensor["data"] for tensor in reply["outputs"]}
    np.testing.assert_array_equal(values["yhat"], expected.change)
    np.testing.assert_array_equal(values["lo90"], expected.lower)
    np.testing.assert_array_equal(values["hi90"], expected.upper)


WRONG = [
    ("/v2/models/CANARY/infer", {"inputs": []}, 404),
    ("/v2/models/sim/versions/9/infer", {"inputs": []}, 404),
    ("/v2/models/sim/infer", {"inputs": []}, 422),
    ("/v2/models/sim/infer", {"inputs": [{"name": "id", "shape": [2], "datatype": "BYTES", "data": ["CANARY"]}]}, 422),
    ("/v2/models/sim/infer", {"inputs": [{"name": "id", "shape": [1], "datatype": "CANARY", "data": ["a"]}]}, 422),
    ("/v2/models/sim/infer", {"inputs": [{"name": "CANARY", "shape": [1], "datatype": "BYTES", "data": ["a"]}]}, 422),
    ("/v2/models/sim/infer", {"inputs": [{"name": "id", "shape": [1], "datatype": "BYTES", "data": ["a"]},
                                         {"name": "weeks", "shape": [2], "datatype": "FP64", "data": [1, 2]}]}, 422),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "status"), WRONG)
def test_a_fault_has_the_shape_of_the_protocol(server, path, body, status):
    with server.client() as client:
        reply = client.post(path, json=body)
    assert reply.status_code == status
    assert list(reply.json()) == ["error"]
    assert isinstance(reply.json()["error"], str)
    assert "CANARY" not in reply.text


def test_mlflow_s_client_asks(open_server, table, expected):
    client = ScoringServerClient("127.0.0.1", int(open_server.url.rsplit(":", 1)[1]))
    client.wait_server_ready(timeout=30)
    import pandas as pd

    frame = pd.DataFrame(table).astype(object).where(lambda f: f.notna(), None)
    answers = client.invoke(frame).get_predictions()
    np.testing.assert_array_equal(answers["change"], expected.change)
    np.testing.assert_array_equal(answers["change_lower"], expected.lower)


def forms(table):
    names, rows = list(table), [list(row) for row in zip(*table.values(), strict=True)]
    records = [dict(zip(names, row, strict=True)) for row in rows]
    yield {"dataframe_split": {"columns": names, "data": rows, "index": list(range(ROWS))}}
    for form in ("dataframe_records", "instances", "inputs"):
        yield {form: records}


def test_every_form_of_a_table_has_the_same_bits(open_server, table, expected):
    for body in forms(table):
        reply = httpx.post(open_server.url + "/invocations", json=body).json()
        np.testing.assert_array_equal([row["change"] for row in reply["predictions"]], expected.change)


def test_csv_is_taken(open_server, table, expected):
    import pandas as pd

    text = pd.DataFrame(table).to_csv(index=False)
    reply = httpx.post(open_server.url + "/invocations", content=text, headers={"Content-Type": "text/csv"}).json()
    np.testing.assert_array_equal([row["change"] for row in reply["predictions"]], expected.change)


@pytest.mark.parametrize("body", [[], {}, {"instances": [], "inputs": []}, {"instances": [{"CANARY": 1}]}, {"a": 1}])
def test_a_wrong_invocation_is_refused_without_repeating_it(open_server, body):
    reply = httpx.post(open_server.url + "/invocations", json=body)
    assert reply.status_code == 422
    assert reply.json()["error"]["code"]
    assert "CANARY" not in reply.text
