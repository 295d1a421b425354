"""X3: superseded updates are shown as missing, because WSUS has not declined them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from detectors.log_machines import MOST_LISTED, Reporters, Reporting, update_server
from detectors.protocol import unreadable
from model.facts import Facts, Reading, Row
from model.findings import Detection, Finding
from model.states import FailureState
from model.words import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class SupersededShownMissing:
    """Machines of a WSUS server are shown as lacking updates that a later one, which they have, replaced.

    Looks like: machines are up to date, and months-old updates are still listed as missing.
    Evidence: the newest assessment of a WSUS client needs a monthly cumulative update or rollup, and has a later one of
    the same title installed. One finding for each WSUS server; for the workspace where the server is not known.
    Healthy: no later one of the same title is installed; machines that take updates from Microsoft.
    Unknown: the updates, the summaries or the machines could not be read.
    Source: troubleshooting article, edition of 2020, "Superseded update indicated as missing" (X3).
    """

    finds: ClassVar[FailureState] = FailureState.SUPERSEDED_SHOWN_MISSING
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.MACHINES})
    queries: ClassVar[frozenset[str]] = frozenset({"superseded-updates"})

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def detect(self, facts: Facts) -> Iterator[Detection]:
        if gap := unreadable(self, facts):
            yield gap
            return
        reporters = Reporters(facts)
        by_server: dict[str, list[tuple[Reporting, Row]]] = {}
        for row in facts.rows["superseded-updates"]:
            if row.get("State") == "needed" and (reporting := reporters.of(row)):
                by_server.setdefault(update_server(row.get("Source")), []).append((reporting, row))
        for server, those in by_server.items():
            machines = sorted({reporting.target for reporting, _ in those})
            kbs = sorted({kb for _, row in those for kb in kb_list(row, "KBs")})
            by = sorted({kb for _, row in those for kb in kb_list(row, "By")})
            where = f"on {server}" if server else "on their WSUS server"
            yield Finding(
                state=self.finds,
                target=f"name:{server}" if server else facts.workspace,
                name=server or facts.workspace.rsplit("/", 1)[-1],
                reason=(
                    f"{counted(len(kbs), 'superseded update is', 'superseded updates are')} not declined {where}, and "
                    f"shown as missing on {counted(len(machines), 'machine')}"
                ),
                evidence={
                    "server": server,
                    "updates": [*kbs],
                    "supersededBy": [*by],
                    "machines": [*machines[:MOST_LISTED]],
                    "machineCount": len(machines),
                },
            )


def kb_list(row: Row, column: str) -> list[str]:
    """KB numbers without their letters."""
    values = row.get(column)
    return [str(value).upper().removeprefix("KB") for value in values if value] if isinstance(values, list) else []
