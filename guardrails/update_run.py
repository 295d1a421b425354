"""Nothing is changed under a running update."""

from __future__ import annotations

from dataclasses import dataclass

from guardrails.protocol import Situation
from model.facts import Reading
from model.plans import Hold, Plan, PutDeployment
from model.runs import UNDER_WAY


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateRun:
    """Holds a plan while a deployment runs that it edits, or that patches a machine which it touches."""

    def judge(self, plan: Plan, situation: Situation) -> Hold | None:
        facts, reached = situation.facts, situation.reach_of(plan).machines
        edited = [step.deployment.rsplit("/", 1)[-1] for step in plan.steps if isinstance(step, PutDeployment)]
        if not reached and not edited:
            return None
        if gap := facts.missing(Reading.MACHINE_RUNS, Reading.RUNS):
            return Hold(guardrail="update-run", reason=f"whether an update runs could not be read: {gap.what}")
        names, over = {name.lower(): name for name in edited}, set[str]()
        for run in facts.runs:
            if run.status not in UNDER_WAY:
                over.add(run.id)
            elif run.deployment in names:
                return Hold(guardrail="update-run", reason=f"{names[run.deployment]} is running now")
        for part in facts.machine_runs:
            # A part that never ended stays in progress for ever; it is over when its run is.
            if part.status in UNDER_WAY and part.run not in over and part.target in reached:
                return Hold(guardrail="update-run", reason=f"{part.deployment} is patching the machine now")
        return None
