"""When a deployment runs next, as Automation schedules do it."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from model.documents import Document, Json, list_at, text_at
from model.times import parse_time

_STEPS: Final = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}
_DAYS: Final = {name.lower(): number for number, name in enumerate(calendar.day_name)}
_FARTHEST: Final = 800
"""Days that are looked through for an advanced schedule: two years and a leap day."""


def zone_of(schedule: Document) -> tzinfo:
    """The schedule's zone; UTC where the name is not one of IANA's."""
    try:
        return ZoneInfo(text_at(schedule, "timeZone") or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def next_run(schedule: Document, after: datetime) -> datetime | None:
    """The first run later than `after`, or None where there is none: one-time and over, disabled, expired."""
    start = parse_time(schedule.get("startTime"))
    if start is None or schedule.get("isEnabled") is False:
        return None
    frequency = text_at(schedule, "frequency").lower()
    if frequency == "onetime":
        return start if start > after else None
    zone = zone_of(schedule)
    found = _recurring(schedule, frequency, start.astimezone(zone), after, zone)
    expiry = parse_time(schedule.get("expiryTime"))
    return None if found is None or (expiry and expiry > start and found > expiry) else found


def _recurring(schedule: Document, frequency: str, start: datetime, after: datetime, zone: tzinfo) -> datetime | None:
    given = schedule.get("interval")
    interval = max(1, int(given)) if isinstance(given, int | float) else 1
    days = _advanced_days(schedule)
    if days is not None and frequency in {"week", "month"}:
        return _by_days(start, after, zone, days)
    if frequency == "month":
        return _monthly(start, after, interval)
    step = _STEPS.get(frequency)
    if step is None:
        return None
    # Hours pass alike everywhere; days and weeks keep the time on the wall when the clocks change.
    wall = start.astimezone(UTC) if step < timedelta(days=1) else start
    count = max(0, (after - wall) // (step * interval) - 1)
    while (found := (wall + count * interval * step).astimezone(UTC)) <= after:
        count += 1
    return found


def _monthly(start: datetime, after: datetime, interval: int) -> datetime | None:
    for count in range(0, 12 * 100, interval):
        year, month = divmod(start.month - 1 + count, 12)
        last = calendar.monthrange(start.year + year, month + 1)[1]
        when = start.replace(year=start.year + year, month=month + 1, day=min(start.day, last))
        if when.astimezone(UTC) > after:
            return when.astimezone(UTC)
    return None


type _Days = tuple[frozenset[int], frozenset[int], frozenset[tuple[int, int]]]
"""Week days, month days, and (occurrence, week day) in a month; -1 counts from the end."""


def _advanced_days(schedule: Document) -> _Days | None:
    advanced = schedule.get("advancedSchedule")
    if not isinstance(advanced, dict):
        return None
    week = frozenset(_DAYS[str(d).lower()] for d in list_at(advanced, "weekDays") if str(d).lower() in _DAYS)
    month = frozenset(d for d in list_at(advanced, "monthDays") if isinstance(d, int))
    occurrences = frozenset(
        (number, _DAYS[str(item.get("day")).lower()])
        for item in list_at(advanced, "monthlyOccurrences")
        if isinstance(item, dict)
        and isinstance(number := _number(item.get("occurrence")), int)
        and str(item.get("day")).lower() in _DAYS
    )
    return (week, month, occurrences) if week or month or occurrences else None


def _number(value: Json) -> int | None:
    return value if isinstance(value, int) else None


def _by_days(
    start: datetime,
    after: datetime,
    zone: tzinfo,
    days: _Days,
) -> datetime | None:
    week, month, occurrences = days
    first = max(start, after.astimezone(zone)).date()
    for offset in range(_FARTHEST):
        day = first + timedelta(days=offset)
        last = calendar.monthrange(day.year, day.month)[1]
        if day.weekday() in week or day.day in month or day.day - last - 1 in month or _occurs(day, last, occurrences):
            when = datetime.combine(day, start.timetz())
            if when >= start and when > after:
                return when.astimezone(UTC)
    return None


def _occurs(day: date, last: int, occurrences: frozenset[tuple[int, int]]) -> bool:
    from_start, from_end = (day.day - 1) // 7 + 1, -((last - day.day) // 7 + 1)
    return (from_start, day.weekday()) in occurrences or (from_end, day.weekday()) in occurrences
