"""S6, cause d: the agent took a new identity, and deployments go on calling the old one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from detectors.protocol import unreadable
from model.facts import Deployment, Facts, Machine, MachineRun, Reading, Row
from model.findings import Detection, Finding, Unknown
from model.resource_ids import vm_ids
from model.runs import newest_runs
from model.states import FailureState
from model.times import parse_time


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceIdChanged:
    """A machine's agent was reinstalled or reset, and deployments that name the machine still call its old identity.

    Looks like: machine runs end `FailedToStart`, "a hybrid worker group that does not exist".
    Evidence: in the newest run of a deployment, the machine failed to start under a `SourceComputerId` that is not the
    one it beats with now; one resource id, one VM id.
    Healthy: the newest run used the present identity, whatever the identity was before.
    Unknown: the deployment was edited since that run, so that only its next run can tell.
    Source: troubleshooting article, "Scheduled update fails for a machine" (S6).
    """

    finds: ClassVar[FailureState] = FailureState.SOURCE_ID_CHANGED
    reads: ClassVar[frozenset[Reading]] = frozenset(
        {Reading.MACHINES, Reading.DEPLOYMENTS, Reading.RUNS, Reading.MACHINE_RUNS}
    )
    queries: ClassVar[frozenset[str]] = frozenset({"source-id-changed"})

    def suspects(self, facts: Facts) -> frozenset[str]:
        """Every deployment that names a machine in this state: each of them has to be edited."""
        machines = {machine.id for machine, _, _ in self._called_by_old_identity(facts)}
        return frozenset(d.id for d in facts.deployments.values() if machines.intersection(d.azure_machines))

    def detect(self, facts: Facts) -> Iterator[Detection]:
        if gap := unreadable(self, facts):
            yield gap
            return
        calls: dict[str, list[tuple[MachineRun, Deployment]]] = {}
        for machine, run, deployment in self._called_by_old_identity(facts):
            calls.setdefault(machine.id, []).append((run, deployment))
        for machine_id, failed in calls.items():
            machine, current = facts.machines[machine_id], _identities(facts)[machine_id][-1]
            open_calls = [(run, deployment) for run, deployment in failed if not _edited_since(run, deployment)]
            if not open_calls:
                edited = ", ".join(sorted(deployment.name for _, deployment in failed))
                yield Unknown(
                    state=self.finds,
                    target=machine_id,
                    missing=f"a run of {edited} since it was edited; the next one tells",
                )
                continue
            names = sorted(deployment.name for _, deployment in open_calls)
            was = sorted({run.source_computer_id for run, _ in open_calls})
            yield Finding(
                state=self.finds,
                target=machine_id,
                name=machine.name,
                reason=f"{', '.join(names)} called {', '.join(was)}; it beats as {current['SourceComputerId']}",
                since=parse_time(current.get("First")),
                evidence={
                    "computer": current.get("Computer"),
                    "sourceComputerIdWas": list(was),
                    "sourceComputerIdIs": current.get("SourceComputerId"),
                    "deployments": list(names),
                    "machineRuns": [run.id for run, _ in open_calls],
                },
            )

    def _called_by_old_identity(self, facts: Facts) -> Iterator[tuple[Machine, MachineRun, Deployment]]:
        """Machine runs of each deployment's newest run that failed to start under an identity of the past."""
        newest = newest_runs(facts)
        identities = _identities(facts)
        for run in facts.machine_runs:
            deployment = newest.deployment_of(run.run)
            machine, beats = facts.machines.get(run.target), identities.get(run.target)
            if run.status != "failedtostart" or not run.source_computer_id:
                continue
            if deployment is None or run.target not in deployment.azure_machines or machine is None or not beats:
                continue
            current = beats[-1]
            # The newest beats must be this very VM's: a resource id is used again when a VM is built anew.
            if machine.vm_id and machine.vm_id not in vm_ids(str(current.get("VmId"))):
                continue
            if current.get("SourceComputerId") != run.source_computer_id:
                yield machine, run, deployment


def _identities(facts: Facts) -> dict[str, list[Row]]:
    """Each machine's identities, the one it beats with now last."""
    found: dict[str, list[Row]] = {}
    for row in sorted(facts.rows.get("source-id-changed", ()), key=lambda row: str(row.get("Last"))):
        found.setdefault(str(row.get("MachineId")), []).append(row)
    return found


def _edited_since(run: MachineRun, deployment: Deployment) -> bool:
    return run.start is not None and deployment.last_modified is not None and deployment.last_modified > run.start
