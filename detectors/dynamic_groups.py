"""Machines that a deployment's dynamic queries select: which of them the newest run should have called, and why not.

Shared by `schedule-missed-machines`, where a machine could have been patched, and `not-in-dynamic-group-preview`, where
it has nothing that a deployment could call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

from model.documents import Document, Json
from model.dynamic_groups import at_time, may_answer, newest_dynamic_runs, selected, selects
from model.facts import Deployment, Facts, Machine, PowerState, Reading, UpdateRun
from model.resource_ids import InvalidResourceId, subscription_of, vm_ids

READS: Final = frozenset(
    {
        Reading.MACHINES,
        Reading.DEPLOYMENTS,
        Reading.RUNS,
        Reading.SYSTEM_GROUPS,
        Reading.PROVIDERS,
        Reading.DYNAMIC_GROUPS,
    }
)
AGENTS: Final = "group-agents"
"""The answer of Log Analytics that tells under which identities these machines beat."""
REMEMBERED: Final = timedelta(days=13)
"""Resource Graph forgets changes after 14 days; a day before the run has to be among them."""
DAY: Final = timedelta(days=1)
MOST_LISTED: Final = 50
_OFF: Final = frozenset({PowerState.STOPPED, PowerState.DEALLOCATED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """A machine that is missing, and why."""

    machine: Machine
    cause: str
    """`provider`, `off`, `tags`, `permission`, `no-agent` or `no-worker`."""
    detail: str
    identity: str = ""
    """Of a machine without a worker: the one under which its agent beats; empty where there are several."""

    @property
    def told(self) -> Json:
        known: Document = {"sourceComputerId": self.identity} if self.identity else {}
        return {
            "machine": self.machine.id, "name": self.machine.name, "cause": self.cause, "detail": self.detail, **known,
        }  # fmt: skip


# Not slotted: what is worked out once is kept.
@dataclass(frozen=True, kw_only=True)
class DynamicGroups:
    """The machines of every dynamic query, as facts tell."""

    facts: Facts

    @cached_property
    def runs(self) -> Mapping[str, UpdateRun]:
        return newest_dynamic_runs(self.facts)

    @cached_property
    def deployments(self) -> list[Deployment]:
        """Those with queries, in order."""
        return sorted((d for d in self.facts.deployments.values() if d.queries), key=lambda one: one.id)

    @cached_property
    def _identities(self) -> Mapping[str, frozenset[str]]:
        """By resource id or VM id: the identities under which it beat within 30 days."""
        found: dict[str, set[str]] = {}
        for row in self.facts.rows.get(AGENTS, ()):
            for key in (str(row.get("MachineId") or ""), *vm_ids(str(row.get("VmId") or ""))):
                found.setdefault(key, set()).add(str(row.get("SourceComputerId")))
        return {key: frozenset(sources) for key, sources in found.items() if key}

    @cached_property
    def _workers(self) -> frozenset[str]:
        return frozenset(group.source_computer_id for group in self.facts.system_groups.values())

    def missing(self, deployment: Deployment) -> Iterator[Machine]:
        """Machines that it selects now and the newest run did not call; all that answer where it has not run yet."""
        run = self.runs.get(deployment.id)
        called = self.facts.called.get(run.id) if run else frozenset[str]()
        if called is None:
            return
        for id_ in sorted(selected(deployment, self.facts.machines.values()) - called):
            machine = self.facts.machines[id_]
            if run or may_answer(machine):
                yield machine

    def without_worker(self, machine: Machine) -> Absent | None:
        """None for a machine that has a system hybrid worker."""
        beats = self._identities.get(machine.id, frozenset()) | self._identities.get(machine.vm_id, frozenset())
        if beats & self._workers:
            return None
        if beats:
            detail = "its agent beats, and the account has no system hybrid worker of that identity"
            identity = next(iter(beats)) if len(beats) == 1 else ""
            return Absent(machine=machine, cause="no-worker", detail=detail, identity=identity)
        detail = "no agent of it has beaten in this workspace for 30 days"
        return Absent(machine=machine, cause="no-agent", detail=detail)

    def not_called(self, deployment: Deployment, run: UpdateRun, started: datetime, machine: Machine) -> Absent | None:
        """Why a machine with a worker was not called, the first cause that fits; None where it had not to be."""
        changes = self.facts.changes.get(machine.id, ())
        then = at_time(machine, changes, started)
        earlier = at_time(machine, changes, started - DAY)
        if then is None:
            return None
        if (state := self._registration(machine)) and state.lower() != "registered":
            detail = f"Microsoft.Automation is {state} in its subscription"
            return Absent(machine=machine, cause="provider", detail=detail)
        if not selects(deployment, then):
            if earlier is None or not selects(deployment, earlier):
                # It came to be selected after the run: the next one calls it.
                return None
            detail = "its tags, or where it is, did not fit when the run started; they did a day before, and do now"
            return Absent(machine=machine, cause="tags", detail=detail)
        if then.power in _OFF:
            return Absent(machine=machine, cause="off", detail=f"it was {then.power.value} when the run started")
        detail = "it was on, fits the query and has a worker: who saved the deployment may lack write access to it"
        return Absent(machine=machine, cause="permission", detail=detail)

    def _registration(self, machine: Machine) -> str:
        try:
            known = self.facts.providers.get((subscription_of(machine.id), "microsoft.automation"))
        except InvalidResourceId:
            return ""
        return known.state if known else ""
