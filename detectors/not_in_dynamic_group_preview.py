"""X5: dynamic queries select machines that no deployment can call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from detectors.dynamic_groups import AGENTS, MOST_LISTED, READS, Absent, DynamicGroups
from detectors.protocol import unreadable
from detectors.workspace_causes import QUERIES, explained
from detectors.workspace_causes import READS as OF_THE_WORKSPACE
from model.dynamic_groups import may_answer
from model.facts import Deployment, Facts, Reading
from model.findings import Detection, Finding, Unknown
from model.states import FailureState
from model.words import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class NotInDynamicGroupPreview:
    """Machines that fit a deployment's dynamic queries have no system hybrid worker, so the preview leaves them out.

    Looks like: "Machines do not show up in the dynamic group preview", although scope, location and tags fit.
    Evidence: a machine that runs and that the queries select is called by no run, and no system hybrid worker group has
    the identity of an agent of it that has beaten within 30 days, or no agent of it has beaten at all.
    Healthy: the machine is off; the newest run called it; it has a worker, so that `schedule-missed-machines` looks.
    Unknown: a reading could not be had. While the workspace takes no data in, is not linked or lacks the solution, all
    of this is unknown: that comes first.
    Source: troubleshooting article, "Machines do not show up in the dynamic group preview" (2020, X5).
    """

    finds: ClassVar[FailureState] = FailureState.NOT_IN_DYNAMIC_GROUP_PREVIEW
    reads: ClassVar[frozenset[Reading]] = READS | OF_THE_WORKSPACE
    queries: ClassVar[frozenset[str]] = QUERIES

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def detect(self, facts: Facts) -> Iterator[Detection]:
        if gap := unreadable(self, facts) or explained(self.finds, facts):
            yield gap
            return
        groups = DynamicGroups(facts=facts)
        for deployment in groups.deployments:
            run = groups.runs.get(deployment.id)
            missing = [machine for machine in groups.missing(deployment) if may_answer(machine)]
            if run and (unread := facts.missing(f"called:{run.id}")):
                doubt = f"whom {deployment.name} called: {unread.what}"
                yield Unknown(state=self.finds, target=deployment.id, missing=doubt)
            elif missing and (unread := facts.missing(AGENTS)):
                doubt = f"which machines have a worker: {unread.what}"
                yield Unknown(state=self.finds, target=deployment.id, missing=doubt)
            elif absent := [one for machine in missing if (one := groups.without_worker(machine))]:
                yield self._finding(deployment, absent)

    def _finding(self, deployment: Deployment, absent: list[Absent]) -> Finding:
        return Finding(
            state=self.finds,
            target=deployment.id,
            name=deployment.name,
            reason=(
                "its queries select "
                f"{counted(len(absent), 'machine that runs and has', 'machines that run and have')} "
                "no system hybrid worker"
            ),
            evidence={
                "machineCount": len(absent),
                "machines": [one.told for one in absent[:MOST_LISTED]],
            },
        )
