"""Resource Manager's answers: complete lists or an exception, and three kinds of failure."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.arm import Arm
from adapters.clients import Clients
from engine.ports import AzureUnavailable, NotFound, PermissionMissing
from model.documents import Document, Json
from tests.adapters.stub import Answers, Asked, Said, Stub, answering

GROUPS = (
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.Automation/automationAccounts/a/hybridRunbookWorkerGroups"
)


def arm_of(stub: Stub) -> Arm:
    return Arm(Clients(stub.url, read_only=True, back_off=0))


def listing(answers: Answers) -> list[Document]:
    with answering(answers) as azure:
        return arm_of(azure).all_of(GROUPS)


def test_a_list_is_followed_to_its_end() -> None:
    """In the order of the pages, whether a link is absolute or relative; an empty page does not end it."""
    pages: dict[str, Document] = {
        "": {"value": [{"id": "/a"}], "nextLink": f"{GROUPS}?page=2"},
        "page=2": {"value": [], "nextLink": f"{GROUPS}?page=3"},
        "page=3": {"value": [{"id": "/b"}], "nextLink": None},
    }
    assert listing(lambda asked: Said(body=pages.get(asked.query, pages[""]))) == [{"id": "/a"}, {"id": "/b"}]


@pytest.mark.parametrize(
    "body",
    [
        {"value": [{"id": "/a"}], "nextLink": "http://example.invalid/next"},
        {"value": [{"id": "/a"}], "nextLink": "https://127.0.0.1/next"},
        {"value": [{"id": "/a"}], "nextLink": 7},
        {"value": [{"id": "/a"}], "nextLink": GROUPS},
        {"value": {"id": "/a"}},
        {"value": [{"id": "/a"}, "b"]},
        {"value": None},
        {},
        [],
        "text",
    ],
    ids=str,
)
def test_a_list_that_cannot_be_finished_is_no_list(body: Json) -> None:
    """A link to another server, one that repeats for ever, a page of another shape: never a shorter list."""
    with pytest.raises(AzureUnavailable, match="hybridRunbookWorkerGroups"):
        listing(lambda _: Said(body=body))


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (Said(status=404, body={"code": "NotFound", "message": "gone"}), NotFound),
        (Said(status=403, body={"error": {"code": "AuthorizationFailed", "message": "may not"}}), PermissionMissing),
        (Said(status=401), PermissionMissing),
        (Said(status=400, body={"error": {"code": "BadRequest", "message": "what"}}), AzureUnavailable),
        (Said(status=500, body=b"<html>sorry</html>", headers={"Content-Type": "text/html"}), AzureUnavailable),
        (Said(status=200, body=b"<html>proxy</html>", headers={"Content-Type": "text/html"}), AzureUnavailable),
        (Said(status=200, body=b'{"value": [{"id": "/a"'), AzureUnavailable),
        (Said(status=200, body=b""), AzureUnavailable),
        (Said(status=200, body=b"\xff\xfe\x00"), AzureUnavailable),
        (Said(status=200, body=b"[" * 100_000), AzureUnavailable),
        (Said(status=204), AzureUnavailable),
        (Said(status=202, body={}), AzureUnavailable),
    ],
    ids=lambda value: f"{value.status} {value.body!r:.30}" if isinstance(value, Said) else value.__name__,
)
def test_an_answer_is_a_document_or_one_of_three_failures(said: Said, problem: type[Exception]) -> None:
    with answering(lambda _: said) as azure, pytest.raises(problem) as caught:
        arm_of(azure).get(f"{GROUPS}/one")
    assert caught.type is problem
    assert "GET" in str(caught.value)


def test_a_failure_names_what_azure_said() -> None:
    """Automation's error bodies are flat, the others' are not."""
    bodies: list[Document] = [{"code": "C", "message": "M"}, {"error": {"code": "C", "message": "M"}}]
    for body in bodies:
        said = Said(status=403, body=body)
        with answering(partial(_always, said)) as azure, pytest.raises(PermissionMissing) as caught:
            arm_of(azure).get(f"{GROUPS}/one")
        assert "403 C: M" in str(caught.value)


def _always(said: Said, _: Asked) -> Said:
    return said


def test_how_long_azure_asks_to_wait_is_handed_on() -> None:
    said = Said(status=429, headers={"Retry-After": "600"})
    with answering(lambda _: said) as azure, pytest.raises(AzureUnavailable) as caught:
        arm_of(azure).get(f"{GROUPS}/one")
    assert caught.value.retry_after == timedelta(minutes=10)


def test_nobody_listening_is_unavailable() -> None:
    with answering(lambda _: Said()) as azure:
        arm = arm_of(azure)
    with pytest.raises(AzureUnavailable, match="GET"):
        arm.get(f"{GROUPS}/one")


def test_each_service_is_asked_in_its_own_version() -> None:
    paths = {
        GROUPS: "2024-10-23",
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/v": "2026-04-01",
        "/subscriptions/s/resourceGroups/g/providers/microsoft.hybridcompute/machines/m": "2026-07-15",
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/w": "2025-07-01",
        "/subscriptions/s/providers/Microsoft.Automation": "2025-04-01",
    }
    with answering(lambda _: Said(body={})) as azure:
        for path in paths:
            arm_of(azure).get(path)
    assert [asked.query for asked in azure.asked] == [f"api-version={version}" for version in paths.values()]


def test_a_name_with_characters_of_a_url_stays_one_name() -> None:
    """The scope of Update Management has a bar in its name; others have spaces, quotes and question marks."""
    names = ["updates|microsoftdefaultcomputergroup", "a b", "50%", "what?", "a#b", "ü", "it's"]
    workspace = "/subscriptions/s/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/w/savedSearches"
    with answering(lambda _: Said(body={})) as azure:
        for name in names:
            arm_of(azure).get(f"{workspace}/{name}")
    assert [asked.path for asked in azure.asked] == [f"{workspace}/{name}" for name in names]


@given(st.lists(st.sampled_from(["..", ".", "", "a"]), min_size=1, max_size=6))
def test_no_path_climbs(parts: list[str]) -> None:
    """An id from a document is somebody's text: it must not lead to another resource than it spells."""
    arm = Arm(Clients("http://127.0.0.1:1", read_only=True))
    path = "/subscriptions/" + "/".join(parts)
    if set(parts) == {"a"}:
        assert arm.url(path).startswith(f"http://127.0.0.1:1{path}?")
    else:
        with pytest.raises(ValueError, match="not a path"):
            arm.url(path)


def test_the_answer_of_a_write_tells_its_request_id() -> None:
    def created(asked: Asked) -> Said:
        return Said(status=201, body={"got": asked.body}, headers={"x-ms-request-id": "r-1"})

    with answering(created) as azure:
        arm = Arm(Clients(azure.url, read_only=False))
        answer = arm.send("PUT", arm.url(f"{GROUPS}/one"), {"location": "westeurope"})
    assert (answer.status, answer.request_id) == (201, "r-1")
    assert answer.document == {"got": {"location": "westeurope"}}
