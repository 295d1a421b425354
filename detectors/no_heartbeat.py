"""S1, cause no-heartbeat: the machine runs and its agent is silent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from detectors.inside import amiss, found_without
from detectors.log_machines import Reporters
from detectors.protocol import unreadable
from detectors.running import changed_at, may_run, runs
from detectors.workspace_causes import QUERIES, READS, explained, first_cause
from model.facts import Facts, Machine, Reading, Row
from model.findings import Detection, Finding, Unknown
from model.states import FailureState
from model.times import format_time, in_words, parse_time


@dataclass(frozen=True, slots=True, kw_only=True)
class NoHeartbeat:
    """A machine runs, and the agent of Update Management on it has stopped to beat.

    Looks like: "Not configured" or "Disconnected" in the account's list; no new assessment; deployments that do not
    start on the machine.
    Evidence: the machine has been running for more than `silent_for`, has beaten in the last 35 days, and not within
    `silent_for`; agents beat once a minute.
    Healthy: the machine is stopped, deallocated or disconnected from Arc; it was started within `silent_for`; it beats
    under another resource id or with its VM id in the other byte order; only the newer agent is left on it, which is
    where it should go; it has never beaten here, so that nobody has put it under management.
    Unknown: whether it runs, and since when, could not be read. While the workspace takes no data in, is not linked or
    lacks the solution, all of this is unknown: that comes first.
    Source: troubleshooting article, "Machines don't show up in the portal" (S1).
    """

    finds: ClassVar[FailureState] = FailureState.NO_HEARTBEAT
    reads: ClassVar[frozenset[Reading]] = READS | {Reading.MACHINES, Reading.AGENTS}
    queries: ClassVar[frozenset[str]] = QUERIES | {"no-heartbeat"}
    silent_for: timedelta = timedelta(hours=1)

    def suspects(self, facts: Facts) -> frozenset[str]:
        if unreadable(self, facts) or first_cause(facts):
            return frozenset()
        return frozenset(self._silent(facts))

    def probes(self, facts: Facts) -> frozenset[str]:
        """What stands in the way shows inside."""
        return found_without(self, facts)

    def detect(self, facts: Facts) -> Iterator[Detection]:
        if gap := unreadable(self, facts) or explained(self.finds, facts):
            yield gap
            return
        for machine, row in self._silent(facts).values():
            if unread := facts.missing(machine.id):
                yield Unknown(state=self.finds, target=machine.id, missing=unread.what)
                continue
            document = facts.documents.get(machine.id)
            if document is None:
                continue
            match runs(machine, document):
                case None:
                    yield Unknown(state=self.finds, target=machine.id, missing="whether the machine runs")
                case True if self._has_had_time(machine, facts):
                    yield self._finding(machine, row, facts)
                case _:
                    pass

    def _silent(self, facts: Facts) -> dict[str, tuple[Machine, Row]]:
        """By machine: the newest beat of each that may run and is silent."""
        reporters, with_agent = Reporters(facts), frozenset(agent.machine_id for agent in facts.agents)
        found: dict[str, tuple[Machine, Row]] = {}
        rows = facts.rows.get("no-heartbeat", ())
        for row in sorted(rows, key=lambda row: str(row.get("LastBeat"))):
            reporting, last = reporters.of(row), parse_time(row.get("LastBeat"))
            if reporting is None or reporting.machine is None or last is None:
                continue
            moved_on = row.get("NewerBeat") and reporting.target not in with_agent
            if not moved_on and may_run(reporting.machine) and facts.now - last > self.silent_for:
                found[reporting.target] = (reporting.machine, row)
        return found

    def _has_had_time(self, machine: Machine, facts: Facts) -> bool:
        changed = changed_at(machine, facts.documents[machine.id])
        return changed is None or facts.now - changed > self.silent_for

    def _finding(self, machine: Machine, row: Row, facts: Facts) -> Finding:
        last = parse_time(row.get("LastBeat"))
        assert last is not None  # noqa: S101 - `_silent` has looked
        return Finding(
            state=self.finds,
            target=machine.id,
            name=machine.name,
            reason=f"runs, and its agent has been silent for {in_words(facts.now - last)}",
            since=last,
            evidence={
                "computer": row.get("Computer"),
                "lastBeat": format_time(last),
                "sourceComputerId": row.get("SourceComputerId"),
                "newerAgentBeats": bool(row.get("NewerBeat")),
                "agentService": amiss(facts, machine.id, "monitoring-agent-running"),
            },
        )
