"""Nothing is changed under a running update."""

from __future__ import annotations

from dataclasses import dataclass

from guardrails.protocol import Situation
from guardrails.reach import machines, resources
from model.facts import Reading
from model.plans import Hold, Plan

_RUNNING = frozenset({"inprogress", "notstarted"})


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateRun:
    """Holds a plan while a deployment runs that it edits, or that patches a machine which it touches."""

    def judge(self, plan: Plan, situation: Situation) -> Hold | None:
        facts = situation.facts
        if gap := facts.missing(Reading.MACHINE_RUNS, Reading.RUNS):
            return Hold(guardrail="update-run", reason=f"whether an update runs could not be read: {gap.what}")
        reached = machines(plan, facts)
        names = {d.name.lower(): d.name for id_ in resources(plan) if (d := facts.deployments.get(id_))}
        for run in facts.runs:
            if run.status in _RUNNING and run.deployment in names:
                return Hold(guardrail="update-run", reason=f"{names[run.deployment]} is running now")
        for machine_run in facts.machine_runs:
            if machine_run.status in _RUNNING and machine_run.target in reached:
                return Hold(guardrail="update-run", reason=f"{machine_run.deployment} is patching the machine now")
        return None
