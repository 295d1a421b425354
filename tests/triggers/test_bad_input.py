"""What comes from outside and is wrong: each gets a status, a problem and the place, and starts nothing."""

from __future__ import annotations

import json
import time
from typing import Final
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.documents import Json, text_at
from model.states import FailureState
from tests.triggers.app import JSON, App, objects

GROUP: Final = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/rg"
VM: Final = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/"
POSTS: Final = ("/sweeps", "/alerts", "/runs/20200101T000000-00000000/apply")


@pytest.mark.parametrize("path", POSTS[:2])
@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b'{"a": 1,}',
        b"{'a': 1}",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'"text"',
        b"[]",
        b"null",
        b"7",
        b"\xff\xfe",
        b'{"a": "\xc3"}',
        b'{"dry_run": true, "dry_run": false}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
        b"\x00",
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_no_json_object_is_refused(shared: App, path: str, body: bytes) -> None:
    answer = shared.send("POST", path, body, JSON)

    assert (answer.status, answer.field) == (400, "body")


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "json", ""])
def test_another_content_type_is_refused(shared: App, path: str, kind: str) -> None:
    answer = shared.send("POST", path, b"{}", {"Content-Type": kind})

    assert (answer.status, answer.field) == (415, "Content-Type")


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON", "application/x+json"])
def test_json_by_other_names_is_taken(shared: App, kind: str) -> None:
    assert shared.send("POST", "/sweeps", b'{"machines": []}', {"Content-Type": kind}).status == 202


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("size", [1024 * 1024 + 1, 10 * 1024 * 1024])
def test_a_large_body_is_refused_at_once(shared: App, path: str, size: int) -> None:
    """Without parsing it: ten megabytes take no longer than one."""
    body = b'{"machines": ["' + b"x" * (size - 17) + b'"]}'
    began = time.monotonic()

    answer = shared.send("POST", path, body, JSON)

    assert answer.status == 413
    assert time.monotonic() - began < 5


def test_an_alert_needs_a_body(shared: App) -> None:
    answer = shared.send("POST", "/alerts")

    assert (answer.status, answer.field) == (400, "body")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"dryrun": False}, "dryrun"),
        ({"apply": True}, "apply"),
        ({"": 1}, ""),
        ({"dry_run": "false"}, "dry_run"),
        ({"dry_run": 0}, "dry_run"),
        ({"dry_run": None}, "dry_run"),
        ({"dry_run": []}, "dry_run"),
        ({"states": "cloned-machine"}, "states"),
        ({"states": None}, "states"),
        ({"states": {}}, "states"),
        ({"states": ["no-such-state"]}, "states[0]"),
        ({"states": ["cloned-machine", 7]}, "states[1]"),
        ({"states": ["Cloned-Machine"]}, "states[0]"),
        ({"machines": "web-01"}, "machines"),
        ({"machines": None}, "machines"),
        ({"machines": ["web-01"]}, "machines[0]"),
        ({"machines": [f"{VM}web-01", "*"]}, "machines[1]"),
        ({"machines": [[]]}, "machines[0]"),
        ({"machines": ["name:"]}, "machines[0]"),
        ({"machines": ["name:  "]}, "machines[0]"),
        ({"machines": [VM]}, "machines[0]"),
        ({"machines": [f"{VM}a\nb"]}, "machines[0]"),
        ({"machines": [f"{VM}a"] * 1001}, "machines"),
    ],
    ids=lambda value: json.dumps(value)[:50],
)
def test_a_sweep_that_is_not_well_said_is_refused_by_the_place(shared: App, body: Json, field: str) -> None:
    """An unknown field may be a misspelt lock, so it is refused and not left out."""
    answer = shared.post("/sweeps", body)

    assert (answer.status, answer.field) == (400, field)


