"""Give a deployment a longer maintenance window."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final

from model.documents import text_at
from model.facts import Deployment, Facts, Reading
from model.findings import Finding
from model.plans import AwaitedRun, Declined, Plan, PutDeployment, Settle
from model.resource_ids import InvalidResourceId, ResourceId
from model.states import ActionClass, FailureState, Impact
from model.times import format_duration, in_words
from model.words import at_time
from remediations.deployment_edits import Editable, editable
from remediations.protocol import declined

_HALF_HOUR: Final = timedelta(minutes=30)
_DEFAULT_WINDOW: Final = timedelta(hours=2)
_EVERY: Final = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WidenMaintenanceWindow:
    """Widen the window by an hour or by half, whichever is more, in steps of half an hour, up to `maximum`.

    Effect: one PUT; the next run may last longer. The schedule's start moves to its next run, because Azure takes no
    start in the past.
    Declined: the window is at its maximum; the longer window would run into another deployment of the same machines;
    the next run is nearer than `margin`; the deployment is not settled.
    Risk: a longer window may reach into working hours.
    Verified: the next run ends within the new window.
    Undo: PUT the body from before; the start stays at the next run.
    """

    id: ClassVar[str] = "widen-maintenance-window"
    fixes: ClassVar[FailureState] = FailureState.MAINTENANCE_WINDOW_EXCEEDED
    action_class: ClassVar[ActionClass] = ActionClass.OPT
    impact: ClassVar[Impact] = Impact.REVERSIBLE
    permissions: ClassVar[frozenset[str]] = frozenset(
        {
            "Microsoft.Automation/automationAccounts/softwareUpdateConfigurations/write",
            "Microsoft.Compute/virtualMachines/write",
        }
    )
    reads: ClassVar[frozenset[Reading]] = frozenset({Reading.MACHINES})
    maximum: timedelta = timedelta(hours=6)
    """Azure's own limit."""
    margin: timedelta = timedelta(minutes=15)

    def needs(self, finding: Finding, facts: Facts) -> frozenset[str]:
        return frozenset({finding.target})

    def plan(self, finding: Finding, facts: Facts) -> Plan | Declined:
        deployment = facts.deployments[finding.target]
        present = deployment.duration
        if present is None:
            return declined(finding, self.id, "its window could not be read")
        if present >= self.maximum:
            return declined(
                finding,
                self.id,
                f"its window is {in_words(present)} already, and none is made longer than {in_words(self.maximum)}",
                *_split(deployment),
                "Download updates before the window, so that it is used for installing only.",
                "Leave service packs and feature packs, which take longest, to a deployment of their own.",
            )
        match editable(facts, finding.target, self.margin):
            case str() as why:
                return declined(finding, self.id, why)
            case Editable() as edit:
                pass
        wider = min(self.maximum, wider_window(present))
        for other in sorted(facts.deployments.values(), key=lambda other: other.id):
            if other.id != deployment.id and (clash := _clash(facts, deployment, edit.next_run, wider, other)):
                return declined(
                    finding,
                    self.id,
                    f"a window of {in_words(wider)} from {at_time(edit.next_run)} would meet {clash}",
                    f"Move the schedule of {other.name} or of {deployment.name}, then widen the window.",
                )
        text = format_duration(wider)
        return Plan(
            finding=finding,
            remediation=self.id,
            impact=self.impact,
            reason=f"{in_words(present)} were not enough; {in_words(wider)} is the next size up.",
            steps=(
                PutDeployment(
                    deployment=text_at(edit.document, "id"), before=edit.document, after=edit.edited(duration=text)
                ),
            ),
            settle=Settle.after_runs(
                after=timedelta(minutes=5),
                runs=[AwaitedRun(deployment=deployment.id, begins=edit.next_run, shown=wider + _HALF_HOUR)],
                why="the next run shows whether the window is long enough",
            ),
            risk=f"Runs may last until {at_time(edit.next_run + wider)} and as long on each later date.",
        )


def _split(deployment: Deployment) -> tuple[str, ...]:
    """Advice that only makes sense where there is something to split."""
    named = len(deployment.azure_machines) + len(deployment.computer_names)
    if named < 2 and not deployment.query_scopes:
        return ()
    some = f"some of its {named} machines" if named > 1 else "some of what its dynamic queries select"
    return (f"Split {deployment.name}: give {some} a deployment of their own.",)


def wider_window(present: timedelta) -> timedelta:
    """An hour more or half as much again, whichever is longer, rounded up to half an hour."""
    wanted = max(present + timedelta(hours=1), present * 1.5)
    return -(-wanted // _HALF_HOUR) * _HALF_HOUR


def _clash(facts: Facts, ours: Deployment, start: datetime, wider: timedelta, other: Deployment) -> str:
    """In words, where the other's next window meets ours and they share a machine; empty where they do not."""
    if other.next_run is None or other.next_run <= facts.now:
        return ""
    lasts = other.duration or _DEFAULT_WINDOW
    # Windows that overlap today are not this edit's doing: only what begins in the added time is.
    first = start + (ours.duration or timedelta())
    begins = _first_run(other, not_before=first)
    if begins is None or begins >= start + wider:
        return ""
    before = _first_run(other, not_before=start - lasts + timedelta(microseconds=1))
    if before is not None and before < first:
        return ""
    shared = _shared(facts, ours, other)
    return f"{other.name} at {at_time(begins)} on {shared}" if shared else ""


def _first_run(other: Deployment, not_before: datetime) -> datetime | None:
    """The first run of a deployment at or after a time, as far as its list entry tells.

    The entry has the frequency and not the interval or the days, so that a deployment that recurs is taken to do so
    every time; one that recurs by the month is known by its next run only.
    """
    if other.next_run is None or other.next_run >= not_before:
        return other.next_run
    every = _EVERY.get(other.frequency.lower())
    return other.next_run - ((other.next_run - not_before) // every) * every if every else None


def _shared(facts: Facts, ours: Deployment, other: Deployment) -> str:
    """What both may patch; where it cannot be told, the cautious answer is that they share something."""
    if ours.operating_system and other.operating_system and ours.operating_system != other.operating_system:
        return ""
    common = sorted(set(ours.azure_machines) & set(other.azure_machines))
    if common:
        names = [facts.machines[id_].name if id_ in facts.machines else id_ for id_ in common]
        return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    if set(map(str.lower, ours.computer_names)) & set(map(str.lower, other.computer_names)):
        return "a machine outside Azure"
    for machines, scopes in ((ours.azure_machines, other.query_scopes), (other.azure_machines, ours.query_scopes)):
        for machine in machines:
            if any(_within(machine, scope) for scope in scopes):
                return f"{_name(machine)}, which a dynamic query may select"
    if any(_within(one, two) or _within(two, one) for one in ours.query_scopes for two in other.query_scopes):
        return "machines that dynamic queries of both may select"
    return ""


def _within(resource: str, scope: str) -> bool:
    return f"{resource.rstrip('/')}/".startswith(f"{scope.rstrip('/')}/")


def _name(machine: str) -> str:
    try:
        return ResourceId.parse(machine).name
    except InvalidResourceId:
        return machine
