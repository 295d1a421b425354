"""Give a cloned machine an agent identity of its own."""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import ClassVar
from urllib.parse import unquote

from model.documents import Document, at, list_at
from model.facts import Facts, Machine, PowerState, Reading, SavedSearch
from model.findings import Finding
from model.plans import AwaitIdentity, Declined, Plan, PutSavedSearch, RunScript, Settle, Step
from model.resource_ids import vm_ids
from model.scope_queries import SCOPE, TEXT, VM_IDS
from model.states import ActionClass, FailureState, Impact
from remediations.protocol import declined


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetWorkerKey:
    """Remove the cloned worker key on the machine and restart its agent, which registers anew.

    Effect: the machine leaves the scope query where it is in it; `HKLM:\\SOFTWARE\\Microsoft\\HybridRunbookWorker` is
    exported to a file on the machine and removed; HealthService restarts; once the machine beats under a new identity
    it goes back into the scope query.
    Declined: a user hybrid worker is registered in the same key; the machine is not a running Windows VM with a ready
    guest agent.
    Risk: the machine loses its worker identity; deployments that name it fail to start on it until it is added again,
    which `source-id-changed` looks after.
    Verified: the identity belongs to this machine alone.
    Undo: `reg import` of the export and a restart of HealthService bring the old identity back.
    """

    id: ClassVar[str] = "reset-worker-key"
    fixes: ClassVar[FailureState] = FailureState.CLONED_MACHINE
    action_class: ClassVar[ActionClass] = ActionClass.OPT
    impact: ClassVar[Impact] = Impact.DISRUPTIVE
    permissions: ClassVar[frozenset[str]] = frozenset(
        {
            "Microsoft.Compute/virtualMachines/runCommands/write",
            "Microsoft.Compute/virtualMachines/runCommands/delete",
            "Microsoft.OperationalInsights/workspaces/savedSearches/write",
        }
    )
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.USER_WORKERS, Reading.SAVED_SEARCHES})

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        # The instance view: Run Command does not work where the guest agent is not ready.
        return frozenset({finding.target})

    def plan(self, finding: Finding, facts: Facts) -> Plan | Declined:
        if why := self._unfit(finding, facts):
            return declined(finding, self.id, *why)
        machine = facts.machines[finding.target]
        identity = str(finding.evidence["sourceComputerId"])
        reset = RunScript(
            machine=machine.arm_id,
            location=machine.location,
            script="windows/reset-worker-key.ps1",
            # The same for the same machine and identity, so that a repeat writes to the same file.
            parameters={"StepId": hashlib.sha256(f"{finding.key}:{identity}".encode()).hexdigest()[:16]},
            undo_script="windows/restore-worker-key.ps1",
        )
        await_new = AwaitIdentity(
            machine=machine.arm_id, workspace_guid=facts.workspace_guid, not_source_computer_id=identity
        )
        edits = list(_out_of_scope(facts, machine))
        steps: list[Step] = [
            *(PutSavedSearch(saved_search=s.arm_id, before=s.document, after=without) for s, without in edits),
            reset,
            await_new,
            *(
                PutSavedSearch(saved_search=s.arm_id, before=without, after=s.document, restores=True)
                for s, without in edits
            ),
        ]
        return Plan(
            finding=finding,
            remediation=self.id,
            impact=self.impact,
            reason=(
                f"Without its copied key the agent of {machine.name} registers anew, under an identity of its own. The "
                "script exports the registry key HybridRunbookWorker to a file, removes it, and restarts HealthService."
            ),
            steps=tuple(steps),
            settle=Settle(after=timedelta(minutes=5), why="the next heartbeats show whether the identity is its own"),
            risk=(
                f"Deployments that name {machine.name} fail to start on it until it is added again; "
                "source-id-changed finds and mends that."
            ),
            group=f"clones-of:{identity}",
        )

    def _unfit(self, finding: Finding, facts: Facts) -> tuple[str, ...] | None:
        """Why this machine must not be reset by Run Command, and what to do instead; None where it may."""
        machine = facts.machines.get(finding.target)
        if gap := facts.missing(*sorted(self.reads), finding.target):
            return (f"what lives on it could not be read: {gap.what}",)
        if machine is None or machine.is_arc or machine.os.lower() != "windows":
            return (
                "the key can be reset by Run Command on Windows VMs of Azure only",
                "Reinstall the agent on the machine, so that it registers under an identity of its own.",
            )
        computers = {_short(machine.name), _short(str(finding.evidence.get("computer") or ""))}
        # A worker that came by the agent has no resource id; its name can only make us more careful.
        groups = sorted(
            {
                worker.group
                for worker in facts.user_workers
                if worker.machine_id == machine.id
                or (not worker.machine_id and _short(worker.worker_name) in computers)
            }
        )
        if groups:
            return (
                f"it is also a user hybrid worker ({', '.join(groups)}), whose registration lives in the same key",
                f"Take {machine.name} out of {', '.join(groups)}, reset its key, register it as a user worker again.",
            )
        if machine.power is not PowerState.RUNNING:
            return (f"it is {machine.power.value}, and Run Command needs it running",)
        document = facts.documents.get(machine.id)
        if document is None:
            return ("the VM does not exist any more",)
        if not _agent_ready(document):
            return ("its guest agent is not ready, and Run Command needs it", "Mend the VM agent on the machine first.")
        return None


def _short(computer: str) -> str:
    """A computer's name without its domain."""
    return computer.partition(".")[0].lower()


def _agent_ready(document: Document) -> bool:
    statuses = list_at(document, "properties.instanceView.vmAgent.statuses")
    return any(isinstance(s, dict) and str(s.get("code")).lower() == "provisioningstate/succeeded" for s in statuses)


def _out_of_scope(facts: Facts, machine: Machine) -> Iterator[tuple[SavedSearch, Document]]:
    """The scope's saved search, and the same without the machine's VM id in either byte order.

    Only the list of VM ids is edited. The list of names is left alone: a name may belong to two machines.
    """
    spellings = vm_ids(machine.vm_id)
    for search in facts.saved_searches.values():
        query = at(search.document, "properties.query")
        if unquote(search.id.rsplit("/", 1)[-1]) != SCOPE or not isinstance(query, str):
            continue
        edited = VM_IDS.sub(lambda found: found[1] + _left_out(found[2], spellings), query)
        if edited != query:
            after = copy.deepcopy(search.document)
            properties = after["properties"]
            assert isinstance(properties, dict)  # noqa: S101 - the query was found in it
            properties["query"] = edited
            yield search, after


def _left_out(listed: str, spellings: frozenset[str]) -> str:
    """A list of quoted ids without those of one machine; every other character stays as somebody wrote it."""
    entries = list(re.finditer(TEXT, listed))
    kept = [n for n, entry in enumerate(entries) if spellings.isdisjoint(vm_ids(entry[0][1:-1].strip()))]
    if len(kept) == len(entries):
        return listed
    # An emptied list keeps one empty text, as the query has when it is first made.
    if not kept:
        return '""'
    parts = [entries[kept[0]][0]]
    for previous, n in pairwise(kept):
        parts += [listed[entries[previous].end() : entries[previous + 1].start()], entries[n][0]]
    return "".join(parts)
