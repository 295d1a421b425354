"""X2: the Update solution could not be enabled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from detectors.complaints import MOST_NAMED, QUERIES, SHOWN, told_by_agents
from detectors.error_texts import SeenIn, meaning, plain_text
from model.documents import Json
from model.facts import Facts, Reading
from model.findings import Detection, Finding, Unknown
from model.states import FailureState
from model.times import format_time, parse_time

_OPERATIONS: Final = "operation-complaints"


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedToEnableUpdateSolution:
    """A workspace or a machine failed to take the Update solution on.

    Looks like: "Error details: Failed to enable the Update solution".
    Evidence: that text within a day, in the workspace's own reports (table `Operation`) or in event 4502 of an agent.
    Healthy: neither says so.
    Unknown: either could not be read; the workspace does not collect the log `Operations Manager`.
    Source: troubleshooting article of March 2020, "Failed to enable the Update solution" (X2).
    """

    finds: ClassVar[FailureState] = FailureState.FAILED_TO_ENABLE_UPDATE_SOLUTION
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.MACHINES})
    queries: ClassVar[frozenset[str]] = QUERIES | {_OPERATIONS}

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def detect(self, facts: Facts) -> Iterator[Detection]:
        # Each source is judged by itself: that one is missing must not hide what the other says.
        agents = replace(facts, unreadable={k: v for k, v in facts.unreadable.items() if k != _OPERATIONS})
        yield from told_by_agents(self, agents)
        yield from self._told_by_the_workspace(facts)

    def _told_by_the_workspace(self, facts: Facts) -> Iterator[Detection]:
        if gap := facts.missing(_OPERATIONS):
            yield Unknown(state=self.finds, target=facts.workspace, missing=gap.what)
            return
        said = [
            row
            for row in facts.rows.get(_OPERATIONS, ())
            if (means := meaning(str(row.get("Detail")), SeenIn.OPERATION)) and means.state is self.finds
        ]
        if not said:
            return
        newest = max(said, key=lambda row: str(row.get("Last")))
        computers = sorted({str(name) for row in said for name in _names(row.get("Computers"))})
        yield Finding(
            state=self.finds,
            target=facts.workspace,
            name=facts.workspace.rsplit("/", 1)[-1],
            reason=f"it reports: {plain_text(str(newest.get('Detail')))[:SHOWN]}",
            since=min((at for row in said if (at := parse_time(row.get("First")))), default=None),
            evidence={
                "text": plain_text(str(newest.get("Detail")))[:SHOWN],
                "computers": [*computers[:MOST_NAMED]],
                "machines": len(computers),
                "last": format_time(last) if (last := parse_time(newest.get("Last"))) else None,
            },
        )


def _names(listed: Json) -> list[Json]:
    return [name for name in listed if name] if isinstance(listed, list) else []
