"""The typed client against the running service."""

from __future__ import annotations

import pytest

from models.bundle import Bundle
from serving.client import Client, ServiceError


@pytest.fixture
def client(server):
    return Client(server.url, server.key)


def test_it_predicts_repeats_and_sends_the_outcome(client, person, cohort, bundle_folder):
    expected = Bundle.load(bundle_folder).predict(cohort.design("PHQ-9"))
    first = client.predict([person(0), person(1)], idempotency_key="visit-1")
    assert [told.change for told in first] == expected.change[:2].tolist()
    assert first[0].interval.lower == expected.lower[0]
    assert client.predict([person(0), person(1)], idempotency_key="visit-1") == first
    client.send_outcome(first[0].prediction_id, 5, steered=False)


def test_it_streams_any_number_and_tells_the_wrong_ones_in_place(client, person, cohort, bundle_folder):
    people = [person(i % 100) for i in range(1100)]
    people[5] = {"id": "x"}
    answers = list(client.predict_many(people))
    expected = Bundle.load(bundle_folder).predict(cohort.design("PHQ-9"))
    assert len(answers) == 1100
    assert (answers[5].code, answers[5].status) == ("missing_field", 422)
    assert answers[1099].change == expected.change[1099 % 100]


def test_a_refusal_is_an_error_with_its_parts(server, client, person):
    with pytest.raises(ServiceError) as caught:
        client.predict([{**person(0), "weeks": -1}])
    assert (caught.value.status, caught.value.code, caught.value.field) == (422, "out_of_range", "patients[0].weeks")
    with pytest.raises(ServiceError) as caught:
        Client(server.url, "wrong").card()
    assert caught.value.status == 401


def test_it_reads_the_card_and_asks_no_file(client):
    assert client.card()["models"][0]["instrument"] == "PHQ-9"
    with pytest.raises(ValueError, match="http"):
        Client("file:///etc/passwd")
