"""NCRONTAB, the schedule of Functions timers: six fields from seconds to day of the week, in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

_NAMES: Final = {
    name: number
    for names, first in (
        (("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1),
        (("sun", "mon", "tue", "wed", "thu", "fri", "sat"), 0),
    )
    for number, name in enumerate(names, first)
}
_RANGES: Final = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_FURTHEST: Final = 366 * 8
"""Days: 29 February may be eight years away."""


class InvalidSchedule(ValueError):
    """The text is not NCRONTAB with six fields; the message says which field is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The times at which a timer fires."""

    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""

    @classmethod
    def parse(cls, text: str) -> Schedule:
        """Raises `InvalidSchedule`."""
        fields = text.split()
        if len(fields) != len(_RANGES):
            raise InvalidSchedule(f"has {len(fields)} fields instead of six")
        found = [
            _values(field, least, most, number)
            for number, (field, (least, most)) in enumerate(zip(fields, _RANGES, strict=True), 1)
        ]
        return cls(
            seconds=found[0], minutes=found[1], hours=found[2], days=found[3], months=found[4], weekdays=found[5]
        )

    def next_after(self, moment: datetime) -> datetime | None:
        """The first time later than `moment`; None for a schedule that never comes (30 February)."""
        start = moment.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
        for number in range(_FURTHEST):
            day = start.replace(hour=0, minute=0, second=0) + timedelta(days=number)
            if self._on(day):
                for time in self._times(day):
                    if time >= start:
                        return time
        return None

    def last_until(self, moment: datetime) -> datetime | None:
        """The last time that is not later than `moment`: the one that a timer is late for."""
        end = moment.astimezone(UTC)
        for number in range(_FURTHEST):
            day = end.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=number)
            if self._on(day):
                for time in reversed(self._times(day)):
                    if time <= end:
                        return time
        return None

    def _on(self, day: datetime) -> bool:
        return day.month in self.months and day.day in self.days and day.isoweekday() % 7 in self.weekdays

    def _times(self, day: datetime) -> list[datetime]:
        return [
            day.replace(hour=hour, minute=minute, second=second)
            for hour in sorted(self.hours)
            for minute in sorted(self.minutes)
            for second in sorted(self.seconds)
        ]


def _values(field: str, least: int, most: int, number: int) -> frozenset[int]:
    found: set[int] = set()
    for part in field.lower().split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span == "*":
            start, end = least, most
        else:
            start = _number(first, number)
            # `5/15` means from 5 on, as a lone star with a step means from the least.
            end = _number(last, number) if dash else (most if step else start)
        width = _number(step, number) if "/" in part else 1
        if not least <= start <= end <= most or width < 1:
            raise InvalidSchedule(f"field {number}: {part[:20]!r} is not within {least} to {most}")
        found.update(range(start, end + 1, width))
    return frozenset(found)


def _number(text: str, number: int) -> int:
    if text in _NAMES and number in {5, 6}:
        return _NAMES[text]
    if text.isascii() and text.isdigit() and len(text) <= 4:
        # NCRONTAB takes 7 for Sunday no more than for any other day.
        return int(text)
    raise InvalidSchedule(f"field {number}: {text[:20]!r} is not a number")
