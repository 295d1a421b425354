"""Register machines anew that a dynamic group selects and that have no worker."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import ClassVar, Final

from model.documents import list_at, text_at
from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import AwaitIdentity, Declined, Plan, RunScript, Settle, Step
from model.states import ActionClass, FailureState, Impact
from remediations.in_guest import RUN_COMMAND
from remediations.protocol import declined
from remediations.reset_worker_key import ResetWorkerKey

_NO_WORKER: Final = "no-worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReregisterGroupMembers:
    """Remove the worker key of each machine that beats without a worker and restart its agent, which registers anew.

    Effect: one machine after the other: `HKLM:\\SOFTWARE\\Microsoft\\HybridRunbookWorker` is exported to a file on the
    machine and removed; HealthService restarts; the machine beats under a new identity, which has a worker group. The
    deployment is not changed.
    Declined: a machine lacks the agent, which only a person can put on it; there are more than `most` machines; one of
    them is also a user hybrid worker, or no running Windows VM with a ready guest agent, or beats under several
    identities.
    Risk: the machines have new identities then; deployments that name them go on calling the old ones until they are
    added again, which `source-id-changed` looks after.
    Verified: every machine that the queries select has a worker.
    Undo: `reg import` of each export and a restart of HealthService bring the old keys back.
    """

    id: ClassVar[str] = "reregister-group-members"
    fixes: ClassVar[FailureState] = FailureState.NOT_IN_DYNAMIC_GROUP_PREVIEW
    action_class: ClassVar[ActionClass] = ActionClass.OPT
    impact: ClassVar[Impact] = ResetWorkerKey.impact
    permissions: ClassVar[frozenset[str]] = RUN_COMMAND
    reads: ClassVar[frozenset[Reading]] = ResetWorkerKey.reads
    reset: ClassVar[ResetWorkerKey] = ResetWorkerKey()
    most: int = 3
    """Each takes minutes; where more have lost their workers, something common is the cause."""

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        return frozenset(one.target for one in _members(finding) or ())

    def plan(self, finding: Finding, facts: Facts) -> Plan | Declined:
        members = _members(finding)
        if members is None:
            return declined(finding, self.id, "some of its machines lack the agent, or beat under several identities")
        if not 0 < len(members) <= self.most:
            why = f"{len(members)} of its machines have no worker, and only {self.most} at once are registered anew"
            return declined(finding, self.id, why)
        steps: list[Step] = []
        for member in members:
            match self.reset.plan(member, facts):
                case Declined(reason=reason, advice=advice):
                    return declined(finding, self.id, f"{member.name}: {reason}", *advice.steps)
                case Plan() as plan:
                    # They stay in the scope query: nobody shares their identity.
                    steps += [step for step in plan.steps if isinstance(step, RunScript | AwaitIdentity)]
        names = ", ".join(member.name for member in members)
        return Plan(
            finding=finding,
            remediation=self.id,
            impact=self.impact,
            reason=(
                f"The agent of {names} beats and has no worker; without its old key it registers anew. The script "
                "exports the registry key HybridRunbookWorker to a file and removes it; HealthService restarts."
            ),
            steps=tuple(steps),
            settle=Settle(after=timedelta(minutes=5), why="the account has worker groups for them within minutes"),
            risk=(
                f"Deployments that name {names} call an old identity until it is added again; source-id-changed finds "
                "and mends that."
            ),
        )


def _members(finding: Finding) -> list[Finding] | None:
    """The machines without a worker, each as a case of its own; None unless that is all that is wrong."""
    listed = [one for one in list_at(dict(finding.evidence), "machines") if isinstance(one, dict)]
    if finding.evidence.get("machineCount") != len(listed):
        return None
    if not all(text_at(one, "cause") == _NO_WORKER and text_at(one, "sourceComputerId") for one in listed):
        return None
    return [
        replace(
            finding,
            target=text_at(one, "machine"),
            name=text_at(one, "name"),
            evidence={"sourceComputerId": text_at(one, "sourceComputerId"), "computer": text_at(one, "name")},
        )
        for one in listed
    ]
