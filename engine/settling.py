"""When a repair is verified: after the run that shows whether it helped, which may not be the one that was planned for.

A treatment may be finished long after it was planned: it was paused half-way, or its process died. A run that passed
meanwhile shows the world as it was, and whoever judged the repair by it would call it ineffective.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from engine.ports import Estate, quiet
from model.documents import at
from model.facts import Facts
from model.plans import AwaitedRun, Settle
from model.times import parse_time

_UNTOLD: Final = timedelta(days=1)
"""Where it cannot be read when a deployment runs next: most of them run within."""


def due(settle: Settle, applied: datetime, estate: Estate) -> datetime:
    """The time of the verifying look; Azure is asked only where a run has been missed."""
    missed = settle.missed(applied)
    if not missed:
        return settle.due(applied)
    wanted = frozenset(run.deployment for run in missed)
    facts = estate.look_closer(estate.read(frozenset(), {}, quiet), wanted)
    return max(settle.due(applied), *(_shown(run, facts, applied) for run in missed))


def _shown(run: AwaitedRun, facts: Facts, applied: datetime) -> datetime:
    """When the next run of the same deployment will have shown it."""
    if facts.missing(run.deployment):
        return applied + _UNTOLD
    begins = parse_time(at(facts.documents.get(run.deployment, {}), "properties.scheduleInfo.nextRun"))
    # A deployment that does not run again shows nothing any more.
    return begins + run.shown if begins and begins > applied else applied
