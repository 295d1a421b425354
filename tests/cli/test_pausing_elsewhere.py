"""The kill switch between two processes that share a ledger and nothing else; `bench.pausing` measures the same."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Final

from bench.pausing import paused_once

PROMISED: Final = timedelta(seconds=5)


def test_no_step_starts_anywhere_five_seconds_after_a_pause(tmp_path: Path) -> None:
    """A sweep that is repairing an estate stops; what it had not begun is kept for a person."""
    stopped = paused_once(tmp_path)

    assert stopped.began_before >= 4
    assert stopped.last_began_s < PROMISED.total_seconds()
    # One that was at the door already may have passed it.
    assert stopped.began_after <= 1
    assert stopped.queued > 0
