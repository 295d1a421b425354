"""How soon a pause stops the steps of another process.

`python -m bench.pausing [TIMES]`. One process sweeps a broken estate and repairs it; while it does, another one says
`patchwright pause`. They share a ledger in a file and nothing else. The ledger's order tells which steps began after
the pause was written, the simulated Azure's log which changes were still made.
"""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from bench.measure import save
from model.states import FailureState
from simulator.fleet import Fleet
from simulator.fleets import DEFAULT_NOW
from simulator.serve import Simulator, running
from simulator.stories import identities, windows
from simulator.stories.book import Book

STATES: Final = (FailureState.SOURCE_ID_CHANGED, FailureState.MAINTENANCE_WINDOW_EXCEEDED)
INJURED: Final = 24
"""Repaired one after the other, in two steps each or one: seconds of work."""
_COMMAND: Final = Path(sys.executable).with_name("patchwright")
_LIMITS: Final = {
    "PATCHWRIGHT_MAX_MACHINES": "1000",
    "PATCHWRIGHT_MAX_PERCENT": "100",
    "PATCHWRIGHT_STORM_PERCENT": "100",
    "PATCHWRIGHT_OPT_IN": "readd-machine,widen-maintenance-window",
}
_BEGAN: Final = (
    "SELECT coalesce(max(seq), 0), count(*) FROM entries WHERE kind = 'step' AND id LIKE '%:began' AND seq > ?"
)
_READS: Final = re.compile(r"/(query|\$batch|providers/microsoft\.resourcegraph/resources)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """What was seen of one pause."""

    began_before: int
    """Steps that the sweep had begun when the pause was written."""
    began_after: int
    last_began_s: float
    """Seconds from the pause to the last step that began; 0 where none did."""
    changes_after: int
    """Changes that reached Azure after the pause was written, or while that was noticed."""
    queued: int
    """Treatments that were set aside for a person."""


def paused_once(folder: Path, after: int = 4) -> Stopped:
    """Pause the app from another process once a sweep has begun so many steps."""
    with running(_estate()) as azure:
        return _watched(azure, folder / "ledger.sqlite", after)


def _watched(azure: Simulator, ledger: Path, after: int) -> Stopped:
    env = {
        **os.environ,
        **azure.settings,
        **_LIMITS,
        "DRY_RUN": "false",
        "PATCHWRIGHT_MODES": '{"*": "act"}',
        "PATCHWRIGHT_LEDGER": f"sqlite:{ledger}",
    }
    sweep = ["sweep", "--apply", "--json", *(word for state in STATES for word in ("--state", state.value))]
    with subprocess.Popen([_COMMAND, *sweep], cwd=ledger.parent, env=env, stdout=subprocess.DEVNULL) as sweeping:
        try:
            while _rows(ledger, _BEGAN, 0)[1] < after:
                if sweeping.poll() is not None:
                    raise RuntimeError("the sweep was over before it could be paused")
                time.sleep(0.01)
            pausing = subprocess.Popen(
                [_COMMAND, "pause", "--reason", "a test"], cwd=ledger.parent, env=env, stdout=subprocess.DEVNULL
            )
            while not (pause := _rows(ledger, "SELECT coalesce(max(seq), 0), 0 FROM entries WHERE kind = 'pause'")[0]):
                time.sleep(0.01)
            paused, changed, last, known = time.monotonic(), _changes(azure), 0.0, 0
            while sweeping.poll() is None:
                newest, _ = _rows(ledger, _BEGAN, pause)
                if newest > known:
                    last, known = time.monotonic() - paused, newest
                time.sleep(0.01)
            pausing.wait(60)
        finally:
            sweeping.kill()
    began_after = _rows(ledger, _BEGAN, pause)[1]
    return Stopped(
        began_before=_rows(ledger, _BEGAN, 0)[1] - began_after,
        began_after=began_after,
        last_began_s=round(last, 2),
        changes_after=_changes(azure) - changed,
        queued=_rows(ledger, "SELECT 0, count(*) FROM entries WHERE kind = 'set-aside'")[1],
    )


def _estate() -> Fleet:
    book = Book(2 * INJURED + 8, 1, DEFAULT_NOW)
    while book.injured < INJURED:
        identities.source_id_changed_once(book)
        windows.window_exceeded(book)
    return book.fleet(STATES)


def _rows(ledger: Path, query: str, *values: int) -> tuple[int, int]:
    if not ledger.exists():
        return 0, 0
    with closing(sqlite3.connect(ledger, timeout=30)) as connection:
        try:
            first, second = connection.execute(query, values).fetchone()
        except sqlite3.OperationalError:
            # Its tables are being made.
            return 0, 0
    return int(first), int(second)


def _changes(azure: Simulator) -> int:
    asked = ((str(one["method"]), str(one["path"]).split("?")[0]) for one in azure.requests())
    return sum(method not in {"GET", "HEAD"} and not _READS.search(path) for method, path in asked)


def main(times: int) -> None:
    seen: list[Stopped] = []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            seen.append(paused_once(Path(folder)))
            sys.stderr.write(f"{seen[-1]}\n")
    save(
        "pausing",
        {
            "pauses": times,
            "worst": {
                "began_after": max(one.began_after for one in seen),
                "last_began_s": max(one.last_began_s for one in seen),
                "changes_after": max(one.changes_after for one in seen),
            },
            "seen": [asdict(one) for one in seen],
        },
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
