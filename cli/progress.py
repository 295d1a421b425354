"""One line on standard error that says what happens now: on a terminal only, and gone when there is an answer."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from datetime import datetime
from typing import Final

from cli.shown import moment, shown
from engine.ports import Clock

_CLEAR: Final = "\r\x1b[2K"


class ProgressLine:
    """May be told something from any thread."""

    def __init__(self, *, wanted: bool = True) -> None:
        self._shows = wanted and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._drawn = False
        self._lock = threading.Lock()

    def __call__(self, text: str) -> None:
        if not self._shows:
            return
        room = shutil.get_terminal_size().columns - 4
        with self._lock:
            sys.stderr.write(f"{_CLEAR}… {shown(text)[:room]}")
            sys.stderr.flush()
            self._drawn = True

    def clear(self) -> None:
        """Take the line away, before anything else is written to the terminal."""
        with self._lock:
            if self._drawn:
                sys.stderr.write(_CLEAR)
                sys.stderr.flush()
            self._drawn = False


class TellingClock:
    """A clock whose waits are told."""

    def __init__(self, clock: Clock, progress: ProgressLine) -> None:
        self._clock, self._progress = clock, progress

    def now(self) -> datetime:
        return self._clock.now()

    def sleep_until(self, due: datetime) -> None:
        self._progress(f"waiting until {moment(due)} UTC")
        self._clock.sleep_until(due)
