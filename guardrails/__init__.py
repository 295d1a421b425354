"""The belts, one module each. All of them judge every plan; the first that objects is the one that is named."""

from __future__ import annotations

from guardrails.blast_radius import BlastRadius
from guardrails.cool_down import CoolDown
from guardrails.exclusion_tag import ExclusionTag
from guardrails.mode_of_state import ModeOfState
from guardrails.protocol import Guardrail, Situation
from guardrails.scope import Scope
from guardrails.second_look import SecondLook
from guardrails.update_run import UpdateRun
from model.plans import Allow, Plan, Verdict


def guardrails(*, exclude_tag: str, max_machines: int, max_percent: int = 100) -> tuple[Guardrail, ...]:
    """Every guardrail; those that only a person can satisfy come first."""
    return (
        Scope(),
        ExclusionTag(tag=exclude_tag),
        ModeOfState(),
        SecondLook(),
        CoolDown(),
        UpdateRun(),
        BlastRadius(machines=max_machines, percent=max_percent),
    )


def judge(plan: Plan, situation: Situation, belts: tuple[Guardrail, ...]) -> Verdict:
    """The first objection, or Allow."""
    return next((objection for belt in belts if (objection := belt.judge(plan, situation))), Allow())


__all__ = ["Guardrail", "Situation", "guardrails", "judge"]
