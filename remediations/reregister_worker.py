"""Register a machine anew whose hybrid worker group is gone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from model.facts import Facts, Reading
from model.findings import Finding
from model.plans import Declined, Plan
from model.states import ActionClass, FailureState, Impact
from remediations.reset_worker_key import ResetWorkerKey


@dataclass(frozen=True, slots=True, kw_only=True)
class ReregisterWorker:
    """Remove the stale worker key on the machine and restart its agent, which registers a new worker group.

    Effect: as `reset-worker-key`, whose script and order it shares.
    Declined: a user hybrid worker is registered in the same key; the machine is not a running Windows VM with a ready
    guest agent.
    Risk: the machine has a new identity then; deployments that name it go on calling the old one until it is added
    again, which `source-id-changed` looks after. Nothing is lost: the old identity leads nowhere.
    Verified: the account has a worker group for a computer of its name.
    Undo: `reg import` of the export and a restart of HealthService bring the old key back.
    """

    id: ClassVar[str] = "reregister-worker"
    fixes: ClassVar[FailureState] = FailureState.WORKER_GROUP_PURGED
    action_class: ClassVar[ActionClass] = ActionClass.OPT
    impact: ClassVar[Impact] = ResetWorkerKey.impact
    permissions: ClassVar[frozenset[str]] = ResetWorkerKey.permissions
    reads: ClassVar[frozenset[Reading]] = ResetWorkerKey.reads
    reset: ClassVar[ResetWorkerKey] = ResetWorkerKey()

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        return self.reset.needs(finding, facts)

    def plan(self, finding: Finding, facts: Facts) -> Plan | Declined:
        match self.reset.plan(finding, facts):
            case Declined() as no:
                return replace(no, remediation=self.id)
            case Plan() as plan:
                return replace(
                    plan,
                    remediation=self.id,
                    reason=(
                        f"{finding.name} has no worker group; without its old key its agent registers anew. The script "
                        "exports the registry key HybridRunbookWorker to a file and removes it; HealthService restarts."
                    ),
                    risk=(
                        f"Deployments that name {finding.name} call its old identity until it is added again; "
                        "source-id-changed finds and mends that."
                    ),
                    settle=replace(plan.settle, why="the account has a worker group for it again within minutes"),
                    # No clone takes turns with it: every such machine may be treated by itself.
                    group="",
                )
