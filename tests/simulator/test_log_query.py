"""The query API of Log Analytics: KQL over the estate's tables, in simulated time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.monitor.query import LogsBatchQuery, LogsQueryPartialResult
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.estate import Estate
from tests.simulator.azure import DAY, HOUR, Azure, azure
from tests.simulator.small_estate import NOW, WORKSPACE_GUID, SmallEstate, guid, vm_id

QUERY = f"/v1/workspaces/{WORKSPACE_GUID}/query"


@pytest.fixture
def az() -> Iterator[Azure]:
    estate = SmallEstate().vm("web-01").vm("web-02")
    estate.row(
        "Update", NOW - HOUR, SourceComputerId=guid("agent/web-01"), Approved=False, KBID="1", PublishedDate=None
    )
    estate.row("Custom_CL", NOW - HOUR, Count_d=1.5, Flag_b=True, Bag={"a": [1]}, When_Time="2026-03-10T07:00:00+02:00")
    with azure(estate) as running:
        yield running


def test_now_is_the_simulated_clocks(az: Azure) -> None:
    assert az.query("print now(), ago(1h)") == [[NOW, NOW - HOUR]]
    az.simulator.advance(DAY)
    assert az.query("print now()") == [[NOW + DAY]]


def test_answers_are_in_the_services_form(az: Azure) -> None:
    reply = az.http(
        "POST",
        QUERY,
        {"query": "Custom_CL | project TimeGenerated, Count_d, Flag_b, Bag, When_Time, n = 1, i = int(2), s = Type"},
    )
    (table,) = reply.body["tables"]
    assert table["name"] == "PrimaryResult"
    assert [column["type"] for column in table["columns"]] == [
        *("datetime", "real", "bool", "dynamic", "datetime", "long", "int", "string")
    ]
    # Dynamic values come as JSON text; times in UTC, whatever offset they were written with.
    assert table["rows"] == [
        ["2026-03-10T05:00:00Z", 1.5, True, '{"a":[1]}', "2026-03-10T05:00:00Z", 1, 2, "Custom_CL"]
    ]


def test_columns_that_no_row_has_are_there_and_typed(az: Azure) -> None:
    """Text that is absent is empty, everything else is null: Kusto has no null text."""
    ((optional, title, published, tenant),) = az.query("Update | project Optional, Title, PublishedDate, TenantId")
    assert (optional, title, published, tenant) == (None, "", None, WORKSPACE_GUID)
    assert az.query("Heartbeat | where isempty(RemoteIPCountry) | summarize dcount(Computer)") == [[2]]


def test_a_column_that_may_be_missing(az: Azure) -> None:
    text = 'Heartbeat | project a = column_ifexists("Nope", "(x)"), b = column_ifexists("Computer", "") | take 1'
    assert az.query(text) == [["(x)", "web-01.contoso.com"]]


@pytest.mark.parametrize(
    ("timespan", "rows"),
    [
        ("PT30M", 3),  # 05:30, 05:40, 05:50
        ("PT1800.0S", 3),
        ("2026-03-10T05:00:00Z/2026-03-10T05:20:00Z", 2),  # the end is left out
        ("2026-03-10T05:00:00Z/PT20M", 2),
        ("PT20M/2026-03-10T05:20:00Z", 2),
        (None, 6),
    ],
)
def test_the_timespan_narrows_what_is_read(az: Azure, timespan: str | None, rows: int) -> None:
    text = (
        f"Heartbeat | where SourceComputerId == '{guid('agent/web-01')}' and TimeGenerated < datetime(2026-03-10 05:55)"
    )
    reply = az.http("POST", QUERY, {"query": f"{text} | count", "timespan": timespan})
    assert reply.body["tables"][0]["rows"] == [[rows]]


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("NoSuchTable | take 1", "SemanticError"),
        ("Heartbeat | where NoSuchColumn == 1", "SemanticError"),
        ("Heartbeat | where", "SyntaxError"),
        ("", "SyntaxError"),
        ("Heartbeat | partition by Computer (take 1)", "NotSimulated"),
        ("heartbeat | take 1", "SemanticError"),  # Kusto tells case apart, DuckDB does not
        ("Heartbeat | where computer == 'x'", "SemanticError"),
        ("Heartbeat | project computer", "SemanticError"),
    ],
)
def test_a_query_that_cannot_be_answered_is_an_error_and_never_empty(az: Azure, text: str, inner: str) -> None:
    reply = az.http("POST", QUERY, {"query": text})
    assert reply.status == 400
    assert reply.body["error"]["code"] == "BadArgumentError"
    assert reply.body["error"]["innererror"]["code"] == inner


def test_what_a_query_names_itself_it_spells_as_it_likes(az: Azure) -> None:
    """`kbid` is nobody's column, though the table Update has a `KBID`."""
    assert az.query("Heartbeat | extend kbid = 'x' | where kbid == 'x' | distinct kbid") == [["x"]]


def test_one_failing_query_of_a_batch_fails_alone(az: Azure) -> None:
    good, bad = (
        LogsBatchQuery(WORKSPACE_GUID, "Update | project KBID", timespan=None),
        LogsBatchQuery(WORKSPACE_GUID, "Nope", timespan=DAY),
    )
    first, second, third = az.sdk.logs.query_batch([good, bad, good])
    for fine in (first, third):
        tables: Any = fine
        assert [list(row) for row in tables.tables[0].rows] == [["1"]]
    failed: Any = second
    assert failed.code == "BadArgumentError"


