"""Times and durations as Azure writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.times import format_duration, format_time, in_words, parse_duration, parse_time


def utc(year: int, month: int, day: int, *time: int) -> datetime:
    hour, minute, second, micro = (*time, 0, 0, 0, 0)[:4]
    return datetime(year, month, day, hour, minute, second, micro, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-10T06:00:00.0000000+00:00", utc(2026, 3, 10, 6)),
        ("2026-03-10T06:00:00Z", utc(2026, 3, 10, 6)),
        ("2026-03-10T06:00Z", utc(2026, 3, 10, 6)),
        ("2026-03-10 06:00:00", utc(2026, 3, 10, 6)),
        ("  2026-03-10T06:00:00Z\n", utc(2026, 3, 10, 6)),
        # Azure means UTC where it gives no offset.
        ("2026-03-10T06:00:00.5", utc(2026, 3, 10, 6, 0, 0, 500_000)),
        ("2026-03-10T08:00:00+02:00", utc(2026, 3, 10, 6)),
        ("2026-03-10T11:30:00+0530", utc(2026, 3, 10, 6)),
        ("2026-03-09T23:00:00-07:00", utc(2026, 3, 10, 6)),
        # Seven digits: Python knows six, and the seventh is cut off.
        ("2026-03-10T06:00:00.1234567Z", utc(2026, 3, 10, 6, 0, 0, 123_456)),
        ("9999-12-31T23:59:59.9999999+00:00", utc(9999, 12, 31, 23, 59, 59, 999_999)),
        ("0001-01-01T00:00:00", utc(1, 1, 1)),
        # Outside of what can be told.
        ("9999-12-31T23:59:59-01:00", None),
        ("0001-01-01T00:00:00+01:00", None),
        ("2026-02-30T06:00:00Z", None),
        ("2026-03-10T25:00:00Z", None),
        ("2026-03-10T06:00:00+25:00", None),
        ("2026-03-10", None),
        ("10 March 2026", None),
        ("", None),
        ("٢٠٢٦-03-10T06:00:00Z", None),
        (None, None),
        (1773122400, None),
        (["2026-03-10T06:00:00Z"], None),
    ],
)
def test_a_time_is_read_as_utc_or_not_at_all(text: object, moment: datetime | None) -> None:
    assert parse_time(text) == moment


@given(st.datetimes(timezones=st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m))),
                    min_value=datetime(1900, 1, 1), max_value=datetime(9000, 1, 1)))  # fmt: skip  # noqa: DTZ001
def test_a_time_that_was_written_is_read_back_to_the_millisecond(moment: datetime) -> None:
    read = parse_time(format_time(moment))

    assert read is not None
    assert timedelta(0) <= moment - read < timedelta(milliseconds=1)
    assert format_time(moment).endswith("Z")


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_none(text: str) -> None:
    found = parse_time(text)

    assert found is None or found.tzinfo is UTC


def test_times_are_written_as_rfc_3339_in_utc() -> None:
    assert format_time(datetime(2026, 3, 10, 8, tzinfo=timezone(timedelta(hours=2)))) == "2026-03-10T06:00:00Z"
    assert format_time(utc(2026, 3, 10, 6, 0, 0, 120_000)) == "2026-03-10T06:00:00.120Z"


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("PT2H", timedelta(hours=2)),
        ("PT2H30M", timedelta(hours=2, minutes=30)),
        ("PT30M", timedelta(minutes=30)),
        # As the SDK writes it.
        ("PT03H00M00S", timedelta(hours=3)),
        ("PT7200S", timedelta(hours=2)),
        ("PT1.5S", timedelta(seconds=1)),
        ("P1D", timedelta(days=1)),
        ("P1DT6H", timedelta(days=1, hours=6)),
        ("P0D", timedelta(0)),
        ("P", None),
        ("PT", None),
        ("P1M", None),
        ("-PT2H", None),
        ("2:00:00", None),
        ("PT2H PT2H", None),
        ("P999999999999D", None),
        ("", None),
        (None, None),
        (7200, None),
    ],
)
def test_a_duration_is_read_or_not_at_all(text: object, length: timedelta | None) -> None:
    assert parse_duration(text) == length


@given(st.integers(0, 10**7).map(lambda seconds: timedelta(seconds=seconds)))
def test_a_duration_that_was_written_is_read_back(length: timedelta) -> None:
    assert parse_duration(format_duration(length)) == length


@pytest.mark.parametrize(
    ("minutes", "text", "words"),
    [
        (180, "PT3H", "3 h"),
        (150, "PT2H30M", "2 h 30 min"),
        (30, "PT30M", "30 min"),
        (0, "PT0S", "0 min"),
        (1500, "PT25H", "1 d 1 h"),
        (5 * 24 * 60, "PT120H", "5 d"),
    ],
)
def test_a_duration_is_written_as_automation_documents_it_and_in_words(minutes: int, text: str, words: str) -> None:
    assert format_duration(timedelta(minutes=minutes)) == text
    assert in_words(timedelta(minutes=minutes)) == words
