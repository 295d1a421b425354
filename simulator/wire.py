"""How the services write values."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo


def time_out(value: datetime, zone: tzinfo = UTC) -> str:
    """A time with seven fractional digits and an offset, as Automation writes it."""
    local = value.astimezone(zone)
    offset = local.strftime("%z") or "+0000"
    return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond:06}0{offset[:3]}:{offset[3:5]}"
