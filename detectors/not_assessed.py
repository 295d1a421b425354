"""S1, cause not-assessed: the agent beats and no assessment comes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from detectors import complaints
from detectors.inside import found_without
from detectors.log_machines import Reporters
from detectors.running import changed_at, may_run, runs
from detectors.workspace_causes import QUERIES, READS, explained, first_cause
from model.facts import Facts, Machine, Reading, Row
from model.findings import Detection, Finding, Unknown
from model.states import FailureState
from model.times import format_time, in_words, parse_time


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAssessed:
    """A machine's agent beats with the Updates solution, and what updates the machine needs is not known.

    Looks like: "Not assessed" in the account's list, although the machine is connected.
    Evidence: it beats now, its newest beat names the solution `updates`, and no row of `Update` came from it within
    14 hours, or within 5 hours on Linux: Windows assesses itself twice a day, Linux every hour.
    Healthy: an assessment came under the machine or under its agent's identity; the agent is new, or the machine was
    started, within `first`, which a first assessment may take.
    Unknown: whether the machine runs, and since when, could not be read; the workspace has no table `Update`; its
    update agent ends with an error of its own, or its agent says itself why it cannot register, and that comes first.
    While the workspace takes no data in, is not linked or lacks the solution, all of this is unknown: that comes first.
    Source: troubleshooting article, "Machines don't show up in the portal" (S1), "Not assessed".
    """

    finds: ClassVar[FailureState] = FailureState.NOT_ASSESSED
    reads: ClassVar[frozenset[Reading]] = READS | {Reading.MACHINES}
    queries: ClassVar[frozenset[str]] = QUERIES | complaints.QUERIES | {"not-assessed", "update-agent-error"}
    first: timedelta = timedelta(hours=6)
    """How long a new agent may take for its first assessment; Linux needs the most."""
    fresh: timedelta = timedelta(hours=1)
    """One that is silent for longer is another matter."""

    def suspects(self, facts: Facts) -> frozenset[str]:
        if self._gap(facts) or first_cause(facts):
            return frozenset()
        return frozenset(self._unassessed(facts))

    def probes(self, facts: Facts) -> frozenset[str]:
        """What stands in the way shows inside."""
        return found_without(self, facts)

    def detect(self, facts: Facts) -> Iterator[Detection]:
        if gap := self._gap(facts) or explained(self.finds, facts):
            yield gap
            return
        causes = _causes(facts)
        for machine, row, began in self._unassessed(facts).values():
            if unread := facts.missing(machine.id):
                yield Unknown(state=self.finds, target=machine.id, missing=unread.what)
                continue
            document = facts.documents.get(machine.id)
            if document is None or runs(machine, document) is False:
                continue
            began_at = max(began, changed_at(machine, document) or began)
            if facts.now - began_at <= self.first:
                continue
            if cause := causes.get(machine.id):
                yield Unknown(state=self.finds, target=machine.id, missing=cause)
            else:
                yield self._finding(machine, row, facts)

    def _gap(self, facts: Facts) -> Unknown | None:
        # What explains single machines may be missing: nobody need collect the agents' log.
        gap = facts.missing(*sorted(self.reads), *sorted(QUERIES), "not-assessed")
        return Unknown(state=self.finds, target="", missing=gap.what) if gap else None

    def _unassessed(self, facts: Facts) -> dict[str, tuple[Machine, Row, datetime]]:
        reporters = Reporters(facts)
        found: dict[str, tuple[Machine, Row, datetime]] = {}
        for row in facts.rows.get("not-assessed", ()):
            reporting = reporters.of(row)
            first, last = parse_time(row.get("First")), parse_time(row.get("LastBeat"))
            if reporting is None or reporting.machine is None or first is None or last is None:
                continue
            beats, settled = facts.now - last <= self.fresh, facts.now - first > self.first
            if beats and settled and may_run(reporting.machine):
                found[reporting.target] = (reporting.machine, row, first)
        return found

    def _finding(self, machine: Machine, row: Row, facts: Facts) -> Finding:
        linux = str(row.get("OSType")).lower() == "linux"
        within = timedelta(hours=5 if linux else 14)
        return Finding(
            state=self.finds,
            target=machine.id,
            name=machine.name,
            reason=f"beats with the Updates solution, and sent no assessment within {in_words(within)}",
            since=facts.now - within,
            evidence={
                "computer": row.get("Computer"),
                "osType": row.get("OSType"),
                "sourceComputerId": row.get("SourceComputerId"),
                "lastBeat": format_time(parse_time(row.get("LastBeat")) or facts.now),
            },
        )


def _causes(facts: Facts) -> dict[str, str]:
    """By machine: what comes before its missing assessment, and is then missing to judge that by itself."""
    found = {
        complaint.target: f"a worker that could assess it: its agent says that {complaint.means.means}"
        for complaint in complaints.complaints(facts)
        if complaint.means
    }
    reporters = Reporters(facts)
    for row in facts.rows.get("update-agent-error", ()):
        if row.get("Phase") == "scan" and (reporting := reporters.of(row)):
            found[reporting.target] = "an update agent that can assess: it ends with an error of its own"
    return found
