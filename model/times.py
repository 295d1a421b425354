"""Times and durations as Azure writes them: seven fractional digits, any offset or none; ISO 8601 durations."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_TIME = re.compile(
    r"(?P<whole>\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?)(?:\.(?P<fraction>\d+))?(?P<zone>Z|[+-]\d\d:?\d\d)?", re.ASCII
)
_DURATION = re.compile(
    r"P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)(?:\.\d+)?S)?)?", re.ASCII
)


def parse_time(text: object) -> datetime | None:
    """An aware UTC time, or None where the text is not one. A time without an offset is UTC, as Azure means it."""
    if not isinstance(text, str) or not (found := _TIME.fullmatch(text.strip())):
        return None
    fraction = (found["fraction"] or "")[:6].ljust(6, "0")
    zone = found["zone"] or "+00:00"
    try:
        value = datetime.fromisoformat(f"{found['whole']}" + ("" if found["whole"].count(":") == 2 else ":00"))
        offset = datetime.fromisoformat(f"2000-01-01T00:00:00{zone}").utcoffset() or timedelta()
        return (value.replace(microsecond=int(fraction), tzinfo=UTC)) - offset
    except (ValueError, OverflowError):
        return None


def format_time(value: datetime) -> str:
    """RFC 3339 in UTC, to the millisecond where there are any."""
    value = value.astimezone(UTC)
    return value.isoformat(timespec="milliseconds" if value.microsecond else "seconds").replace("+00:00", "Z")


def parse_duration(text: object) -> timedelta | None:
    """An ISO 8601 duration of days, hours, minutes and seconds (`PT2H`, `PT03H00M00S`), or None."""
    if not isinstance(text, str) or not (found := _DURATION.fullmatch(text.strip())) or not any(found.groups()):
        return None
    try:
        return timedelta(**{unit: int(value or 0) for unit, value in found.groupdict().items()})
    except OverflowError:
        return None


def format_duration(value: timedelta) -> str:
    """ISO 8601 in hours and minutes, the way Automation documents it: `PT3H`, `PT2H30M`."""
    minutes, seconds = divmod(int(value.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        "PT"
        + (f"{hours}H" if hours else "")
        + (f"{minutes}M" if minutes else "")
        + (f"{seconds}S" if seconds or not (hours or minutes) else "")
    )


def in_words(value: timedelta) -> str:
    """For people: `3 h`, `2 h 30 min`, `5 d`."""
    minutes = int(value.total_seconds()) // 60
    days, minutes = divmod(minutes, 24 * 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{days} d" if days else "", f"{hours} h" if hours else "", f"{minutes} min" if minutes else ""]
    return " ".join(part for part in parts if part) or "0 min"
