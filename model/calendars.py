"""When changes may be made: windows that come every week and periods in which nothing is changed, on local clocks.

Where clocks are changed, a window gets narrower and a freeze wider, never the other way round: a time that comes twice
opens a window at its second coming and closes it at its first, and a time that is skipped stands for the moment at
which the clocks are put forward.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY: Final = timedelta(days=1)
_WINDOW: Final = re.compile(
    r"(?P<days>daily|[a-z]{3}(?:-[a-z]{3})?(?:,[a-z]{3}(?:-[a-z]{3})?)*)\s+"
    r"(?P<start>\d\d:\d\d)-(?P<end>\d\d:\d\d)\s+(?P<zone>\S+)",
    re.ASCII | re.IGNORECASE,
)
_FREEZE: Final = re.compile(
    r"(?P<start>\d{4}-\d\d-\d\d(?:T\d\d:\d\d)?)/(?P<end>\d{4}-\d\d-\d\d(?:T\d\d:\d\d)?)\s+(?P<zone>\S+)", re.ASCII
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeWindow:
    """Hours of some days of the week; one that ends at or before its start ends on the next day."""

    days: frozenset[int]
    """Monday is 0: the days on which it opens."""
    start: time
    end: time
    """00:00 is the end of the day."""
    zone: ZoneInfo

    def openings(self, now: datetime) -> Iterator[tuple[datetime, datetime]]:
        """From when to when it is open, in UTC: of yesterday's days and those of the next week that are not over."""
        today = now.astimezone(self.zone).date()
        for number in range(-1, 9):
            day = today + number * _DAY
            if day.weekday() not in self.days:
                continue
            opens = max(_instants(datetime.combine(day, self.start), self.zone))
            last = day + _DAY if self.end <= self.start else day
            closes = min(_instants(datetime.combine(last, self.end), self.zone))
            if now < closes and opens < closes:
                yield opens, closes


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """A period in which nothing is changed, in UTC; its end is not part of it."""

    start: datetime
    end: datetime
    text: str
    """As the operator wrote it."""


def opens_at(windows: Sequence[ChangeWindow], now: datetime) -> datetime | None:
    """`now` where a window is open, else when the next one opens; None where none does within a week."""
    return min((max(opens, now) for window in windows for opens, _ in window.openings(now)), default=None)


def parse_windows(text: str) -> tuple[ChangeWindow, ...]:
    """Windows such as `mon-fri 22:00-04:00 Europe/Amsterdam`, separated by semicolons.

    Raises:
        ValueError: one cannot be read; the message says which, and why.
    """
    return tuple(_window(part) for part in _parts(text))


def parse_freezes(text: str) -> tuple[Freeze, ...]:
    """Periods such as `2026-12-18/2027-01-03 Europe/Amsterdam`, separated by semicolons.

    A date without a time begins with its day and ends with it.

    Raises:
        ValueError: one cannot be read; the message says which, and why.
    """
    return tuple(_freeze(part) for part in _parts(text))


def _parts(text: str) -> Iterator[str]:
    return (part.strip() for part in text.split(";") if part.strip())


def _window(text: str) -> ChangeWindow:
    found = _WINDOW.fullmatch(text)
    if not found:
        raise ValueError(f"{text[:60]!r} is not like 'mon-fri 22:00-04:00 Europe/Amsterdam'")
    start, end = _clock(found["start"], text), _clock(found["end"], text)
    if start == end and start != time():
        raise ValueError(f"{text[:60]!r} begins when it ends; a whole day is 00:00-24:00")
    return ChangeWindow(days=_days(found["days"], text), start=start, end=end, zone=_zone(found["zone"], text))


def _freeze(text: str) -> Freeze:
    found = _FREEZE.fullmatch(text)
    if not found:
        raise ValueError(f"{text[:60]!r} is not like '2026-12-18/2027-01-03 Europe/Amsterdam'")
    zone = _zone(found["zone"], text)
    try:
        start, end = datetime.fromisoformat(found["start"]), datetime.fromisoformat(found["end"])
        if "T" not in found["end"]:
            end += _DAY
        begins, ends = min(_instants(start, zone)), max(_instants(end, zone))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text[:60]!r}: {error}") from error
    if begins >= ends:
        raise ValueError(f"{text[:60]!r} ends before it begins")
    return Freeze(start=begins, end=ends, text=text)


def _days(text: str, whole: str) -> frozenset[int]:
    if text.lower() == "daily":
        return frozenset(range(7))
    found: set[int] = set()
    for part in text.lower().split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last or first) not in DAYS:
            raise ValueError(f"{whole[:60]!r}: days are {', '.join(DAYS)}, or daily")
        start, length = DAYS.index(first), (DAYS.index(last or first) - DAYS.index(first)) % 7
        found |= {(start + number) % 7 for number in range(length + 1)}
    return frozenset(found)


def _clock(text: str, whole: str) -> time:
    if text == "24:00":
        return time()
    try:
        return time.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{whole[:60]!r}: {text} is no time of day") from error


def _zone(text: str, whole: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{whole[:60]!r}: there is no IANA time zone {text[:40]!r}") from error


def _instants(local: datetime, zone: ZoneInfo) -> tuple[datetime, ...]:
    """The moments in UTC at which the clocks of a zone show a time: one, or two where they are put back."""
    first, second = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first <= second:
        return first, second
    # Skipped: the clocks jump at a whole second between the moments that it would be by the new and the old offset.
    low, high, after = int(second.timestamp()), int(first.timestamp()), second.astimezone(zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == after:
            low = middle
        else:
            high = middle
    return (datetime.fromtimestamp(high, UTC),)
