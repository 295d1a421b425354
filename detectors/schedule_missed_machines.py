"""X4: a scheduled deployment with dynamic queries did not call machines that it selects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from detectors.dynamic_groups import AGENTS, MOST_LISTED, READS, REMEMBERED, Absent, DynamicGroups
from detectors.protocol import unreadable
from model.dynamic_groups import selected
from model.facts import Deployment, Facts, Reading, UpdateRun
from model.findings import Detection, Finding, Unknown
from model.states import FailureState


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleMissedMachines:
    """The newest run of a deployment did not call machines that its dynamic queries selected.

    Looks like: "Scheduled update did not patch some machines"; the run counts fewer machines than the preview shows.
    Evidence: the run's `computerCount` is below what the queries (scope, system, locations, tags) select and the
    deployment names; a machine that they select, that has a system hybrid worker and that existed when the run started
    has no machine run of that `correlationId`. What the machine was then comes from Resource Graph's changes.
    Healthy: the machine came to be selected after the run started, so that the next one calls it; it has no worker,
    which is `not-in-dynamic-group-preview`; the deployment was changed since the run; a run is under way.
    Unknown: a reading could not be had; the run is older than the 13 days for which changes can be told.
    Source: troubleshooting article, "Scheduled update did not patch some machines" (2020 and 2021, X4).
    """

    finds: ClassVar[FailureState] = FailureState.SCHEDULE_MISSED_MACHINES
    reads: ClassVar[frozenset[Reading]] = READS
    queries: ClassVar[frozenset[str]] = frozenset()

    def suspects(self, facts: Facts) -> frozenset[str]:
        return frozenset()

    def detect(self, facts: Facts) -> Iterator[Detection]:
        if gap := unreadable(self, facts):
            yield gap
            return
        groups = DynamicGroups(facts=facts)
        for deployment in groups.deployments:
            if run := groups.runs.get(deployment.id):
                yield from self._judge(groups, deployment, run)

    def _judge(self, groups: DynamicGroups, deployment: Deployment, run: UpdateRun) -> Iterator[Detection]:
        facts, started = groups.facts, run.start
        if started is None:
            return
        if gap := facts.missing(f"called:{run.id}"):
            yield Unknown(state=self.finds, target=deployment.id, missing=f"whom {deployment.name} called: {gap.what}")
            return
        missing = list(groups.missing(deployment))
        if not missing:
            return
        if gap := facts.missing(AGENTS):
            yield Unknown(state=self.finds, target=deployment.id, missing=f"which machines have a worker: {gap.what}")
            return
        with_worker = [machine for machine in missing if groups.without_worker(machine) is None]
        if with_worker and facts.now - started > REMEMBERED:
            told = f"what changed since the run of {deployment.name}: Resource Graph remembers 14 days"
            yield Unknown(state=self.finds, target=deployment.id, missing=told)
            return
        judged = [groups.not_called(deployment, run, started, machine) for machine in with_worker]
        if absent := [one for one in judged if one]:
            yield self._finding(facts, deployment, run, absent)

    def _finding(self, facts: Facts, deployment: Deployment, run: UpdateRun, absent: list[Absent]) -> Finding:
        wanted = selected(deployment, facts.machines.values())
        return Finding(
            state=self.finds,
            target=deployment.id,
            name=deployment.name,
            reason=f"its newest run did not call {len(absent)} of the {len(wanted)} machines that its queries select",
            since=run.start,
            evidence={
                "run": run.id,
                "called": run.computer_count,
                "selected": len(wanted),
                "machineCount": len(absent),
                "machines": [one.told for one in absent[:MOST_LISTED]],
            },
        )
