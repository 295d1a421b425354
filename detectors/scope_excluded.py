"""S1, cause scope-excluded: the scope of Update Management does not name the machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from detectors.log_machines import Reporters
from detectors.protocol import unreadable
from detectors.running import may_run
from detectors.workspace_causes import QUERIES, READS, explained
from model.facts import Facts, Machine, Reading, Row
from model.findings import Detection, Finding, Unknown
from model.scope_queries import scope_query
from model.states import FailureState
from model.times import format_time, parse_time


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeExcluded:
    """A machine reports to the workspace, and the scope configuration keeps the Updates solution from it.

    Looks like: the machine is missing from the account's list although its agent beats.
    Evidence: it beats now and for more than `settled`, its newest beat does not name the solution `updates`, and
    neither its VM id nor its computer name is in the saved search `MicrosoftDefaultComputerGroup`.
    Healthy: there is no such saved search, so that the solution goes to all machines; the machine is in it, with its VM
    id in either byte order.
    Unknown: the saved search was rewritten by hand, so that only Log Analytics could tell whom it selects. While the
    workspace takes no data in, is not linked or lacks the solution, all of this is unknown: that comes first.
    Source: troubleshooting article, "Machines don't show up in the portal" (S1), scope configuration.
    """

    finds: ClassVar[FailureState] = FailureState.SCOPE_EXCLUDED
    reads: ClassVar[frozenset[Reading]] = READS | {Reading.MACHINES, Reading.SAVED_SEARCHES}
    queries: ClassVar[frozenset[str]] = QUERIES | {"scope-excluded"}
    settled: timedelta = timedelta(hours=1)
    """A new agent is given its solutions within minutes."""

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def detect(self, facts: Facts) -> Iterator[Detection]:
        if gap := unreadable(self, facts) or explained(self.finds, facts):
            yield gap
            return
        scope = scope_query(facts.saved_searches)
        if scope is None:
            return
        for machine, row in self._without_updates(facts):
            vm_id, computer = str(row.get("VmId") or machine.vm_id), str(row.get("Computer") or "")
            if scope.selects(vm_id, computer) or scope.selects(machine.vm_id, computer):
                continue
            if not scope.is_plain:
                missing = "whom the scope query selects: it is not one of those that Azure makes"
                yield Unknown(state=self.finds, target=machine.id, missing=missing)
                continue
            yield Finding(
                state=self.finds,
                target=machine.id,
                name=machine.name,
                reason="beats without the Updates solution, and the scope query does not name it",
                evidence={
                    "computer": computer,
                    "vmUuid": vm_id,
                    "solutions": row.get("Solutions"),
                    "savedSearch": scope.search.arm_id,
                    "lastBeat": format_time(parse_time(row.get("LastBeat")) or facts.now),
                },
            )

    def _without_updates(self, facts: Facts) -> Iterator[tuple[Machine, Row]]:
        reporters, seen = Reporters(facts), set[str]()
        for row in facts.rows.get("scope-excluded", ()):
            reporting, first = reporters.of(row), parse_time(row.get("First"))
            if reporting is None or reporting.machine is None or reporting.target in seen or first is None:
                continue
            if facts.now - first > self.settled and may_run(reporting.machine):
                seen.add(reporting.target)
                yield reporting.machine, row
