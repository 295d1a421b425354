"""Counts and times in sentences for people."""

from __future__ import annotations

from datetime import UTC, datetime


def counted(count: int, one: str, many: str = "") -> str:
    """`1 machine`, `2 machines`."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def at_time(value: datetime) -> str:
    """`2026-03-10 04:30 UTC`."""
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def kb_number(kb: str) -> str:
    """The number of a Windows update, however it was written: `KB5034768`, `kb 5034768`, `5034768`."""
    return kb.strip().upper().removeprefix("KB").strip()
