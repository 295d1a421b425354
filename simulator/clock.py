"""Simulated time, and what is due when.

By default time stands still and moves only when told to, so that a run can be repeated exactly; it can also flow with
real time.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from datetime import datetime, timedelta


class Clock:
    """Now, and an agenda of what happens later. What is due happens in order of time, at its own time."""

    def __init__(self, now: datetime, *, flows: bool = False) -> None:
        self._now = now
        self._flows = flows
        self._real = time.monotonic()
        self._agenda: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = itertools.count()

    @property
    def now(self) -> datetime:
        return self._now

    def at(self, when: datetime, action: Callable[[], None]) -> None:
        """Do `action` when the clock reaches `when`; at the next move where that is over."""
        heapq.heappush(self._agenda, (when, next(self._order), action))

    def flow(self) -> None:
        """Follow real time, where this clock does."""
        if self._flows:
            real = time.monotonic()
            elapsed, self._real = timedelta(seconds=real - self._real), real
            self.advance_to(self._now + elapsed)

    def advance_to(self, when: datetime) -> None:
        """Move to `when` and let everything due until then happen. Raises `ValueError` for a time that is over."""
        if when < self._now:
            raise ValueError(f"time does not run backwards: it is {self._now.isoformat()}")
        while self._agenda and self._agenda[0][0] <= when:
            due, _, action = heapq.heappop(self._agenda)
            self._now = max(self._now, due)
            action()
        self._now = when
