"""The queries by which agents and the workspace are heard, executed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from model.documents import Document
from tests.builders import DAY, HOUR, MINUTE, NOW, a_machine, guid
from tests.detectors.test_queries import answered, stamp

WEB = a_machine("web-01")
AGENT = "Microsoft.EnterpriseManagement.HealthService.AzureAutomation.HybridAgent"


def an_event(
    text: str = f"{AGENT} failed", *, ago: timedelta = HOUR, log: str = "Operations Manager", event: int = 4502,
    resource_id: str = WEB.arm_id, xml: str = "",
) -> Document:  # fmt: skip
    return {
        "TimeGenerated": stamp(NOW - ago),
        "EventLog": log,
        "EventID": event,
        "Computer": "WEB-01.contoso.com",
        "_ResourceId": resource_id,
        "RenderedDescription": text,
        "ParameterXml": xml,
    }


def heard(*events: Document) -> list[tuple[object, ...]]:
    rows = answered("agent-complaints", Event=events)
    return sorted((row["MachineId"], row["Text"], row["Times"]) for row in rows)


def test_one_that_repeats_itself_all_day_has_one_row_with_the_newest_text() -> None:
    """The ids and numbers in it differ every time."""
    events = [an_event(f"{AGENT} job {guid(str(n))} failed after {n} s", ago=n * HOUR) for n in range(1, 20)]
    (row,) = answered("agent-complaints", Event=events)

    assert row["Text"] == f"{AGENT} job {guid('1')} failed after 1 s"
    assert (row["First"], row["Last"], row["Times"]) == (stamp(NOW - 19 * HOUR), stamp(NOW - HOUR), 19)
    assert (row["MachineId"], row["Computer"], row["EventID"]) == (WEB.id, "WEB-01.contoso.com", 4502)


def test_different_complaints_and_different_machines_have_rows_of_their_own() -> None:
    assert heard(
        an_event(),
        an_event(f"{AGENT} gave up"),
        an_event(resource_id=""),
    ) == [
        (WEB.id, f"{AGENT} failed", 1),
        (WEB.id, f"{AGENT} gave up", 1),
        ("name:web-01.contoso.com", f"{AGENT} failed", 1),
    ]


@pytest.mark.parametrize(
    ("event", "counts"),
    [
        (an_event(), True),
        (an_event("", xml=f"<Param>{AGENT}</Param>"), True),
        (an_event("SignalR", log="Microsoft-SMA/Operational", event=15011), True),
        (an_event(ago=DAY - MINUTE), True),
        (an_event(ago=DAY + MINUTE), False),
        (an_event("another component failed"), False),
        (an_event(event=4503), False),
        (an_event(log="System"), False),
        (an_event("SignalR", event=15011), False),
    ],
)
def test_only_the_worker_s_own_events_of_the_last_day_count(event: Document, counts: bool) -> None:  # noqa: FBT001
    assert bool(heard(event)) is counts


def test_which_of_the_agents_logs_are_collected_is_told_by_their_last_week() -> None:
    events = [
        an_event(event=1210, ago=3 * DAY),
        an_event(event=1210, ago=6 * DAY),
        an_event(log="Microsoft-SMA/Operational", ago=8 * DAY),
        an_event(log="System"),
    ]

    assert answered("agent-log-collected", Event=events) == [
        {"EventLog": "Operations Manager", "Newest": stamp(NOW - 3 * DAY)}
    ]
    assert answered("agent-log-collected", Event=events[2:]) == []


def test_the_workspace_s_reports_on_the_solution_come_once_for_each_text() -> None:
    def report(detail: str, *, status: str = "Error", ago: timedelta = HOUR, computer: str = "web-01") -> Document:
        when = stamp(NOW - ago)
        return {"TimeGenerated": when, "Detail": detail, "OperationStatus": status, "Computer": computer}

    rows = answered(
        "operation-complaints",
        Operation=[
            report("Failed to enable the Update solution"),
            report("Failed to enable the Update solution", ago=2 * HOUR, computer="web-02"),
            report("Failed to enable the Update solution", status="Succeeded"),
            report("Failed to enable the Update solution", ago=DAY + HOUR),
            report("Data collection stopped due to daily limit"),
        ],
    )

    ((computers, times),) = [(row["Computers"], row["Times"]) for row in rows]
    assert isinstance(computers, list)
    assert sorted(map(str, computers)) == ["web-01", "web-02"]
    assert times == 2
