"""P2: updates that machines need are not offered to them, because nobody approved them on their WSUS server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from detectors.inside import inside
from detectors.log_machines import MOST_LISTED, Reporters, update_server
from detectors.protocol import unreadable
from model.diagnosis import Result
from model.documents import Json
from model.facts import Facts, Reading, Row
from model.findings import Detection, Finding
from model.states import FailureState
from model.times import format_time, parse_time
from model.words import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatesAvailableNotShown:
    """Updates are needed and not approved on the WSUS server or in Configuration Manager, so that no run installs them.

    Looks like: updates that are available are neither shown as missing nor installed; runs do without them.
    Evidence: `Update` rows that are Needed, with `ApprovalSource` WSUS and `Approved` false, in the newest assessment.
    One finding for each WSUS server; for the workspace where machines did not say which server is theirs.
    Healthy: approved updates; machines that take updates from Microsoft, or say so where they were looked into;
    definition updates, which come every day.
    Unknown: the updates, the summaries or the machines could not be read.
    Source: troubleshooting article, "Updates are available but not shown" (P2).
    """

    finds: ClassVar[FailureState] = FailureState.UPDATES_AVAILABLE_NOT_SHOWN
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.MACHINES})
    queries: ClassVar[frozenset[str]] = frozenset({"updates-available-not-shown"})

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def detect(self, facts: Facts) -> Iterator[Detection]:
        if gap := unreadable(self, facts):
            yield gap
            return
        reporters = Reporters(facts)
        by_server: dict[str, list[Row]] = {}
        for row in facts.rows["updates-available-not-shown"]:
            # Machines that are gone since need nothing any more, nor do those that ask no server any more.
            known = [one for one in _machines(row) if one.startswith("name:") or reporters.of({"MachineId": one})]
            if machines := [one for one in known if _may_ask_a_server(facts, one)]:
                by_server.setdefault(update_server(row.get("Source")), []).append({**row, "Machines": [*machines]})
        for server, rows in by_server.items():
            yield self._finding(server, rows, facts)

    def _finding(self, server: str, rows: list[Row], facts: Facts) -> Finding:
        rows = sorted(rows, key=lambda row: str(row.get("Published") or "9999"))
        machines = sorted({machine for row in rows for machine in _machines(row)})
        updates: list[Json] = []
        for row in rows[:MOST_LISTED]:
            published = parse_time(row.get("Published"))
            updates.append(
                {
                    "kb": str(row.get("KBID") or ""),
                    "title": str(row.get("Title") or ""),
                    "published": format_time(published) if published else None,
                    "ageInDays": (facts.now - published) // timedelta(days=1) if published else None,
                    "machines": len(_machines(row)),
                }
            )
        where = f"on {server}" if server else "on their WSUS server"
        return Finding(
            state=self.finds,
            target=f"name:{server}" if server else facts.workspace,
            name=server or facts.workspace.rsplit("/", 1)[-1],
            reason=(
                f"{counted(len(rows), 'update')} that {counted(len(machines), 'machine needs', 'machines need')} "
                f"{'is' if len(rows) == 1 else 'are'} not approved {where}"
            ),
            since=parse_time(rows[0].get("Published")),
            evidence={
                "server": server,
                "updates": updates,
                "updateCount": len(rows),
                "machines": [*machines[:MOST_LISTED]],
                "machineCount": len(machines),
            },
        )


def _may_ask_a_server(facts: Facts, target: str) -> bool:
    """False only where a look inside says that the machine takes its updates from Microsoft."""
    return inside(facts, target, "wsus-configured").result is not Result.PASSED


def _machines(row: Row) -> list[str]:
    machines = row.get("Machines")
    return [str(machine) for machine in machines] if isinstance(machines, list) else []
