"""Faults that tests order: requests that fail, hang or lose their answer."""

from __future__ import annotations

import time
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ServiceResponseError

from model.documents import Document
from tests.simulator.azure import Azure, azure
from tests.simulator.small_estate import ACCOUNT, RG, SmallEstate, deployment_body

GET_ACCOUNT = f"{ACCOUNT}?api-version=2024-10-23"


def statuses(az: Azure, count: int) -> list[int]:
    return [az.http("GET", GET_ACCOUNT).status for _ in range(count)]


def test_a_throttled_request_says_when_to_come_back() -> None:
    with azure(SmallEstate()) as az:
        az.simulator.order({"kind": "throttled", "retryAfter": 7, "times": 1})
        reply = az.http("GET", GET_ACCOUNT)
        assert (reply.status, reply.headers["retry-after"]) == (429, "7")
        assert statuses(az, 1) == [200]


def test_only_the_requests_meant_are_hit() -> None:
    with azure(SmallEstate().vm("web-01")) as az:
        az.simulator.order(
            {"kind": "error", "status": 503, "method": "put", "path": "/softwareUpdateConfigurations/weekly", "nth": 2}
        )
        az.put_deployment("Weekly", deployment_body("web-01"))
        with pytest.raises(HttpResponseError) as failed:
            az.put_deployment("Weekly", deployment_body("web-01"))
        assert failed.value.status_code == 503
        az.put_deployment("Weekly", deployment_body("web-01"))
        assert statuses(az, 1) == [200]


def test_a_rate_strikes_the_same_requests_in_every_run() -> None:
    seen = []
    for _ in range(2):
        with azure(SmallEstate()) as az:
            az.simulator.order({"kind": "error", "status": 500, "rate": 0.3, "seed": 5})
            seen.append(statuses(az, 40))
    assert seen[0] == seen[1]
    assert 4 <= seen[0].count(500) <= 20


@pytest.mark.parametrize("kind", ["reset", "hang"])
def test_a_connection_can_be_cut(kind: str) -> None:
    with azure(SmallEstate()) as az:
        az.simulator.order({"kind": kind, "seconds": 0.1, "times": 1})
        with pytest.raises(ServiceResponseError):
            az.sdk.automation.automation_account.get(RG, "aa")
        assert statuses(az, 1) == [200]


def test_a_write_can_happen_although_its_answer_is_lost() -> None:
    with azure(SmallEstate().vm("web-01")) as az:
        az.simulator.order({"kind": "reset", "method": "PUT", "after": True, "times": 1})
        with pytest.raises(ServiceResponseError):
            az.put_deployment("Weekly", deployment_body("web-01"))
        assert az.deployment("Weekly").name == "Weekly"


def test_a_write_that_is_refused_did_not_happen() -> None:
    with azure(SmallEstate().vm("web-01")) as az:
        az.simulator.order({"kind": "error", "method": "PUT"})
        with pytest.raises(HttpResponseError):
            az.put_deployment("Weekly", deployment_body("web-01"))
        az.simulator.clear_faults()
        with pytest.raises(HttpResponseError):
            az.deployment("Weekly")


def test_a_gateway_times_out_late() -> None:
    with azure(SmallEstate()) as az:
        az.simulator.order({"kind": "timeout", "seconds": 0.2})
        began = time.monotonic()
        assert statuses(az, 1) == [504]
        assert time.monotonic() - began >= 0.2


def test_the_server_stops_although_a_request_hangs() -> None:
    began = time.monotonic()
    with azure(SmallEstate()) as az:
        az.simulator.order({"kind": "hang", "seconds": 0.5})
        with pytest.raises(ServiceResponseError):
            az.sdk.automation.automation_account.get(RG, "aa", read_timeout=0.1)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("order", "named"),
    [
        ({"kind": "plague"}, "kind"),
        ({}, "kind"),
        ({"kind": "error", "pathh": "x"}, "pathh"),
        ({"kind": "error", "path": "("}, "path"),
        ({"kind": "error", "status": "500"}, "status"),
        ({"kind": "error", "nth": [0]}, "nth"),
        ({"kind": "error", "rate": True}, "rate"),
        ({"faults": ["error"]}, "JSON object"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_by_name(order: Document, named: str) -> None:
    with azure(SmallEstate()) as az:
        reply = az.http("POST", "/_simulator/faults", order)
        assert reply.status == 400
        assert named in reply.body["error"]["message"]
        assert az.http("GET", "/_simulator/faults").body == []


def test_orders_are_listed_with_how_often_they_struck() -> None:
    with azure(SmallEstate()) as az:
        az.simulator.order({"kind": "error", "nth": [1, 3]})
        statuses(az, 4)
        listed: Any = az.http("GET", "/_simulator/faults").body
        assert listed == [{"kind": "error", "matched": 4, "struck": 2}]