def test_an_empty_workspace_answers_without_a_body() -> None:
    with azure(SmallEstate()) as az:
        reply = az.http("POST", QUERY, {"query": "Heartbeat"})
        assert (reply.status, reply.body) == (204, None)


def test_another_workspace_is_not_found(az: Azure) -> None:
    assert az.http("POST", f"/v1/workspaces/{guid('x')}/query", {"query": "Heartbeat"}).status == 404


def test_a_body_that_does_not_say_what_it_is_is_answered_with_nothing(az: Azure) -> None:
    reply = az.http("POST", QUERY, {"query": "Heartbeat"}, **{"Content-Type": "text/plain"})
    assert (reply.status, reply.body) == (200, None)


def test_a_partial_result_has_half_the_rows_and_says_so(az: Azure) -> None:
    az.simulator.order({"kind": "partial", "query": "Heartbeat"})
    answer = az.sdk.logs.query_workspace(WORKSPACE_GUID, "Heartbeat | distinct Computer", timespan=None)
    assert isinstance(answer, LogsQueryPartialResult)
    assert len(answer.partial_data[0].rows) == 1
    assert answer.partial_error
    assert answer.partial_error.code == "PartialError"
    assert az.query("Update | count") == [[1]]


def test_one_query_of_a_batch_can_be_made_to_fail(az: Azure) -> None:
    az.simulator.order({"kind": "query-fails", "query": "Update", "status": 504, "code": "GatewayTimeout"})
    queries = [LogsBatchQuery(WORKSPACE_GUID, text, timespan=None) for text in ("Heartbeat | count", "Update | count")]
    fine, failed = az.sdk.logs.query_batch(queries)
    bad: Any = failed
    assert type(fine).__name__ == "LogsQueryResult"
    assert bad.code == "GatewayTimeout"


def test_statistics_come_when_they_are_preferred(az: Azure) -> None:
    answer: Any = az.sdk.logs.query_workspace(WORKSPACE_GUID, "Update", timespan=None, include_statistics=True)
    assert answer.statistics


def test_a_wrong_timespan_is_refused(az: Azure) -> None:
    assert az.http("POST", QUERY, {"query": "Update", "timespan": "yesterday"}).status == 400
    with pytest.raises(HttpResponseError):
        az.sdk.logs.query_workspace(WORKSPACE_GUID, "Update | where", timespan=None)


lengths = st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=9))


@given(steps=st.lists(lengths, min_size=1, max_size=5))
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
def test_a_healthy_machine_is_fresh_whenever_one_looks_and_a_dead_one_is_not(steps: list[timedelta]) -> None:
    """However time is advanced: seen a moment ago, a row an hour over the last day, none from the future."""
    estate = SmallEstate().vm("web-01").vm("off-01", power="deallocated")
    estate.beats("off-01", guid("agent/off-01"), since=NOW - 3 * HOUR, until=NOW - 2 * HOUR)
    world = Estate(estate.fleet())
    for step in steps:
        world.clock.advance_to(world.now + step)
        world.heartbeats.materialise(world.now)
    rows = world.logs.query(
        "Heartbeat | summarize Last = max(TimeGenerated), Future = countif(TimeGenerated > now()), "
        "Hours = dcountif(bin(TimeGenerated, 1h), TimeGenerated > ago(1d)) by Computer | order by Computer asc",
        world.now,
        None,
        None,
    ).rows
    (dead, dead_last, _, _), (alive, last, future, hours) = rows
    now = world.now.replace(tzinfo=None)
    assert (dead, dead_last) == ("off-01.contoso.com", (NOW - 2 * HOUR - timedelta(minutes=10)).replace(tzinfo=None))
    assert (alive, future) == ("web-01.contoso.com", 0)
    assert isinstance(last, type(now))
    assert now - last <= timedelta(minutes=12)
    assert hours in range(int(min((world.now - NOW) / HOUR, 23)), 26)


def test_the_newer_agent_beside_the_old_one_keeps_its_own_identity() -> None:
    estate = SmallEstate().vm("web-01")
    estate.beats("web-01", guid("ama"), since=NOW - HOUR, category="Azure Monitor Agent")
    with azure(estate) as az:
        az.simulator.advance(5 * HOUR)
        rows = az.query("Heartbeat | where TimeGenerated > ago(1h) | distinct Category, SourceComputerId")
        assert {tuple(row) for row in rows} == {
            ("Direct Agent", guid("agent/web-01")),
            ("Azure Monitor Agent", guid("ama")),
        }


def test_living_machines_go_on_assessing_themselves() -> None:
    estate = SmallEstate().vm("web-01")
    estate.row(
        "Update",
        NOW - 2 * HOUR,
        SourceComputerId=guid("agent/web-01"),
        ResourceId=vm_id("web-01").lower(),
        OSType="Windows",
    )
    with azure(estate) as az:
        az.simulator.advance(3 * DAY)
        assert az.query("Update | where TimeGenerated > ago(14h) | count") == [[1]]