@pytest.mark.parametrize(
    "name",
    [
        "web'01",
        'web"01',
        "$(reboot)",
        "`reboot`",
        "web\n01",
        "web | where 1 == 1",
        "x'; drop table runs --",
        "*",
        "%",
    ],
)
def test_a_name_of_any_characters_is_a_name_and_selects_nothing_else(shared: App, name: str) -> None:
    """It is compared with the machines there are, and nowhere spliced into a query or a script."""
    run = shared.swept(machines=[f"name:{name}"])

    assert run["status"] == "completed"
    assert objects(run, "findings") == []
    assert [finding for finding in objects(run, "unknown") if finding["target"]] == []


@pytest.mark.parametrize("limit", ["0", "101", "-1", "ten", "", "1e1", "٣", "9" * 5000])
def test_a_page_of_another_size_than_1_to_100_is_refused(shared: App, limit: str) -> None:
    answer = shared.get(f"/runs?limit={quote(limit)}")

    assert (answer.status, answer.field) == (400, "limit")


@pytest.mark.parametrize(
    "run", ["20200101T000000-00000000", "..", "%2e%2e", "a" * 4000, "%27;drop", "%F0%9F%92%A3", "%00"]
)
def test_an_unknown_run_is_not_found(shared: App, run: str) -> None:
    """Whatever is written in its place."""
    answer = shared.get(f"/runs/{run}")

    assert answer.status == 404


@pytest.mark.parametrize("path", ["/", "/sweeps/x", "/nowhere", "/runs/x/redo"])
def test_what_is_not_served_is_not_found(shared: App, path: str) -> None:
    assert shared.get(path).status == 404


@pytest.mark.parametrize(("method", "path"), [("GET", "/sweeps"), ("DELETE", "/runs/x"), ("PUT", "/alerts")])
def test_another_method_is_refused(shared: App, method: str, path: str) -> None:
    assert shared.send(method, path).status == 405


def test_no_answer_tells_more_than_its_problem(shared: App) -> None:
    """Type, title, status, detail and the place; never a trace, never the path of a file."""
    answer = shared.send("POST", "/sweeps", b"{", JSON)

    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json) == {"type", "title", "status", "detail", "field"}
    assert answer.json["status"] == 400
    assert "line 1, column 2" in text_at(answer.json, "detail")


JSONS: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
STATES: Final = st.sampled_from([state.value for state in FailureState])
SELECTIONS: Final = st.lists(STATES | st.just(f"{VM}web-01") | st.text(max_size=30) | JSONS, max_size=4)
NAMES: Final = st.sampled_from(["states", "machines", "findings", "schemaId", "data"]) | st.text(max_size=10)
BODIES: Final = st.dictionaries(NAMES, SELECTIONS | JSONS, max_size=4)
FEWER: Final = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FEWER
@given(path=st.sampled_from(POSTS), body=BODIES | JSONS)
def test_any_json_is_taken_or_refused(shared: App, path: str, body: Json) -> None:
    """Never a failure of the app's own, and never an answer that its description does not know."""
    answer = shared.post(path, body)

    assert answer.status in {200, 202, 400, 404, 415, 429}
    assert "Traceback" not in answer.text


@FEWER
@given(path=st.sampled_from(POSTS), body=st.binary(max_size=200), kind=st.sampled_from([*JSON.values(), "text/plain"]))
def test_any_bytes_are_taken_or_refused(shared: App, path: str, body: bytes, kind: str) -> None:
    answer = shared.send("POST", path, body, {"Content-Type": kind})

    assert answer.status in {200, 202, 400, 404, 415, 429}


@FEWER
@given(run=st.text(min_size=1, max_size=40), limit=st.text(max_size=8), before=st.text(max_size=40))
def test_any_address_is_answered(shared: App, run: str, limit: str, before: str) -> None:
    """A run's id, a page's size and its place, whatever characters they have."""

    def escaped(text: str) -> str:
        return quote(text.encode("utf-8", "replace"), safe="")

    if run not in {".", ".."}:
        assert shared.get(f"/runs/{escaped(run)}").status in {200, 404}
    assert shared.get(f"/runs?limit={escaped(limit)}&before={escaped(before)}").status in {200, 400}
