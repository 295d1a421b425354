"""Start a VM that its deployment's next run would miss."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from model.facts import Facts, PowerState, Reading
from model.findings import Finding
from model.plans import Declined, Plan, Settle, StartMachine
from model.states import ActionClass, FailureState, Impact
from model.times import in_words, parse_time
from model.words import at_time
from remediations.protocol import declined


@dataclass(frozen=True, slots=True, kw_only=True)
class StartStoppedMachine:
    """Start the VM before the next run of a deployment that called it in vain, where its owner's tag allows it.

    Effect: the VM runs, and costs, until somebody stops it.
    Declined: the VM does not carry the tag of `PATCHWRIGHT_START_TAG` (any value but `false`); the next run is further
    away than `ahead`, so that it would idle; it is no Azure VM.
    Risk: what starts with the VM starts, too.
    Verified: the VM runs, and its deployment no longer finds it stopped.
    Undo: deallocate the VM again, or stop it where it was only stopped.
    """

    id: ClassVar[str] = "start-machine"
    fixes: ClassVar[FailureState] = FailureState.VM_STOPPED
    action_class: ClassVar[ActionClass] = ActionClass.OPT
    impact: ClassVar[Impact] = Impact.DISRUPTIVE
    permissions: ClassVar[frozenset[str]] = frozenset({"Microsoft.Compute/virtualMachines/start/action"})
    reads: ClassVar[frozenset[Reading]] = frozenset()
    tag: str = "patchwright-start"
    """By this tag an owner lets a machine be started."""
    ahead: timedelta = timedelta(hours=24)
    """No start longer before the next run: sweeps are nightly, so the sweep before the run falls within it."""

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        return frozenset()

    def plan(self, finding: Finding, facts: Facts) -> Plan | Declined:
        machine = facts.machines.get(finding.target)
        if machine is None or machine.is_arc:
            return declined(finding, self.id, "it is no VM that can be started")
        next_run = parse_time(finding.evidence.get("nextRun"))
        by_hand = (
            f"Start {machine.name} before the next run"
            + (f", {at_time(next_run)}," if next_run else "")
            + f" by hand or by a pre-script of the deployment: az vm start --ids {machine.arm_id}",
            f"Or let Patchwright do it: tag the VM {self.tag}=true.",
        )
        tags = {name.lower(): value for name, value in machine.tags.items()}
        if tags.get(self.tag.lower(), "false").strip().lower() == "false":
            return declined(finding, self.id, f"it is {machine.power.value} and not tagged {self.tag}", *by_hand)
        if machine.power not in {PowerState.STOPPED, PowerState.DEALLOCATED}:
            return declined(finding, self.id, f"it is {machine.power.value} already")
        if next_run is None or next_run <= facts.now:
            return declined(finding, self.id, "no next run is known to start it for", *by_hand)
        if next_run - facts.now > self.ahead:
            away = in_words(next_run - facts.now)
            why = f"its next run is {away} away, and it is started at most {in_words(self.ahead)} before"
            return declined(
                finding, self.id, why, f"Nothing to do: a sweep after {at_time(next_run - self.ahead)} starts it."
            )
        return Plan(
            finding=finding,
            remediation=self.id,
            impact=self.impact,
            reason=f"{machine.name} is {machine.power.value}, and would miss the run at {at_time(next_run)}.",
            steps=(StartMachine(machine=machine.arm_id, power_before=machine.power.value),),
            settle=Settle(after=timedelta(minutes=10), why="the VM runs"),
            risk=f"{machine.name} costs what a running VM costs until somebody stops it; Patchwright does not.",
        )
