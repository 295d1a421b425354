"""What may restart services waits for the time at which they may restart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from guardrails.protocol import Situation
from model.facts import Deployment, Facts, Reading
from model.plans import Hold, Plan
from model.times import format_time


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceWindow:
    """Holds a plan of one of the remediations `inside`, but for the windows of the deployments that patch the machine.

    A window is open from the start of a deployment's run for as long as that run was given, whether the run has ended
    early or not; that it is not under way on the machine any more is `update-run`'s to see. Who applies the plan makes
    no difference. Holds until the next window opens, or without a time where no deployment says when that is.
    """

    inside: frozenset[str] = field(default_factory=frozenset)
    """Ids of the remediations that run inside a maintenance window only."""

    def judge(self, plan: Plan, situation: Situation) -> Hold | None:
        if plan.remediation not in self.inside:
            return None
        facts, name = situation.facts, plan.finding.name
        if gap := facts.missing(Reading.DEPLOYMENTS, Reading.RUNS, Reading.MACHINE_RUNS):
            return Hold(guardrail="maintenance-window", reason=f"whether a window is open is unknown: {gap.what}")
        deployments = list(_patching(plan.finding.target, facts))
        if any(_is_open(deployment, facts) for deployment in deployments):
            return None
        opens = min(_next_runs(deployments, facts.now), default=None)
        why = f"{plan.remediation} may restart services, and no maintenance window of {name} is open"
        when = f"the next one opens {format_time(opens)}" if opens else "no deployment says when one will be"
        return Hold(guardrail="maintenance-window", reason=f"{why}; {when}", until=opens)


def _patching(machine: str, facts: Facts) -> Iterator[Deployment]:
    """The deployments that name the machine, or that have called it in a run."""
    called = {part.deployment for part in facts.machine_runs if part.target == machine}
    for deployment in facts.deployments.values():
        if machine in deployment.azure_machines or deployment.name.lower() in called:
            yield deployment


def _is_open(deployment: Deployment, facts: Facts) -> bool:
    return any(
        run.start <= facts.now < run.start + length
        for run in facts.runs
        if run.deployment == deployment.name.lower()
        and run.start
        and (length := run.configured_duration or deployment.duration)
    )


def _next_runs(deployments: Iterable[Deployment], now: datetime) -> Iterator[datetime]:
    return (one.next_run for one in deployments if one.next_run and one.next_run > now)
