"""When deployments run next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.times import format_time
from simulator.schedules import next_run

# 2026-03-10 is a Tuesday.
CASES: list[tuple[dict[str, Any], str, str | None]] = [
    ({"frequency": "OneTime"}, "2026-03-01T00:00:00Z", "2026-03-10T06:00:00Z"),
    ({"frequency": "OneTime"}, "2026-03-10T06:00:00Z", None),  # over
    ({"frequency": "Day", "interval": 1}, "2026-03-10T06:00:00Z", "2026-03-11T06:00:00Z"),
    ({"frequency": "Day", "interval": 3}, "2026-03-12T00:00:00Z", "2026-03-13T06:00:00Z"),
    ({"frequency": "Hour", "interval": 6}, "2026-03-10T13:00:00Z", "2026-03-10T18:00:00Z"),
    ({"frequency": "Week", "interval": 2}, "2026-03-10T07:00:00Z", "2026-03-24T06:00:00Z"),
    ({"frequency": "Month", "interval": 1}, "2026-03-10T07:00:00Z", "2026-04-10T06:00:00Z"),
    (
        {"frequency": "Month", "interval": 1, "startTime": "2026-01-31T06:00:00Z"},
        "2026-02-01T00:00:00Z",
        "2026-02-28T06:00:00Z",  # the shorter month's last day
    ),
    (
        {"frequency": "Week", "interval": 1, "advancedSchedule": {"weekDays": ["Friday", "Sunday"]}},
        "2026-03-10T06:00:00Z",
        "2026-03-13T06:00:00Z",
    ),
    (
        {"frequency": "Month", "interval": 1, "advancedSchedule": {"monthDays": [-1]}},
        "2026-03-10T06:00:00Z",
        "2026-03-31T06:00:00Z",
    ),
    (
        {
            "frequency": "Month",
            "interval": 1,
            "advancedSchedule": {"monthlyOccurrences": [{"occurrence": 2, "day": "Tuesday"}]},
        },
        "2026-03-10T06:00:00Z",
        "2026-04-14T06:00:00Z",  # patch Tuesday of the next month
    ),
    ({"frequency": "Day", "interval": 1, "isEnabled": False}, "2026-03-01T00:00:00Z", None),
    ({"frequency": "Day", "interval": 1, "expiryTime": "2026-03-12T00:00:00Z"}, "2026-03-11T07:00:00Z", None),
    (
        {"frequency": "Day", "interval": 1, "timeZone": "Europe/Berlin", "startTime": "2026-03-28T06:00:00+01:00"},
        "2026-03-28T08:00:00Z",
        "2026-03-29T04:00:00Z",  # still six on the wall, after the clocks went forward
    ),
    ({"frequency": "Fortnight", "interval": 1}, "2026-03-11T00:00:00Z", None),
]


@pytest.mark.parametrize(("schedule", "after", "expected"), CASES)
def test_the_next_run(schedule: dict[str, Any], after: str, expected: str | None) -> None:
    found = next_run({"startTime": "2026-03-10T06:00:00Z", **schedule}, datetime.fromisoformat(after))
    assert (found and format_time(found)) == expected


times = st.integers(0, 3 * 365 * 24 * 60).map(
    lambda minutes: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


@given(
    frequency=st.sampled_from(["Hour", "Day", "Week", "Month"]),
    interval=st.integers(1, 100),
    start=times,
    after=times,
    zone=st.sampled_from(["Etc/UTC", "Europe/Berlin", "America/New_York", "W. Europe Standard Time"]),
)
def test_a_recurring_schedule_always_has_a_next_run_that_is_the_first_after(
    frequency: str, interval: int, start: datetime, after: datetime, zone: str
) -> None:
    schedule: dict[str, Any] = {
        "frequency": frequency,
        "interval": interval,
        "startTime": start.isoformat(),
        "timeZone": zone,
    }
    found = next_run(schedule, after)
    assert found is not None
    assert found > after
    assert found >= start
    # None lies between: just before it, it is still the next.
    assert next_run(schedule, max(after, found - timedelta(seconds=1))) == found
