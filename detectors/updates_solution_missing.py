"""S1, cause updates-solution-missing: the workspace lacks the Updates solution."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from detectors.workspace_causes import AFFECTED, READS, affected, has_updates
from model.facts import Facts, Reading
from model.findings import Detection, Finding, Unknown
from model.states import FailureState


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatesSolutionMissing:
    """The workspace has no Updates solution, or it is switched off, so that no agent assesses anything.

    Looks like: machines beat, and every one of them is "Not assessed" or missing.
    Evidence: `Microsoft.OperationsManagement/solutions/Updates(<workspace>)` does not exist, or the intelligence pack
    `Updates` is not enabled. The machines that are silent or not assessed are counted, and not treated one by one.
    Healthy: both are there.
    Unknown: either could not be read.
    Source: troubleshooting article, "Machines don't show up in the portal" (S1); agent and solution were retired on
    31 August 2024.
    """

    finds: ClassVar[FailureState] = FailureState.UPDATES_SOLUTION_MISSING
    reads: ClassVar[frozenset[Reading]] = READS | {Reading.MACHINES}
    queries: ClassVar[frozenset[str]] = AFFECTED

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def detect(self, facts: Facts) -> Iterator[Detection]:
        workspace = facts.log_workspace
        if (gap := facts.missing(*READS)) or workspace is None:
            yield Unknown(state=self.finds, target="", missing=gap.what if gap else "the workspace")
            return
        if has_updates(workspace):
            return
        missing = "is switched off" if workspace.has_solution else "does not exist"
        yield Finding(
            state=self.finds,
            target=facts.workspace,
            name=workspace.name,
            reason=f"the solution Updates({workspace.name}) {missing}",
            evidence={
                "solution": workspace.has_solution,
                "intelligencePack": workspace.pack_enabled,
                **affected(facts),
            },
        )
