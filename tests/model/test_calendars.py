"""Windows and freezes on local clocks, also on the nights on which those are changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.calendars import opens_at, parse_freezes, parse_windows

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def open_minutes(window: str, start: str, hours: int) -> list[str]:
    """The stretches in which a window is open, minute by minute, as a clock in UTC shows them."""
    parsed, moment, stretches = parse_windows(window), utc(start), list[str]()
    was = False
    for _ in range(hours * 60):
        opens = opens_at(parsed, moment)
        now = opens is not None and opens <= moment
        if now != was:
            stretches.append(f"{'opens' if now else 'closes'} {moment:%d %H:%M}")
        was, moment = now, moment + MINUTE
    return stretches


@pytest.mark.parametrize(
    ("window", "start", "hours", "expected"),
    [
        # An ordinary night in winter, an hour ahead of UTC.
        ("daily 22:00-04:00 Europe/Amsterdam", "2026-03-10T12:00", 24, ["opens 10 21:00", "closes 11 03:00"]),
        # The clocks go forward on 29 March at two: the night is an hour short.
        ("daily 22:00-04:00 Europe/Amsterdam", "2026-03-28T12:00", 24, ["opens 28 21:00", "closes 29 02:00"]),
        # They go back on 25 October at three: the night is an hour long.
        ("daily 22:00-04:00 Europe/Amsterdam", "2026-10-24T12:00", 24, ["opens 24 20:00", "closes 25 03:00"]),
        # Half past two does not come: it opens when the clocks are put forward, and closes then.
        ("sun 02:30-05:00 Europe/Amsterdam", "2026-03-29T00:00", 12, ["opens 29 01:00", "closes 29 03:00"]),
        ("sun 01:00-02:30 Europe/Amsterdam", "2026-03-29T00:00", 12, ["opens 29 00:00", "closes 29 01:00"]),
        # Half past two comes twice: it opens at the second, and closes at the first.
        ("sun 02:30-05:00 Europe/Amsterdam", "2026-10-25T00:00", 12, ["opens 25 01:30", "closes 25 04:00"]),
        ("sun 01:00-02:30 Europe/Amsterdam", "2026-10-24T12:00", 24, ["opens 24 23:00", "closes 25 00:30"]),
        # A window that lies within the skipped hour does not open at all.
        ("sun 02:10-02:50 Europe/Amsterdam", "2026-03-29T00:00", 12, []),
        # Half an hour of summer time.
        ("sun 01:30-03:00 Australia/Lord_Howe", "2026-10-03T12:00", 12, ["opens 03 15:00", "closes 03 16:00"]),
        ("sat 00:00-24:00 UTC", "2026-03-13T12:00", 48, ["opens 14 00:00", "closes 15 00:00"]),
    ],
)  # fmt: skip
def test_a_window_on_the_nights_on_which_clocks_are_changed(
    window: str, start: str, hours: int, expected: list[str]
) -> None:
    assert open_minutes(window, start, hours) == expected


@pytest.mark.parametrize(
    ("days", "open_on"),
    [
        ("daily", "1111111"),
        ("mon", "1000000"),
        ("mon-fri", "1111100"),
        ("fri-mon", "1000111"),
        ("Mon,WED-thu", "1011000"),
    ],
)
def test_days_may_be_listed_and_ranges_may_run_over_the_weekend(days: str, open_on: str) -> None:
    windows = parse_windows(f"{days} 10:00-11:00 UTC")
    monday = utc("2026-03-09T10:30")

    found = "".join(str(int(opens_at(windows, monday + n * DAY) == monday + n * DAY)) for n in range(7))

    assert found == open_on


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026-12-18/2027-01-03 Europe/Amsterdam", "2026-12-17T23:00", "2027-01-03T23:00"),
        ("2026-06-01T18:00/2026-06-02T06:00 America/New_York", "2026-06-01T22:00", "2026-06-02T10:00"),
        # A freeze gets wider where clocks are changed: from the first half past two to the second.
        ("2026-10-25T02:30/2026-10-25T02:30 Europe/Amsterdam", "2026-10-25T00:30", "2026-10-25T01:30"),
    ],
)
def test_a_freeze_is_from_and_to_on_a_local_clock(text: str, start: str, end: str) -> None:
    (freeze,) = parse_freezes(text)

    assert (freeze.start, freeze.end, freeze.text) == (utc(start), utc(end), text)


@pytest.mark.parametrize(
    "text",
    [
        "22:00-04:00",
        "mon 22:00-04:00",
        "mon 22:00-04:00 Mars/Olympus",
        "mon 22:00-04:00 ../../etc/passwd",
        "someday 22:00-04:00 UTC",
        "mon-xyz 22:00-04:00 UTC",
        "mon 25:00-26:00 UTC",
        "mon 10:00-10:00 UTC",
        "mon 9:00-10:00 UTC",
    ],
)
def test_a_window_that_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not like|days are|no time of day|no IANA time zone|begins when it ends"):
        parse_windows(f"daily 01:00-02:00 UTC; {text}")


@pytest.mark.parametrize(
    "text", ["2026-12-18", "2026-12-18/2026-12-17 UTC", "2026-13-01/2026-13-02 UTC", "2026-12-18/2026-12-19 Nowhere"]
)
def test_a_freeze_that_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="2026"):
        parse_freezes(text)


@given(
    st.integers(0, 5 * 365 * 24 * 60).map(lambda minutes: utc("2025-01-01T00:00") + minutes * MINUTE),
    st.integers(0, 1439),
    st.integers(0, 1439),
    st.sampled_from(["UTC", "Europe/Amsterdam", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Chatham"]),
)
def test_where_a_window_is_open_the_local_clock_shows_a_time_of_it(
    now: datetime, start: int, end: int, zone: str
) -> None:
    if start == end:
        return
    (window,) = windows = parse_windows(f"daily {start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02} {zone}")
    opens = opens_at(windows, now)
    local = now.astimezone(window.zone).time()

    inside = window.start <= local < window.end if window.start < window.end else not window.end <= local < window.start
    if opens == now:
        assert inside
    else:
        # A day's window opens within two days, also where one is skipped.
        assert opens is not None
        assert now < opens <= now + 2 * DAY
