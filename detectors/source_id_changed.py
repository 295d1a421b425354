"""S6, cause d: the agent took a new identity, and deployments go on calling the old one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Final

from detectors.protocol import unreadable
from model.facts import Deployment, Facts, Machine, MachineRun, Reading, Row
from model.findings import Detection, Finding, Unknown
from model.resource_ids import vm_ids
from model.runs import newest_runs, runs_again
from model.states import FailureState
from model.times import parse_time

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """A machine that failed to start in the newest run of a deployment that names it."""

    run: MachineRun
    deployment: Deployment
    started: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceIdChanged:
    """A machine's agent was reinstalled or reset, and deployments that name the machine still call its old identity.

    Looks like: machine runs end `FailedToStart`, "a hybrid worker group that does not exist".
    Evidence: in the newest run of a deployment, the machine failed to start under a `SourceComputerId` that it had once
    and has no more; one resource id, one VM id.
    Healthy: the newest run used the present identity, whatever the identity was before; the old identity was another
    VM's, which had the resource id before; the deployment will not run again.
    Unknown: the deployment was edited since that run, so that only its next run can tell; the run does not say whom it
    called; the VM's own id is missing; the deployment's schedule could not be read.
    Source: troubleshooting article, "Scheduled update fails for a machine" (S6).
    """

    finds: ClassVar[FailureState] = FailureState.SOURCE_ID_CHANGED
    reads: ClassVar[frozenset[Reading]] = frozenset(
        {Reading.MACHINES, Reading.DEPLOYMENTS, Reading.RUNS, Reading.MACHINE_RUNS}
    )
    queries: ClassVar[frozenset[str]] = frozenset({"source-id-changed"})

    def suspects(self, facts: Facts) -> frozenset[str]:
        """Every deployment that names a machine in this state: each of them has to be edited."""
        machines = _failed_calls(facts, _identities(facts)).keys()
        return frozenset(d.id for d in facts.deployments.values() if not machines.isdisjoint(d.azure_machines))

    def detect(self, facts: Facts) -> Iterator[Detection]:
        if gap := unreadable(self, facts):
            yield gap
            return
        identities = _identities(facts)
        for machine_id, calls in _failed_calls(facts, identities).items():
            machine, beats = facts.machines[machine_id], identities[machine_id]
            open_calls: list[_Call] = []
            doubts: list[str] = []
            for call in calls:
                match _judged(call, machine, beats, facts):
                    case True:
                        open_calls.append(call)
                    case str() as doubt:
                        doubts.append(doubt)
                    case False:
                        pass
            if open_calls:
                yield self._finding(machine, beats[-1], open_calls)
            elif doubts:
                yield Unknown(state=self.finds, target=machine_id, missing="; ".join(sorted(set(doubts))))

    def _finding(self, machine: Machine, current: Row, calls: list[_Call]) -> Finding:
        names = sorted(call.deployment.name for call in calls)
        was = sorted({call.run.source_computer_id for call in calls})
        return Finding(
            state=self.finds,
            target=machine.id,
            name=machine.name,
            reason=f"{', '.join(names)} called {', '.join(was)}; it beats as {current['SourceComputerId']}",
            since=parse_time(current.get("First")),
            evidence={
                "computer": current.get("Computer"),
                "sourceComputerIdWas": [*was],
                "sourceComputerIdIs": current.get("SourceComputerId"),
                "deployments": [*names],
                "machineRuns": [call.run.id for call in calls],
            },
        )


def _identities(facts: Facts) -> dict[str, list[Row]]:
    """The identities of each machine that had several, the one it beats with now last."""
    found: dict[str, list[Row]] = {}
    for row in sorted(
        facts.rows.get("source-id-changed", ()), key=lambda row: parse_time(row.get("Last")) or _LONG_AGO
    ):
        found.setdefault(str(row.get("MachineId")), []).append(row)
    return found


def _failed_calls(facts: Facts, identities: dict[str, list[Row]]) -> dict[str, list[_Call]]:
    """By machine: what failed to start in a deployment's newest run, and not under the machine's present identity."""
    newest = newest_runs(facts)
    found: dict[str, list[_Call]] = {}
    for run in facts.machine_runs:
        deployment, beats = newest.deployment_of(run.run), identities.get(run.target)
        if run.status != "failedtostart" or deployment is None or not beats:
            continue
        if run.target not in facts.machines or run.target not in deployment.azure_machines:
            continue
        if run.source_computer_id != beats[-1].get("SourceComputerId"):
            started = run.start or newest.by_deployment[deployment.id][0].start
            found.setdefault(run.target, []).append(_Call(run=run, deployment=deployment, started=started))
    return found


def _judged(call: _Call, machine: Machine, beats: list[Row], facts: Facts) -> bool | str:
    """True where the deployment still calls an identity of the past, or in words why that cannot be told."""
    deployment, own_id = call.deployment, "the VM's own id, in the inventory and in its heartbeats"
    if not call.run.source_computer_id:
        return f"the identity that the newest run of {deployment.name} called"
    old = next((row for row in beats if row.get("SourceComputerId") == call.run.source_computer_id), None)
    if old is None:
        # It never was this machine's, or so long ago that nothing is known of it.
        return False
    for row in (beats[-1], old):
        spellings = vm_ids(str(row.get("VmId")))
        if not machine.vm_id or not spellings:
            return own_id
        if machine.vm_id not in spellings:
            # A resource id is used again when a VM is built anew: that is another machine, not another identity.
            return False
    if unread := facts.missing(deployment.id):
        return unread.what
    if (document := facts.documents.get(deployment.id)) is None:
        return False
    match runs_again(document, facts.now):
        case None:
            return f"whether {deployment.name} will run again"
        case False:
            return False
        case True:
            pass
    if deployment.last_modified and (call.started is None or deployment.last_modified > call.started):
        return f"a run of {deployment.name} since it was edited; the next one tells"
    return True
