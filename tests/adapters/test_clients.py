"""What may leave the process, as whom, and how often."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from azure.core.rest import HttpRequest
from hypothesis import given
from hypothesis import strategies as st

from adapters.clients import CLOUDS, Clients, cloud_of
from adapters.policies import is_read
from engine.correlation import correlated, correlation_id
from engine.ports import WriteForbidden
from tests.adapters.stub import Said, answering

ROOT = Path(__file__).parents[2]
MACHINE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "POST", "OPTIONS"])
@pytest.mark.parametrize(
    "path",
    [
        MACHINE,
        f"{MACHINE}/runCommand",
        f"{MACHINE}/resources",
        "/subscriptions/s/providers/Microsoft.Automation/register",
        "/subscriptions/s/providers/Microsoft.ResourceGraph/resources",
        "/x/$batch",
        "/v1/workspaces/w/query/../delete",
    ],
)
def test_clients_that_only_read_send_nothing_that_could_change_anything(method: str, path: str) -> None:
    """It is refused before anything is sent, and it is not counted as sent."""
    with answering(lambda _: Said(body={})) as azure:
        clients = Clients(azure.url, read_only=True)
        with pytest.raises(WriteForbidden, match=method):
            clients.send(HttpRequest(method, azure.url + path, json={}))
        assert azure.asked == []
        assert clients.requests.write == clients.requests.read == 0


@pytest.mark.parametrize(
    "path", ["/providers/Microsoft.ResourceGraph/resources", "/v1/$batch", "/v1/workspaces/w/query"]
)
def test_a_query_may_be_a_post(path: str) -> None:
    with answering(lambda _: Said(body={})) as azure:
        clients = Clients(azure.url, read_only=True)
        clients.send(HttpRequest("POST", azure.url + path, json={"query": "Heartbeat"}))
        assert [asked.method for asked in azure.asked] == ["POST"]
        assert clients.requests.read == 1


@given(st.sampled_from(["PUT", "PATCH", "DELETE", "post", "get", "TRACE", ""]), st.text(max_size=60))
def test_only_get_head_and_known_posts_are_reads(method: str, path: str) -> None:
    """Whatever the address: methods are compared as they go over the wire."""
    assert not is_read(method, f"http://127.0.0.1/{path}")


@given(st.text("abc/$.", min_size=1, max_size=20))
def test_a_post_below_a_query_endpoint_is_a_write(more: str) -> None:
    assert not is_read("POST", f"http://127.0.0.1/v1/$batch{more}")


def test_the_simulated_azure_is_sent_no_token() -> None:
    with answering(lambda _: Said(body={})) as azure:
        clients = Clients(azure.url, read_only=True)
        clients.send(HttpRequest("GET", f"{azure.url}{MACHINE}"))
        clients.send_query(HttpRequest("POST", "/$batch", json={"requests": []}), read_seconds=5)
        assert [asked.path for asked in azure.asked] == [MACHINE, "/v1/$batch"]
        assert not any("authorization" in asked.headers for asked in azure.asked)


def test_a_read_that_azure_throttles_is_repeated_and_each_time_counted() -> None:
    answers = [Said(status=429, headers={"Retry-After": "0"}), Said(status=503), Said(body={"ok": True})]
    with answering(lambda _: answers.pop(0)) as azure:
        clients = Clients(azure.url, read_only=True, back_off=0)
        assert clients.send(HttpRequest("GET", f"{azure.url}{MACHINE}")).json() == {"ok": True}
        assert clients.requests.read == 3


def test_a_long_retry_after_is_not_slept_through() -> None:
    """The caller learns of it instead: a sweep must not hang for an hour on one request."""
    with answering(lambda _: Said(status=429, headers={"Retry-After": "3600"})) as azure:
        started = time.monotonic()
        answer = Clients(azure.url, read_only=True).send(HttpRequest("GET", f"{azure.url}{MACHINE}"))
        assert answer.status_code == 429
        assert len(azure.asked) == 1
        assert time.monotonic() - started < 5


@pytest.mark.parametrize("status", [429, 500, 503, 504])
def test_a_write_is_sent_once(status: int) -> None:
    """Its answer may be lost after it happened: who repeats it has to read again first."""
    with answering(lambda _: Said(status=status, headers={"Retry-After": "0"})) as azure:
        clients = Clients(azure.url, read_only=False, back_off=0)
        clients.send(HttpRequest("PUT", f"{azure.url}{MACHINE}", json={}))
        assert len(azure.asked) == 1
        assert clients.requests.write == 1


def test_a_missing_registration_is_not_mended_behind_our_back() -> None:
    """The SDK's default pipeline registers a resource provider when Azure says that it is missing; ours does not."""
    missing = {
        "error": {"code": "MissingSubscriptionRegistration", "message": "not registered to use 'Microsoft.Compute'"}
    }
    with answering(lambda _: Said(status=409, body=missing)) as azure:
        Clients(azure.url, read_only=False).send(HttpRequest("PUT", f"{azure.url}{MACHINE}", json={}))
        assert [(asked.method, asked.path) for asked in azure.asked] == [("PUT", MACHINE)]


def test_a_redirect_is_not_followed() -> None:
    """A token must not go where an answer points."""
    with answering(lambda _: Said(status=307, headers={"Location": "/elsewhere"})) as azure:
        assert Clients(azure.url, read_only=True).send(HttpRequest("GET", f"{azure.url}{MACHINE}")).status_code == 307
        assert len(azure.asked) == 1


def test_each_cloud_has_endpoints_and_tokens_of_its_own() -> None:
    assert set(CLOUDS) == {"public", "usgovernment", "china"}
    for cloud in CLOUDS.values():
        assert cloud.manager.startswith("https://")
        assert cloud.logs.startswith("https://")
        assert cloud.authority
    for name in ("manager", "manager_scope", "logs", "authority"):
        assert len({getattr(cloud, name) for cloud in CLOUDS.values()}) == len(CLOUDS)
    assert cloud_of("http://127.0.0.1:4711").authority == ""


def test_importing_the_adapters_loads_no_sdk() -> None:
    """The function app imports them at its start, and most starts never call Azure."""
    code = (
        "import sys, adapters.estate, adapters.writer, adapters.export, adapters.clock;"
        "print(sorted(m for m in sys.modules if m == 'requests' or m.startswith('azure')))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


def test_a_request_bears_the_correlation_id_of_the_run_that_it_is_sent_for() -> None:
    """A GUID that is the same for the whole run, so that Azure's activity log leads back to it; none outside of one."""
    with answering(lambda _: Said(body={})) as azure:
        clients = Clients(azure.url, read_only=False)
        clients.send(HttpRequest("PUT", azure.url + MACHINE, json={}))
        with correlated("20260310T060000-5ba1c0de"):
            clients.send(HttpRequest("PUT", azure.url + MACHINE, json={}))

    outside, inside = (asked.headers.get("x-ms-correlation-request-id") for asked in azure.asked)
    assert (outside, inside) == (None, correlation_id("20260310T060000-5ba1c0de"))
    assert str(uuid.UUID(inside)) == inside
    assert len({asked.headers["x-ms-client-request-id"] for asked in azure.asked}) == 2
