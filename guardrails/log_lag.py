"""Logs that arrive late say of the past what is taken for the present."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from guardrails.protocol import Situation
from model.plans import Hold, Plan
from model.times import in_words, parse_time

QUERY: Final = "newest-beat"
KQL: Final = (Path(__file__).parent / "newest-beat.log.kql").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLag:
    """Holds a plan for machines that stands on logs of which the newest is older than `most`.

    Heartbeats come every minute from every agent: where none has come for a while, the logs are late or have stopped,
    and a machine's silence, or its last error, says nothing of how it is now. A plan that touches no machine is let
    through, because it may be what brings the logs back.
    """

    most: timedelta

    def judge(self, plan: Plan, situation: Situation) -> Hold | None:
        facts = situation.facts
        if not situation.from_logs or not situation.reach_of(plan).machines:
            return None
        if gap := facts.missing(QUERY):
            return Hold(guardrail="log-lag", reason=f"how late the logs are is unknown: {gap.what}")
        newest = max((t for row in facts.rows.get(QUERY, ()) if (t := parse_time(row.get("Newest")))), default=None)
        if newest is None:
            return Hold(guardrail="log-lag", reason="no agent has written to the logs for a day")
        if situation.now - newest > self.most:
            late = in_words(situation.now - newest)
            reason = f"the newest heartbeat is {late} old, which is more than {in_words(self.most)}"
            return Hold(guardrail="log-lag", reason=reason)
        return None
